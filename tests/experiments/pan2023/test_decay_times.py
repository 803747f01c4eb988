"""Time or weight decay, on tables where g is either's: the claims, which trainings count as equally long, the lines."""

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.pan2023.made import NO, OPEN, WD, YES, Edit, composed, timed, verdicts, without_needs

from nc_runner.experiments.pan2023.conjectures import INTRA
from nc_runner.experiments.pan2023.decay_times import claims as module
from nc_runner.experiments.pan2023.decay_times.claims import claims
from nc_runner.experiments.pan2023.equal_times import LEVEL, annealed, by_time, equally_long, shared
from nc_runner.experiments.pan2023.fits import fitting

SAME, SHARE, TIME = "equal_g_at_equal_times", "growth_is_mostly_time", "g_grows_with_decay_times"
HOLDS = {TIME: YES, **{f"{claim}_{name}": YES for name in ("teacher", "conic_hull") for claim in (SAME, SHARE)}}


def decay_alone(*names: str) -> Edit:
    """g is a function of the weight decay, and of the decay times by a tenth at the most, on these data sets."""

    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if point["data.name"] in names:
            late = 29.8 * point["train.epochs"] * point[WD] > 9.5
            metrics[INTRA] = 0.7 + 0.15 * math.log(point[WD] / 3e-4) + 0.1 * late

    return edit


def add(name: str, epochs: int, decay: float, by: float) -> Edit:
    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if (point["data.name"], point["train.epochs"], point[WD]) == (name, epochs, decay):
            metrics[INTRA] += by

    return edit


def test_all_hold_where_g_is_a_function_of_time() -> None:
    found = {claim.id: claim for claim in claims(timed())}
    assert {name: claim.verdict for name, claim in found.items()} == HOLDS
    said = found[f"{SHARE}_teacher"].measured
    assert "from weight decay 0.0003 to 0.003 after 300 epochs" in said
    assert "after 26.8 decay times each; 10" in said or "after 26.8 decay times each; 9" in said


def test_both_on_a_data_set_fail_where_g_is_a_function_of_weight_decay() -> None:
    for name in ("teacher", "conic_hull"):
        against = {f"{SAME}_{name}": NO, f"{SHARE}_{name}": NO}
        assert verdicts(claims(timed(decay_alone(name)))) == {**HOLDS, **against}


@pytest.mark.parametrize(
    ("claim", "edits"),
    [
        # g falls to the end at a weight decay in the middle, which is no end of the growth
        (TIME, [add("teacher", 101, 1e-3, 0.5)]),
        # a seventh of the growth is left, but more than hardly any
        (f"{SAME}_teacher", [add("teacher", 900, 1e-3, 0.15)]),
        # growth 0.12 after 300 epochs and 0.08 at equal times
        (f"{SHARE}_teacher", [add("teacher", 300, 3e-4, 0.29), add("teacher", 336, 3e-4, -0.1),
                              add("teacher", 3000, 3e-4, -0.08)]),
    ],
)  # fmt: skip
def test_it_alone_fails(claim: str, edits: list[Edit]) -> None:
    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        for one in edits:
            one(point, metrics)

    assert verdicts(claims(timed(edit))) == {**HOLDS, claim: NO}


@pytest.mark.parametrize(("by", "same", "share"), [(0.09, YES, YES), (0.11, NO, YES), (0.19, NO, YES), (0.215, NO, NO)])
def test_thresholds(by: float, same: object, share: object) -> None:
    """Of 0.413 that g grows by after 300 epochs, less is left at equal times at the smallest weight decay."""
    found = verdicts(claims(timed(add("teacher", 3000, 3e-4, -by), spread=1e-5)))
    assert (found[f"{SAME}_teacher"], found[f"{SHARE}_teacher"]) == (same, share)


def test_seeds_sizes_the_schedule_and_growth_are_needed() -> None:
    assert set(verdicts(claims(timed(seeds=2))).values()) == {OPEN}
    small = dataclasses.replace(timed(), config=composed("experiment=decay_times", "scale=cpu"))
    open_there = {claim.id for claim in claims(small) if "at the paper's sizes" in {need.name for need in claim.lacks}}
    assert open_there == {f"{SHARE}_teacher", f"{SHARE}_conic_hull"}
    stopped = timed(lambda point, metrics: point.update(epochs=point["train.epochs"] // 2))
    assert set(verdicts(claims(stopped)).values()) == {OPEN}
    flat = timed(lambda point, metrics: metrics.update({INTRA: 1.0 + 1e-3 * point["seed"]}))
    of_flat = next(claim for claim in claims(flat) if claim.id == f"{SHARE}_teacher")
    assert (of_flat.lacks[0].name, of_flat.lacks[0].found) == ("a growth to share out", "by 0.000")
    assert of_flat.number == "no growth"


def test_other_equal_epochs_than_the_thesis_s_are_not_figure_3_1() -> None:
    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        point["train.epochs"] = point["epochs"] = point["train.epochs"] + 4 * (point["train.epochs"] == 300)

    (lacks,) = next(claim for claim in claims(timed(edit)) if claim.id == f"{SHARE}_teacher").lacks
    assert (lacks.name, lacks.found) == ("the thesis's epochs", "304")


def test_annealed_is_the_whole_schedule() -> None:
    results = timed()
    assert annealed(results).found == "0.001 at the most"
    cut = results.trials["epochs"].where(results.trials["epochs"] != 336, 250)
    assert not annealed(dataclasses.replace(results, trials=results.trials.assign(epochs=cut))).met
    constant = dataclasses.replace(results, config=composed("experiment=decay_times", "train.schedule=constant"))
    assert annealed(constant).found == "1 at the most"


def test_equally_long_is_within_a_tenth_and_of_every_weight_decay_that_fits() -> None:
    table = by_time(fitting(timed(seeds=1, spread=0), data="teacher"))
    at = {(int(e), float(d)): level for e, d, level in zip(table["train.epochs"], table[WD], table[LEVEL], strict=True)}
    assert len(at) == 10  # 34 epochs do not fit
    assert at[336, 3e-4] == pytest.approx(3.0, abs=0.01) == at[101, 1e-3]
    assert at[300, 3e-4] == pytest.approx(2.68, abs=0.01)
    assert at[1119, 3e-4] == at[336, 1e-3] == at[112, 3e-3] == pytest.approx(10.01, abs=0.01)
    assert at[300, 1e-3] == pytest.approx(8.94, abs=0.01)
    assert at[3000, 3e-4] == at[900, 1e-3] == at[300, 3e-3]
    epochs, times = equally_long(table)
    assert sorted(set(epochs["train.epochs"])) == [300]
    assert sorted(set(times["train.epochs"])) == [300, 900, 3000]
    shorter = table[table["train.epochs"] != 900]
    assert sorted(set(equally_long(shorter)[1]["train.epochs"])) == [112, 336, 1119]
    assert shared(table[table[WD] > 5e-4], LEVEL, 30).empty
    assert shared(table.iloc[:0], LEVEL).empty


@pytest.mark.parametrize(("seeds", "times"), [(3, "10"), (4, "26.8")])
def test_a_length_with_three_seeds_goes_before_a_longer_one_with_fewer(seeds: int, times: str) -> None:
    """One seed fails at the most decay times."""

    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if point["train.epochs"] == 3000 and point["seed"] == 0:
            point["status"] = "underfit"

    found = {claim.id: claim for claim in claims(timed(edit, seeds=seeds))}
    assert f"g after {times} decay times" in found[f"{SAME}_teacher"].measured
    assert found[f"{SAME}_teacher"].verdict is YES
    counts = {1: 2, 2: 3, 3: 4, 4: 3, 5: 2}
    rows = pd.DataFrame([(level, seed) for level, n in counts.items() for seed in range(n)], columns=[LEVEL, "seed"])
    assert [set(module.with_most_seeds(rows, which)[LEVEL]) for which in ("min", "max")] == [{2}, {4}]


@pytest.mark.parametrize(("few", "many", "both"), [(108, 333, True), (109, 333, False), (108, 332, False)])
def test_few_and_many_decay_times_have_their_limits(few: int, many: int, both: bool) -> None:
    """At 1e-3, where 900 epochs do not fit, these are 3.22 or 3.33, and 10.0 or 9.99."""

    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if point[WD] == 1e-3:
            epochs = {101: few, 336: many}.get(point["train.epochs"], point["train.epochs"])
            point |= {"train.epochs": epochs, "epochs": epochs}
            point["status"] = "underfit" if epochs == 900 else "interpolated"

    assert (" at 0.001, " in claims(timed(edit))[0].measured) is both


def test_what_is_told_by_hand() -> None:
    """g of the teacher's data is 0.15 log(decay) and 0.1 more from ten decay times on."""
    found = {claim.id: claim for claim in claims(timed(decay_alone("teacher"), seeds=1, spread=0))}
    expected = {TIME: "0.100 at the least", f"{SAME}_teacher": "grows by 0.345", f"{SHARE}_teacher": "22% is time"}
    assert {name: found[name].number for name in expected} == expected
    assert found[f"{SAME}_teacher"].measured == (
        "g after 26.8 decay times 1.000 at 0.0003, 1.181 at 0.001, 1.345 at 0.003; it grows by 0.345 at the most"
    )
    assert found[f"{SHARE}_teacher"].measured == (
        "g grows by 0.445 from weight decay 0.0003 to 0.003 after 300 epochs, and by 0.345 after 26.8 decay times "
        "each; 22% of the growth is training time"
    )


LINEAR = {3e-4: -0.2, 1e-3: -0.1, 3e-3: 0.0}


@pytest.mark.parametrize(
    ("same", "share", "time", "edit"),
    [
        (NO, NO, NO, None),
        (YES, YES, None, decay_alone("teacher", "conic_hull")),
        # g grows by 0.3 at equal times, of 0.41
        (YES, YES, None, lambda p, m: m.update({INTRA: m[INTRA] + 1.5 * LINEAR[p[WD]] * (p["train.epochs"] != 300)})),
        (None, None, YES, lambda p, m: m.update({INTRA: 0.9})),
    ],
)
def test_both_errors_are_five_percent_at_most(
    same: object, share: object, time: object, edit: Edit | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``same``, ``share`` and ``time`` are the wrong verdicts, with a spread of 0.03 over seeds."""
    for name in ("TIME", "SAME_G", "SHARE"):
        monkeypatch.setattr(module, name, without_needs(getattr(module, name)))
    made, random = timed(edit, spread=0), np.random.default_rng(0)
    found: dict[str, list[object]] = {SAME: [], SHARE: [], TIME: []}
    whole = by_time(fitting(made, data="teacher"))
    for _ in range(200):
        table = whole.assign(gap=whole["gap"] + 0.03 * random.standard_normal(len(whole)))
        found[TIME].append(module.grows_with_time(made, {"teacher": table}).verdict)
        found[SAME].append(module.equal_g(made, table, module.SAME_G).verdict)
        found[SHARE].append(module.share_of_time(made, table, module.SHARE).verdict)
    for claim, wrong in ((SAME, same), (SHARE, share), (TIME, time)):
        if wrong is not None:
            assert found[claim].count(wrong) <= 10, claim
    right = {SAME: same, SHARE: share}
    for claim, wrong in right.items():
        if wrong is not None:
            assert found[claim].count(NO if wrong is YES else YES) >= 100, claim
