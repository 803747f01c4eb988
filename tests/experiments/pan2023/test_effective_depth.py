"""Conjecture 3.2.2 on tables made so that it holds, fails, or cannot be decided, and both errors by simulation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.pan2023.made import CONIC, FIRST, NO, OPEN, WD, YES, depths, without_needs
from experiments.pan2023.made import DEPTH as LAYERS_OF_NET

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.effective_depth import (
    DEPTH,
    DEPTH_SEEN,
    NCC,
    depth_falls_with_weight_decay,
    effective_depths,
    separated,
)
from nc_runner.experiments.pan2023.fits import fitting


def judged(results: Results) -> object:
    """The verdict on the conjecture."""
    return depth_falls_with_weight_decay(fitting(results), DEPTH, strictly=False, late=True).verdict


def test_statements_are_short_and_each_has_needs() -> None:
    for statement in (DEPTH, DEPTH_SEEN):
        assert len(statement.short) <= 60
        assert statement.needs


def test_it_holds_on_its_own_data_at_convergence_alone() -> None:
    assert judged(depths(words=CONIC)) is YES
    assert judged(depths()) is OPEN
    assert judged(depths(words=(*CONIC[:2], "train.epochs=100"))) is OPEN
    assert judged(depths(words=CONIC, seeds=2)) is OPEN


def test_effective_depth_is_the_first_layer_that_classifies_or_the_last() -> None:
    accuracies = {1e-3: [0.5, 0.95, 0.9, 1.0], 1e-2: [0.5, 0.6, 0.7, 0.8]}
    rows = [[f"t{d}", 0, d, layer + 1, value] for d, of in accuracies.items() for layer, value in enumerate(of)]
    table = pd.DataFrame(rows, columns=["id", "seed", WD, "layer", NCC]).sample(frac=1, random_state=0)
    assert sorted(effective_depths(table, 0.1)["effective_depth"]) == [2, 4]
    assert effective_depths(table, 0.01)["effective_depth"].tolist() == [4, 4]
    assert set(separated(table, 4, 0.01)["id"]) == {"t0.001"}
    assert set(separated(table, 4, 0.2)["id"]) == {"t0.001", "t0.01"}


def test_a_depth_that_does_not_move_is_not_larger_but_does_not_fall() -> None:
    flat = dict.fromkeys(FIRST, 6)
    assert judged(depths(words=CONIC, first=flat)) is YES
    seen = depth_falls_with_weight_decay(fitting(depths(first=flat)), DEPTH_SEEN, strictly=True)
    assert seen.verdict is OPEN  # no fall beyond chance, and no rise
    falls = depth_falls_with_weight_decay(fitting(depths()), DEPTH_SEEN, strictly=True)
    assert falls.verdict is YES


@pytest.mark.parametrize(("layers", "verdict"), [(1, NO), (0, YES)])
def test_a_rise_of_a_layer_in_every_seed_refuses(layers: int, verdict: object) -> None:
    first = {**FIRST, 1e-2: FIRST[5e-3] + layers}
    assert judged(depths(words=CONIC, first=first)) is verdict
    seen = depth_falls_with_weight_decay(
        fitting(depths(lambda point, metrics: point.update(status="interpolated"), first=first)),
        DEPTH_SEEN,
        strictly=True,
    )
    assert seen.verdict is verdict


@pytest.mark.parametrize(("seeds", "told"), [(1, YES), (2, YES), (3, OPEN)])
def test_the_seeds_spread_is_allowed_for(seeds: int, told: object) -> None:
    """Some seeds of five need a layer more at the largest weight decay: means 0.2, 0.4 and 0.6 above the one before."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        if point[WD] == 1e-2 and point["seed"] < seeds:
            metrics[3, NCC] = 0.9

    first = {**FIRST, 1e-2: 3}
    assert judged(depths(edit, words=CONIC, first=first)) is told


def test_one_error_is_judged_and_trials_that_do_not_reach_it_are_left_out() -> None:
    """At an NCC error of 0.001 the depth rises; at 0.01 it does not; and one trial ends above 0.01."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        if point[WD] == 1e-2:
            metrics.update({(layer, NCC): 0.995 for layer in range(2, LAYERS_OF_NET)})
        if (point[WD], point["seed"]) == (5e-3, 1):
            metrics.update({(layer, NCC): 0.9 for layer in range(1, LAYERS_OF_NET + 1)})

    claim = depth_falls_with_weight_decay(fitting(depths(edit, words=CONIC)), DEPTH, strictly=False, late=True)
    assert claim.verdict is YES
    assert "eps 0.001: 6, 5, 4, 3, 15; eps 0.01: 6, 5, 4, 3, 2" in claim.measured
    assert "smallest of these eps at which no mean rises: 0.01;" in claim.measured


@pytest.mark.parametrize(
    ("classified", "verdict", "rises"),
    [(0.5, NO, None), (0.95, OPEN, "0.001 and 0.01"), (0.995, YES, None)],
)
def test_a_rise_at_one_error_does_not_refute_what_is_said_of_some(
    classified: float, verdict: object, rises: str | None
) -> None:
    """At the largest weight decay the first ten layers classify so many samples: a deeper layer is needed at an NCC
    error of 0.001; of 0.01 too; of 0.1 too."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        if point[WD] == 1e-2:
            metrics.update({(layer, NCC): classified for layer in range(1, 11)})

    claim = depth_falls_with_weight_decay(fitting(depths(edit, words=CONIC)), DEPTH, strictly=False, late=True)
    assert claim.verdict is verdict
    if rises:
        assert [need.found for need in claim.lacks] == [f"a rise beyond noise at {rises}"]


@pytest.mark.parametrize("rises", [False, True])
def test_depth_by_simulation(rises: bool) -> None:
    """Whole seeds need a layer more or less, one in five each."""
    statements = without_needs(DEPTH), without_needs(DEPTH_SEEN)
    random, found = np.random.default_rng(0), []
    first = {decay: 9 - layer if rises else layer for decay, layer in FIRST.items()}
    made = depths(words=CONIC, first=first, seeds=3)
    truth = effective_depths(made.final_by_layer(NCC), 0.01)
    for _ in range(200):
        moved = truth.assign(effective_depth=truth["effective_depth"] + random.choice([-1, 0, 0, 0, 1], len(truth)))
        rows = [
            [r.id, 680, k, NCC, 1.0 if k >= r.effective_depth else 0.5]
            for r in moved.itertuples()
            for k in range(1, 16)
        ]
        table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
        fits = Results(made.config, made.trials, table)
        found.append(
            (
                depth_falls_with_weight_decay(fits, statements[0], strictly=False, late=True).verdict,
                depth_falls_with_weight_decay(fits, statements[1], strictly=True).verdict,
            )
        )
    wrong = YES if rises else NO
    for conjecture in range(2):
        assert [verdict[conjecture] for verdict in found].count(wrong) <= 10
