"""What holds of every claim of this wing: what cannot speak changes no verdict, nor does order; NaN decides nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from experiments.pan2023.lemma_tables import lemmas
from experiments.pan2023.made import complexities, conic, convergence, deeper, depths, sweep, timed, verdicts
from experiments.pan2023.movie_tables import movie
from experiments.pan2023.near_tables import near

from nc_runner import experiments
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.claim import SHORT
from nc_runner.run.undefined import judged

CONVERGED = ("data=conic_hull", "train.epochs=680")
TABLES: dict[str, Callable[[], Results]] = {
    "bn_wd_sweep": sweep,
    "bn_wd_sweep at convergence": lambda: sweep(words=("experiment=bn_wd_sweep", *CONVERGED)),
    "bn_wd_converged": convergence,
    "decay_times": timed,
    "depth_collapse": deeper,
    "depth_minimization": depths,
    "depth_minimization at convergence": lambda: depths(words=("experiment=depth_minimization", *CONVERGED)),
    "dataset_complexity": complexities,
    "near_optimal": near,
    "collapse_movie": movie,
    "conic_hull": conic,
    "pan_lemmas": lemmas,
}
# Of these a trial that does not fit is the evidence itself.
ABOUT_FITTING = {"others_fit", "no_batch_norm_fails", "convergence", "perfect_training_accuracy"}


@pytest.fixture(scope="module")
def tables() -> dict[str, Results]:
    return {name: make() for name, make in TABLES.items()}


def found(name: str, results: Results) -> dict[str, Verdict]:
    return verdicts(judged(experiments.load(name.split()[0]), results))


@pytest.mark.parametrize("name", TABLES)
def test_each_claim_has_needs_and_some_are_decided(name: str, tables: dict[str, Results]) -> None:
    claims = judged(experiments.load(name.split()[0]), tables[name])
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.needs, claim.id
        assert 0 < len(claim.short) <= SHORT, claim.id
        assert claim.source, claim.id
    assert sum(claim.verdict is not Verdict.undecided for claim in claims) >= 3


def with_another(results: Results, status: str, row: int, value: float) -> Results:
    """A trial more at a point of the grid, of a seed of its own, with nonsense for every number."""
    like = results.trials.iloc[row]
    new = like.to_frame().T.astype(results.trials.dtypes).assign(id="another", status=status, seed=99)
    rows = results.metrics[results.metrics["trial"] == like["id"]].assign(trial="another", value=value)
    for column in ("loss", "accuracy"):
        new[column] = math.nan if status == "diverged" else value
    return Results(
        results.config,
        pd.concat([results.trials, new], ignore_index=True),
        pd.concat([results.metrics, rows], ignore_index=True),
    )


@pytest.mark.parametrize("status", ["diverged", "underfit", "unfinished"])
@pytest.mark.parametrize("name", TABLES)
def test_a_trial_that_cannot_speak_changes_no_verdict(name: str, status: str, tables: dict[str, Results]) -> None:
    results = tables[name]
    before = found(name, results)
    counts = 0
    for row in {0, len(results.trials) // 2, len(results.trials) - 1}:
        for value in (-7.0, 1e3):
            after = found(name, with_another(results, status, row, value))
            for claim, verdict in before.items():
                if status != "unfinished" and (claim in ABOUT_FITTING or name == "conic_hull"):
                    continue
                assert after[claim] is verdict, (claim, row, value)
                counts += 1
    assert counts or name == "conic_hull"


@pytest.mark.parametrize("name", TABLES)
def test_the_order_of_rows_and_the_names_of_seeds_change_nothing(name: str, tables: dict[str, Results]) -> None:
    results = tables[name]
    seeds = results.trials["seed"].map(
        {old: new for new, old in enumerate(sorted(set(results.trials["seed"]), reverse=True))}
    )
    other = Results(
        results.config,
        results.trials.assign(seed=seeds + 40).sample(frac=1, random_state=1).reset_index(drop=True),
        results.metrics.sample(frac=1, random_state=2).reset_index(drop=True),
    )
    assert found(name, other) == found(name, results)


@pytest.mark.parametrize("name", TABLES)
def test_an_undefined_value_decides_nothing(name: str, tables: dict[str, Results]) -> None:
    """Of one trial that fits, a metric at a time; what does not rest on it stays as it was."""
    results = tables[name]
    before = found(name, results)
    trial = results.trials.loc[results.trials["status"] != "underfit", "id"].iloc[-1]
    touched: set[str] = set()
    names = results.metrics["metric"].str.replace(r"(_\d+)+$", "", regex=True)
    for metric in names.unique():
        rows = (names == metric) & (results.metrics["trial"] == trial)
        if not rows.any():
            continue
        undefined = dataclasses.replace(
            results, metrics=results.metrics.assign(value=results.metrics["value"].mask(rows, np.nan))
        )
        for claim, verdict in found(name, undefined).items():
            assert verdict in (before[claim], Verdict.undecided), (metric, claim)
            touched |= {claim} if verdict is not before[claim] else set()
    assert touched


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_a_metric_is_judged_as_not_measured(name: str, tables: dict[str, Results]) -> None:
    """As an old run may be: no claim breaks, and none is decided otherwise than with it."""
    results = tables[name]
    before = found(name, results)
    names = results.metrics["metric"].str.replace(r"(_\d+)+$", "", regex=True)
    for metric in set(names) - {"x_feature", "y_feature", "loss", "accuracy"}:
        old = dataclasses.replace(results, metrics=results.metrics[names != metric])
        for claim, verdict in verdicts(experiments.load(name.split()[0]).claims(old)).items():
            assert verdict in (before[claim], Verdict.undecided), (metric, claim)
