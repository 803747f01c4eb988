"""Each claim on tables made so that it holds, and so that it does not; what lacks, and noise."""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np
import pytest
from experiments.ji2022.unregularized_tables import WORDS, results, verdicts

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.terminal import by_time
from nc_runner.experiments.ji2022.unregularized_collapse import EXPERIMENT
from nc_runner.experiments.ji2022.unregularized_collapse import claims as claims_module
from nc_runner.experiments.ji2022.unregularized_collapse.claims import claims, falls_in_terminal_phase
from nc_runner.run.undefined import judged


def test_where_everything_falls_everything_holds_and_slopes_are_told() -> None:
    found = {claim.id: claim for claim in claims(results())}
    assert {claim.verdict for claim in found.values()} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found.values())
    told = found["falls_self_duality"].measured
    assert told.startswith("falls in 3 of 3; on mnist, resnet18: 0.14 to 0.0711, 1.00 of the least, slope -1.000 (")
    assert "of centred classifiers in 3" in found["falls_classifier_norms"].measured


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("rate", [0.2, 0.0, -0.02])
def test_a_curve_that_does_not_fall_in_one_cell_is_not_reproduced_and_no_other_suffers(name: str, rate: float) -> None:
    """One that rises, a plateau and a drift of 1 %."""
    of = verdicts(results(**{STATEMENTS[name][1]: rate}))  # type: ignore[arg-type]
    assert of.pop(f"falls_{name}") is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("fails", "holds"),
    [
        ({"self_duality_distance": -0.15}, {"self_duality_distance": -0.16}),  # 0.903, 0.897 of the first quarter
        ({"scale": 2.82}, {"scale": 2.8}),  # 0.0711 times 2.81 is 0.2
        ({"late": 1.28}, {"late": 1.25}),  # the last probes fall by a tenth
        ({"late": 2.0}, {"late": 0.5}),
    ],
)
def test_a_factor_a_level_and_no_late_rise(fails: dict[str, float], holds: dict[str, float]) -> None:
    of = verdicts(results(**fails))  # type: ignore[arg-type]
    assert of.pop("falls_self_duality") is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}
    assert set(verdicts(results(**holds)).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


@pytest.mark.parametrize(("error", "verdict"), [(0.00101, Verdict.not_reproduced), (0.00099, Verdict.reproduced)])
def test_the_nearest_mean_errs_no_more_than_the_network_may(error: float, verdict: Verdict) -> None:
    of = verdicts(results(ncc=error - 0.1 / 300**2 * 2))
    assert of.pop("falls_ncc") is verdict
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(("rate", "verdict"), [(1.9e-4, Verdict.not_reproduced), (1.6e-4, Verdict.reproduced)])
def test_the_mean_classifier_stays_to_a_thousandth(rate: float, verdict: Verdict) -> None:
    of = verdicts(results(mean_classifier_norm=rate))  # times log 300
    assert of.pop("mean_classifier_stays") is verdict
    assert set(of.values()) == {Verdict.reproduced}


OF_THE_PHASE = {*(f"falls_{name}" for name in STATEMENTS), "falls_ncc"}


def undecided(of: Results) -> set[str]:
    return {name for name, verdict in verdicts(of).items() if verdict is Verdict.undecided}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": 2}, OF_THE_PHASE),
        ({"start": 151}, OF_THE_PHASE),  # of 300
        ({"start": 149}, OF_THE_PHASE),  # five probes
        ({"start": 60}, OF_THE_PHASE),  # 1/sqrt(log t) falls to 0.904
        ({"start": 40}, set()),  # to 0.88
        ({"start": 10_000}, OF_THE_PHASE),
        ({"words": (*WORDS, "model.channels=8")}, OF_THE_PHASE),
        ({"words": (*WORDS, "train.momentum=0.4")}, set()),
        ({"decay": 1e-3}, {*OF_THE_PHASE, "mean_classifier_stays"}),
    ],
)
def test_what_lacks_leaves_undecided_what_needs_it(changes: dict[str, Any], expected: set[str]) -> None:
    assert undecided(results(**changes)) == expected


def test_a_folder_without_nc4_says_so() -> None:
    of = results()
    of = dataclasses.replace(of, metrics=of.metrics[of.metrics["metric"] != "ncc_error"])
    assert undecided(of) == {"falls_ncc"}


@pytest.mark.parametrize(("rate", "wrong"), [(-0.6, Verdict.not_reproduced), (0.0, Verdict.reproduced)])
def test_a_fall_is_told_from_noise(rate: float, wrong: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables; noise of 3 % from probe to probe, as runs have it, and in each trial."""
    without = {name: dataclasses.replace(statement, needs=()) for name, statement in claims_module.FALLS.items()}
    monkeypatch.setattr(claims_module, "FALLS", without)
    of = results()
    random, table, found = np.random.default_rng(2), by_time(of), Counter[Verdict]()
    for _ in range(200):
        values = 0.1 * table["log_epoch"].clip(lower=0.1) ** rate * np.exp(0.03 * random.normal(size=len(table)))
        changed = table.assign(self_duality_distance=values)
        found[falls_in_terminal_phase(of, changed, "self_duality").verdict] += 1
    assert found[wrong] <= 10, found


def changed(metric: str, factor: float, *, last: slice = slice(None)) -> Results:
    """The table with a measure of the last cell's first trial times a factor, at these of its probes."""
    of = results()
    metrics = of.metrics
    rows = metrics.index[(metrics["metric"] == metric) & (metrics["trial"] == "vgg13-cifar10-0")][last]
    value = metrics["value"].mask(metrics.index.isin(rows), metrics["value"] * factor)
    return dataclasses.replace(of, metrics=metrics.assign(value=value))


@pytest.mark.parametrize(
    ("claim", "metric", "holds", "fails"),
    [
        # the geometric mean of three trials, 0.0711 each, is 0.19, then 0.21
        ("falls_self_duality", "self_duality_distance", (20.0, slice(None)), (25.0, slice(None))),
        # one probe is no late rise, two of the last three are
        ("falls_self_duality", "self_duality_distance", (3.0, slice(-1, None)), (3.0, slice(-2, None))),
        # 1.1e-6 to start with at the end; the last quarter of the terminal phase is that from epoch 130 on
        ("falls_ncc", "ncc_error", (1e4, slice(-7, -6)), (1e4, slice(-2, -1))),
        ("mean_classifier_stays", "mean_classifier_norm", (1.0009, slice(0, 1)), (1.0011, slice(0, 1))),
    ],
)
def test_one_trial_and_one_probe(
    claim: str, metric: str, holds: tuple[float, slice], fails: tuple[float, slice]
) -> None:
    for (factor, last), verdict in ((holds, Verdict.reproduced), (fails, Verdict.not_reproduced)):
        of = verdicts(changed(metric, factor, last=last))
        assert of.pop(claim) is verdict
        assert set(of.values()) == {Verdict.reproduced}


def test_weight_decay_in_one_trial_moves_the_mean_classifier() -> None:
    of = results()
    of.trials.loc[0, "train.weight_decay"] = 1e-3
    assert "mean_classifier_stays" in undecided(of)


def test_an_undefined_measure_is_no_collapse() -> None:
    of = results()
    of.metrics.loc[(of.metrics["metric"] == "self_duality_distance") & (of.metrics["epoch"] == 300), "value"] = np.nan
    found = {claim.id: claim.verdict for claim in judged(EXPERIMENT, of)}
    assert found["falls_self_duality"] is Verdict.undecided
