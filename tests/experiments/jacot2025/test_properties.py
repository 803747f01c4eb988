"""Of every claim of the wing: nonsense in trials it is not about, the order of rows, and NaN decide nothing."""

import dataclasses
import math
from collections.abc import Callable
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from experiments.jacot2025.head_tables import results
from experiments.jacot2025.test_bounded_conditioning import conditioned
from experiments.jacot2025.test_depth import linear
from experiments.jacot2025.test_nonlinear_depth import nonlinear
from experiments.jacot2025.test_wide_first_layer import wide

from nc_runner.experiments.base import Claim, Experiment, Results, Verdict
from nc_runner.experiments.jacot2025 import (
    bounded_conditioning,
    linear_head_depth,
    linear_head_mlp,
    nonlinear_depth,
    wide_first_layer,
)
from nc_runner.run.undefined import judged

TABLES: dict[str, tuple[Experiment, Callable[[], Results]]] = {
    "training": (linear_head_mlp.EXPERIMENT, lambda: results(printed=2.0)),
    "depth": (linear_head_depth.EXPERIMENT, linear),
    "nonlinear": (nonlinear_depth.EXPERIMENT, nonlinear),
    "wide": (wide_first_layer.EXPERIMENT, wide),
    "conditioning": (bounded_conditioning.EXPERIMENT, conditioned),
}


def by_id(claims: list[Claim]) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims}


def with_nonsense(of: Results, status: str) -> Results:
    """A copy of the first trial with another seed and status, whose measures are random and large."""
    first = of.trials.iloc[:1]
    random = np.random.default_rng(0)
    rows = of.metrics[of.metrics["trial"] == first["id"].iloc[0]].assign(trial="nonsense")
    rows["value"] = 1e3 * random.random(len(rows))
    trials = [of.trials, first.assign(id="nonsense", seed=99, status=status)]
    return dataclasses.replace(
        of, trials=pd.concat(trials, ignore_index=True), metrics=pd.concat([of.metrics, rows], ignore_index=True)
    )


@pytest.mark.parametrize("status", ["diverged", "underfit", "unfinished"])
@pytest.mark.parametrize("name", TABLES)
def test_a_trial_that_does_not_count_changes_no_verdict(name: str, status: str) -> None:
    experiment, make = TABLES[name]
    table = make()
    before, after = by_id(judged(experiment, table)), by_id(judged(experiment, with_nonsense(table, status)))
    before.pop("wide_first_layer_fits", None)  # of all trials that have ended: that they fit is the statement
    for id, claim in before.items():
        assert (claim.holds, claim.measured, claim.verdict) == (after[id].holds, after[id].measured, after[id].verdict)


@pytest.mark.parametrize("name", TABLES)
def test_the_order_of_rows_and_the_names_of_seeds_say_nothing(name: str) -> None:
    experiment, make = TABLES[name]
    table = make()
    shuffled = Results(
        table.config,
        table.trials.sample(frac=1, random_state=1).assign(seed=lambda t: (t["seed"] + 1) % 3),
        table.metrics.sample(frac=1, random_state=2),
    )
    before, after = by_id(experiment.claims(table)), by_id(experiment.claims(shuffled))
    assert {id: claim.verdict for id, claim in before.items()} == {id: claim.verdict for id, claim in after.items()}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_not_finite_decides_nothing(name: str) -> None:
    """In one metric at the last probe of one trial: a claim that could change is undecided, the others stay."""
    experiment, make = TABLES[name]
    table = make()
    before, touched = by_id(judged(experiment, table)), 0
    names = {m for m in table.metrics["metric"] if not m.startswith("gram_") and not m.endswith("bound")}
    for metric, value, end in zip(sorted(names), cycle([math.nan, math.inf]), cycle([0, -1, -1, 0]), strict=False):
        of_trial = table.metrics["trial"] == table.trials["id"].iloc[end]
        last = of_trial & (table.metrics["epoch"] == table.metrics.loc[of_trial, "epoch"].max())
        values = table.metrics["value"].mask(last & (table.metrics["metric"] == metric), value)
        changed = dataclasses.replace(table, metrics=table.metrics.assign(value=values))
        for id, claim in by_id(judged(experiment, changed)).items():
            assert claim.verdict in (Verdict.undecided, before[id].verdict), (metric, id)
            touched += claim.verdict is Verdict.undecided
    assert touched
