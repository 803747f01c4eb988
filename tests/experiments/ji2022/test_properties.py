"""Of every claim of the wing: nonsense in trials it is not about, the order of rows, and NaN decide nothing."""

import dataclasses
import math
from collections.abc import Callable
from itertools import cycle

import numpy as np
import pandas as pd
import pytest
from experiments.ji2022 import (
    test_ufm_weight_decay,
    test_ulpm_flow,
    test_ulpm_saddle,
    test_ulpm_settings,
    test_unregularized_collapse,
)

from nc_runner.experiments.base import Claim, Experiment, Results, Verdict
from nc_runner.experiments.ji2022 import (
    ufm_weight_decay,
    ulpm_flow,
    ulpm_saddle,
    ulpm_settings,
    unregularized_collapse,
)
from nc_runner.run.undefined import judged

TABLES: dict[str, tuple[Experiment, Callable[[], Results]]] = {
    "flow": (ulpm_flow.EXPERIMENT, test_ulpm_flow.results),
    "settings": (ulpm_settings.EXPERIMENT, test_ulpm_settings.results),
    "saddle": (ulpm_saddle.EXPERIMENT, test_ulpm_saddle.results),
    "weight decay": (ufm_weight_decay.EXPERIMENT, test_ufm_weight_decay.results),
    "networks": (unregularized_collapse.EXPERIMENT, test_unregularized_collapse.results),
}


def by_id(claims: list[Claim]) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims}


def with_nonsense(of: Results, row: int, status: str) -> Results:
    """A copy of a trial with another seed and status, whose measures are random and large."""
    copied = of.trials.iloc[row : row + 1]
    random = np.random.default_rng(0)
    rows = of.metrics[of.metrics["trial"] == copied["id"].iloc[0]].assign(trial="nonsense")
    kept = rows["metric"].isin(["log1p_time", "accuracy"])  # when it was, not what
    rows["value"] = rows["value"].where(kept, 1 + 1e3 * random.random(len(rows)))
    trials = [of.trials, copied.assign(id="nonsense", seed=99, status=status)]
    return dataclasses.replace(
        of, trials=pd.concat(trials, ignore_index=True), metrics=pd.concat([of.metrics, rows], ignore_index=True)
    )


@pytest.mark.parametrize("status", ["diverged", "underfit", "unfinished"])
@pytest.mark.parametrize("name", TABLES)
def test_a_trial_that_does_not_count_changes_no_verdict(name: str, status: str) -> None:
    """It may lack what a claim needs, such as another seed. Beyond r = 1/K what does not fit is what is judged."""
    experiment, make = TABLES[name]
    table = make()
    before = by_id(judged(experiment, table))
    rows = table.trials.index[table.trials["status"] == "interpolated"] if status == "underfit" else table.trials.index
    for row in rows[:: max(len(rows) // 5, 1)]:
        for id, claim in by_id(judged(experiment, with_nonsense(table, row, status))).items():
            assert (claim.holds, claim.measured) == (before[id].holds, before[id].measured), (row, id)
            assert claim.verdict in (before[id].verdict, Verdict.undecided)


@pytest.mark.parametrize("name", TABLES)
def test_the_order_of_rows_and_the_names_of_seeds_say_nothing(name: str) -> None:
    experiment, make = TABLES[name]
    table = make()
    shuffled = Results(
        table.config,
        table.trials.sample(frac=1, random_state=1).assign(seed=lambda t: 100 - t["seed"]),
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
