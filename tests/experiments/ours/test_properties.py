"""Of every claim: nonsense in trials it is not about and the order of rows decide nothing."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from experiments.ours.vit_tables import by_id, results

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ours.vit_resnet import EXPERIMENT
from nc_runner.run.undefined import judged


def with_nonsense(of: Results, row: int, status: str) -> Results:
    """A copy of a trial with another seed and status, whose measures are random and large."""
    copied = of.trials.iloc[row : row + 1]
    rows = of.metrics[of.metrics["trial"] == copied["id"].iloc[0]].assign(trial="nonsense")
    rows["value"] = 1 + 1e3 * np.random.default_rng(0).random(len(rows))
    trials = [of.trials, copied.assign(id="nonsense", seed=99, status=status)]
    return dataclasses.replace(
        of, trials=pd.concat(trials, ignore_index=True), metrics=pd.concat([of.metrics, rows], ignore_index=True)
    )


@pytest.mark.parametrize("status", ["diverged", "underfit", "unfinished"])
def test_a_trial_that_does_not_count_changes_no_finding(status: str) -> None:
    table = results()
    before = by_id(table)
    for row in range(0, len(table.trials), 3):
        for claim in judged(EXPERIMENT, with_nonsense(table, row, status)):
            assert (claim.holds, claim.measured) == (before[claim.id].holds, before[claim.id].measured), (row, claim.id)
            assert claim.verdict in (before[claim.id].verdict, Verdict.undecided)


def test_the_order_of_rows_and_the_names_of_seeds_say_nothing() -> None:
    table = results()
    shuffled = Results(
        table.config,
        table.trials.sample(frac=1, random_state=1).assign(seed=lambda t: 100 - t["seed"]),
        table.metrics.sample(frac=1, random_state=2),
    )
    before, after = by_id(table), by_id(shuffled)
    assert {id: (c.verdict, c.number) for id, c in before.items()} == {
        id: (c.verdict, c.number) for id, c in after.items()
    }
