"""Each claim on paths to collapse, on tables made so that it holds, fails or cannot be decided; and the figure."""

import dataclasses
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from experiments.zangrando2026.benign_landscape_tables import (
    CONFIG,
    POINTS,
    REFUSED,
    REPRODUCED,
    UNDECIDED,
    changed,
    results,
)
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
    without_needs,
)

from nc_runner.config.choices import Precision
from nc_runner.config.schema import ModelConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.benign_landscape import EXPERIMENT
from nc_runner.experiments.zangrando2026.benign_landscape import claims as module
from nc_runner.experiments.zangrando2026.benign_landscape.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

REACHES, OPTIMAL, STABLE = "falling_path_to_collapse", "path_ends_at_the_least", "collapse_is_stable"


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(EXPERIMENT, results()).values()) == {REPRODUCED}


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        (REACHES, {"variation": 0.0099}, {"variation": 0.0101}),
        (REACHES, {"variation_first": 0.01001}, {"variation_first": 0.00999}),
        (REACHES, {"rise": 0.9e-9}, {"rise": 1.1e-9}),
        (REACHES, {"bad": 2}, {"bad": 3}),
        (OPTIMAL, {"objective": 1.0499}, {"objective": 1.0501}),
        (STABLE, {"returned": 0.01}, {"returned": 0.0101}),
        (STABLE, {"small_rank": 1e-4}, {"small_rank": 1.01e-4}),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim: str, within: dict, without: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {REPRODUCED}
    found = verdicts(EXPERIMENT, results(**without))
    assert found.pop(claim) is REFUSED
    assert set(found.values()) == {REPRODUCED}


def test_a_strong_perturbation_need_not_come_back_and_is_told() -> None:
    found = by_id(EXPERIMENT, results(large_rank=0.5))[STABLE]
    assert found.verdict is REPRODUCED
    assert found.measured.startswith("back after noise of 0.1: 100%, 1: 0%; ")


@pytest.mark.parametrize(
    ("lacks", "changes", "claims"),
    [
        ("seeds", {"seeds": 19}, {REACHES, STABLE}),
        ("stationary", {"gradient": 0.0101}, {REACHES, OPTIMAL, STABLE}),
        ("decay times", {"epochs": 24}, {REACHES, OPTIMAL, STABLE}),
        ("interpolates at the start", {"zero_loss": 1.1e-3}, {REACHES, OPTIMAL}),
        ("a path that is seen", {"probes": 19}, {REACHES, OPTIMAL}),
        (
            "a path that is seen",
            {
                "config": dataclasses.replace(
                    CONFIG, train=dataclasses.replace(CONFIG.train, precision=Precision.float32)
                )
            },
            {REACHES, OPTIMAL},
        ),
        ("perturbed", {"perturbed": 0.99e-4}, {STABLE}),
        ("grid complete", {"points": POINTS[:3]}, {STABLE}),
        ("collapsed points beside them", {"points": POINTS[:1]}, {OPTIMAL}),
        (
            "interpolation possible",
            {"config": dataclasses.replace(CONFIG, model=ModelConfig(depth=3, width=5))},
            {REACHES, OPTIMAL, STABLE},
        ),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks: str, changes: dict, claims: set[str]) -> None:
    found = by_id(EXPERIMENT, results(**changes))
    for name in claims:
        assert found[name].verdict is UNDECIDED
        assert lacks in [need.name for need in found[name].lacks]
    decided = {name for name, claim in found.items() if claim.verdict is not UNDECIDED}
    assert decided == found.keys() - claims - ({OPTIMAL} if lacks == "seeds" else set()) - (
        {STABLE} if len(changes.get("points", POINTS)) == 1 else set()
    )


@pytest.mark.parametrize(
    ("claim", "metric", "value", "trials"),
    [
        (OPTIMAL, "objective", 1.051, "interpolating-0.0-{}"),
        (STABLE, "relative_cluster_variation", 0.02, "collapsed-0.1-{}"),
        (STABLE, "relative_rank_distance", 1e-3, "collapsed-0.1-{}"),
    ],
)
def test_a_tenth_of_the_starts_may_fail(claim: str, metric: str, value: float, trials: str) -> None:
    for bad, verdict in (("[01]", REPRODUCED), ("[012]", REFUSED)):
        found = verdicts(EXPERIMENT, changed(results(), metric, value, trials.format(bad)))
        assert found.pop(claim) is verdict
        assert set(found.values()) == {REPRODUCED}


def test_every_small_perturbation_has_to_come_back() -> None:
    table = results(points=(*POINTS, ("collapsed", 0.05)))
    assert verdicts(EXPERIMENT, table)[STABLE] is REPRODUCED
    left = changed(table, "relative_rank_distance", 0.1, r"collapsed-0\.05-.*")
    assert verdicts(EXPERIMENT, left)[STABLE] is REFUSED


@pytest.mark.parametrize(
    ("lacks", "claims", "table"),
    [
        ("interpolates at the start", {REACHES, OPTIMAL},
         lambda: changed(results(), "loss", 1.1e-3, "interpolating-0.0-7", 1)),
        ("perturbed", {STABLE}, lambda: changed(results(), "relative_rank_distance", 0.0, "collapsed-1.0-7", 1)),
        ("collapsed points beside them", {OPTIMAL, STABLE},
         lambda: (of := results()).only(~of.trials["id"].str.fullmatch(r"collapsed-(0\.1|1\.0)-.*|collapsed-0\.0-7"))),
        ("a path that is seen", {REACHES, OPTIMAL},
         lambda: dataclasses.replace(of := results(), metrics=of.metrics[(of.metrics["trial"] != "interpolating-0.0-7")
                                                                         | (of.metrics["epoch"] != 6)])),
    ],
)  # fmt: skip
def test_one_trial_lacks_it_for_all(lacks: str, claims: set[str], table: Callable[[], Results]) -> None:
    found = by_id(EXPERIMENT, table())
    assert {name for name, claim in found.items() if claim.verdict is UNDECIDED} == claims
    assert lacks in {need.name for claim in found.values() for need in claim.lacks}


def test_variation_or_rank_alone_is_a_perturbation_and_without_noise_there_is_none() -> None:
    inside = results(perturbed=0.99e-4)
    for value, verdict in ((0.0101, REPRODUCED), (0.0099, UNDECIDED)):
        table = changed(inside, "relative_cluster_variation", value, r"collapsed-(0\.1|1\.0)-.*", 1)
        assert verdicts(EXPERIMENT, table)[STABLE] is verdict
    at_rest = changed(results(), "relative_rank_distance", 0.0, r"collapsed-0\.0-.*", 1)
    gone = changed(at_rest, "relative_cluster_variation", 0.5, r"collapsed-0\.0-.*")
    assert set(verdicts(EXPERIMENT, gone).values()) == {REPRODUCED}


@pytest.mark.parametrize(("third", "verdict"), [(0.0189, REPRODUCED), (0.0191, REFUSED)])
def test_variation_is_the_mean_over_the_intermediate_layers(third: float, verdict: Verdict) -> None:
    """0.001 in the second of four layers; the first and the last do not count."""
    table = results(config=dataclasses.replace(CONFIG, model=ModelConfig(depth=4, width=8)))
    second = table.metrics[table.metrics["layer"] == 2]
    rest = [second.assign(layer=layer, value=5.0 if layer != 3 else second["value"]) for layer in (1, 3, 4)]
    metrics = pd.concat([table.metrics, *rest], ignore_index=True).astype({"layer": "Int64"})
    last = (metrics["metric"] == "relative_cluster_variation") & (metrics["epoch"] == 100) & (metrics["layer"] == 3)
    of_paths = last & metrics["trial"].str.startswith("interpolating")
    found = verdicts(
        EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=metrics["value"].mask(of_paths, third)))
    )
    assert found == {REACHES: verdict, OPTIMAL: REPRODUCED, STABLE: REPRODUCED}


def test_nothing_that_says_nothing_changes_a_verdict() -> None:
    assert_nonsense_changes_nothing(EXPERIMENT, results(seeds=20, bad=1))
    assert_order_changes_nothing(EXPERIMENT, results(bad=1))
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 6


def test_shares_tell_what_holds_from_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends half a decade inside the limits or outside them, with a fifth of a decade of scatter."""
    without_needs(monkeypatch, module)
    draw, table = np.random.default_rng(0), results()
    starts = table.trials["model.start"]
    paths, collapsed = (table.only(starts == start) for start in ("interpolating", "collapsed"))
    probed, last = module.curves(paths), {id(part): module.ends(part) for part in (paths, collapsed)}
    monkeypatch.setattr(module, "curves", lambda _: probed)
    monkeypatch.setattr(module, "ends", lambda part: last[id(part)])

    def simulated(decades: float, spread: float) -> dict[str, Verdict]:
        for ends in last.values():
            for metric, limit in ((module.VARIATION, 1e-2), (module.DISTANCE, 1e-4)):
                ends[metric, "last"] = limit * 10 ** draw.normal(decades, 0.2, len(ends))
            ends["objective", "last"] = draw.uniform(0.9, 0.9 + spread, len(ends))
        least = min(ends["objective", "last"].min() for ends in last.values())
        found = module.reaches(paths), module.optimal(paths, collapsed, least), module.stable(collapsed)
        return {claim.id: claim.verdict for claim in found}

    held = [simulated(-1.0, 0.04) for _ in range(200)]
    failed = [simulated(0.0, 0.1) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


def test_paths_and_returns_are_drawn() -> None:
    table = changed(results(bad=2, large_rank=0.0), "relative_rank_distance", 4e-8, "collapsed-0.1-7")
    drawing = figures(table)["benign_landscape"]
    objective, variation, returns = drawing.figure.axes
    np.testing.assert_allclose(objective.lines[0].get_ydata(), np.linspace(2, 1, 20))
    np.testing.assert_allclose(variation.lines[0].get_ydata()[-1], (18 * 1e-3 + 2 * 0.1) / 20)
    assert [line.get_label() for line in returns.lines] == [
        "TCV / mean ‖z‖², at first", "TCV / mean ‖z‖², at the end",
        "distance from rank K, at first", "distance from rank K, at the end",
    ]  # fmt: skip
    (band,) = variation.collections
    low, high = (limit(band.get_paths()[0].vertices[:, 1]) for limit in (np.min, np.max))
    np.testing.assert_allclose([low, high], [1e-3, 0.1])
    np.testing.assert_allclose(returns.lines[2].get_xydata(), [[0.1, 1e-2], [1.0, 1e-2]])
    np.testing.assert_allclose(returns.lines[3].get_xydata(), [[0.1, (19 * 1e-8 + 4e-8) / 20], [1.0, 1e-12]])
    bars = returns.collections[3].get_segments()
    np.testing.assert_allclose(bars, [[[0.1, 1e-8], [0.1, 4e-8]], [[1.0, 1e-12], [1.0, 1e-12]]])
    firsts = [line for line in returns.lines if line.get_markerfacecolor() == "white"]
    assert firsts == [returns.lines[0], returns.lines[2]]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawing = figures(table)["benign_landscape"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no finished network"] * 3
    plt.close(drawing.figure)
