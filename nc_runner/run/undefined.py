"""What a value that is not finite may decide, which is nothing; and how it is drawn, which is not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Experiment, Need, Results

UNUSABLE = ("diverged", "unfinished")


def judged(experiment: Experiment, results: Results) -> list[Claim]:
    """The claims, undecided where no trial is usable, and each where it rests on a value that is not finite.

    It does where other numbers in the value's place change the verdict or what is said to be measured. So a claim need
    not ask for NaN, which compares as false and would count against it. Nor does a claim decide that says nan or inf,
    which finite values can give too, as 0/0 does.
    """
    with np.errstate(all="ignore"):  # what comes of NaN and inf in the tables is NaN and inf
        claims = experiment.claims(results)
        if results.trials["status"].isin(UNUSABLE).all():
            return [
                undecided(claim, "usable trials", "one that neither diverged nor is unfinished") for claim in claims
            ]
        others = [{claim.id: claim for claim in experiment.claims(other)} for other in filled(results)]

    def rests_on_it(claim: Claim) -> bool:
        says_so = re.search(r"\b(nan|inf)\b", claim.measured) is not None
        return says_so or any(other.get(claim.id) != claim for other in others)

    return [
        undecided(c, "finite numbers", "no NaN or inf in what it rests on") if rests_on_it(c) else c for c in claims
    ]


def undecided(claim: Claim, name: str, required: str) -> Claim:
    """The claim with a need that is not met."""
    return replace(claim, needs=[*claim.needs, Need(name, required, claim.measured, met=False)])


def filled(results: Results) -> Iterator[Results]:
    """The tables with numbers in the place of values that are not finite; none where all are."""
    gaps = undefined(results.metrics)
    row = pd.Series(np.arange(1.0, len(gaps) + 1), gaps.index)
    if gaps.any():
        for numbers in (0 * row, 1 / (row + 1), 1e6 * row):
            yield with_values(results, results.metrics["value"].mask(gaps, numbers))


def undefined(metrics: pd.DataFrame) -> pd.Series:
    """Which rows are NaN or infinite. Of a bound inf is a value: it allows everything."""
    is_bound = metrics["metric"].str.endswith("bound")
    undefined: pd.Series = ~np.isfinite(metrics["value"]) & ~(is_bound & (metrics["value"] == np.inf))
    return undefined


def drawable(results: Results) -> Results:
    """The tables with NaN for inf, as a figure leaves out the one and has no place for the other."""
    return with_values(results, results.metrics["value"].replace([np.inf, -np.inf], np.nan))


def with_values(results: Results, values: pd.Series) -> Results:
    """Other values in the tidy table, and in the columns of the trials' table that are made of it."""
    metrics = results.metrics.assign(value=values)
    last = metrics[metrics["epoch"] == metrics.groupby("trial")["epoch"].transform("max")]
    final = last.groupby(["trial", "metric"], sort=False)["value"].last().unstack("metric")
    shared = [column for column in results.trials if column in final]
    trials = results.trials.copy()
    for column in shared:
        trials[column] = trials["id"].map(final[column])
    return replace(results, trials=trials, metrics=metrics)
