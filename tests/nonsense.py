"""What must change no verdict, and what must decide nothing, of all claims of an experiment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from types import ModuleType

import pandas as pd
import pytest

from nc_runner.experiments.base import Claim, Experiment, Results, Statement, Verdict
from nc_runner.run.undefined import judged, with_values

NOT_JUDGED = ("diverged", "underfit", "unfinished")


def by_id(experiment: Experiment, results: Results) -> dict[str, Claim]:
    return {claim.id: claim for claim in judged(experiment, results)}


def verdicts(experiment: Experiment, results: Results) -> dict[str, Verdict]:
    return {name: claim.verdict for name, claim in by_id(experiment, results).items()}


def with_nonsense(results: Results, status: str, factor: float) -> Results:
    """One more trial at each trial's point of the grid, whose every value is ``factor`` times that trial's."""
    trials = results.trials.assign(
        status=status, id=results.trials["id"] + "-nonsense", seed=results.trials["seed"] + 100
    )
    metrics = results.metrics.assign(
        trial=results.metrics["trial"] + "-nonsense", value=factor * (results.metrics["value"] + 1)
    )
    both = (pd.concat(pair, ignore_index=True) for pair in ((results.trials, trials), (results.metrics, metrics)))
    return dataclasses.replace(results, **dict(zip(("trials", "metrics"), both, strict=True)))


def assert_nonsense_changes_nothing(
    experiment: Experiment, results: Results, statuses: Sequence[str] = NOT_JUDGED
) -> None:
    """A diverged, an underfit, an unfinished trial may add a need that is not met, and no more."""
    expected = by_id(experiment, results)
    for status in statuses:
        for factor in (1e6, -1e-6):
            found = by_id(experiment, with_nonsense(results, status, factor))
            assert found.keys() == expected.keys()
            for name, claim in found.items():
                assert (claim.holds, claim.measured) == (expected[name].holds, expected[name].measured), (name, status)
                assert claim.verdict is expected[name].verdict or claim.lacks, (name, status)


def assert_order_changes_nothing(experiment: Experiment, results: Results) -> None:
    """Rows in another order, seeds by other names."""
    expected = verdicts(experiment, results)
    for draw in range(3):
        shuffled = dataclasses.replace(
            results,
            trials=results.trials.sample(frac=1, random_state=draw),
            metrics=results.metrics.sample(frac=1, random_state=draw + 10),
        )
        assert verdicts(experiment, shuffled) == expected
    renamed = results.trials.assign(seed=50 - results.trials["seed"])
    assert verdicts(experiment, dataclasses.replace(results, trials=renamed)) == expected


def assert_nan_decides_nothing(experiment: Experiment, results: Results) -> int:
    """NaN in a metric, of all trials or of one, leaves each claim as it was or undecided; how often the latter."""
    expected, undecided = by_id(experiment, results), 0
    family = results.metrics["metric"].str.replace(r"(_\d+)+$", "", regex=True)
    for metric in family.unique():
        for whose in (True, results.metrics["trial"] == results.trials["id"].iloc[-1]):
            values = results.metrics["value"].mask((family == metric) & whose, math.nan)
            for name, claim in by_id(experiment, with_values(results, values)).items():
                assert claim.verdict is Verdict.undecided or claim == expected[name], (name, metric)
                undecided += claim.verdict is Verdict.undecided
    return undecided


def without_needs(patch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """A module's statements without the needs of their trials, which take long and are met, for many tables."""
    for name, value in list(vars(module).items()):
        if isinstance(value, Statement):
            patch.setattr(module, name, dataclasses.replace(value, needs=()))


def assert_refused_and_passed_rarely(held: Sequence[Verdict], failed: Sequence[Verdict]) -> None:
    """Of 200 or more simulated tables each: where the statement holds, where it fails; every one is decided."""
    for verdicts, wrong in ((held, Verdict.not_reproduced), (failed, Verdict.reproduced)):
        assert len(verdicts) >= 200
        assert Verdict.undecided not in verdicts
        assert sum(verdict is wrong for verdict in verdicts) <= 0.05 * len(verdicts)
