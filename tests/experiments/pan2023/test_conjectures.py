"""The conjectures on tables made so that they hold, fail, or cannot be decided, and both errors by simulation."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.pan2023.made import CONIC, NO, OPEN, WD, YES, Edit, convergence, depths, without_needs
from experiments.pan2023.made import DEPTH as LAYERS_OF_NET

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import conjectures
from nc_runner.experiments.pan2023.conjectures import (
    GROWTH,
    GROWTH_SEEN,
    INTER,
    INTRA,
    LAYERS,
    LAYERS_SEEN,
    growth_with_layer,
    growth_with_weight_decay,
    steps_of,
)
from nc_runner.experiments.pan2023.fits import fitting


def judged(results: Results) -> object:
    """The verdict on Conjecture 3.2.1, over the weight decays that have converged."""
    return growth_with_layer(fitting(results), LAYERS, late=True).verdict


def at(decay: float, layer: int, metric: str, change: float, seed: int | None = None) -> Edit:
    """Adds to a metric of a layer at a weight decay."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        if point[WD] == decay and seed in (None, point["seed"]):
            metrics[layer, metric] += change

    return edit


def test_statements_are_short_and_each_has_needs() -> None:
    for statement in (GROWTH, GROWTH_SEEN, LAYERS, LAYERS_SEEN):
        assert len(statement.short) <= 60
        assert statement.needs


def test_they_hold_on_their_own_data_at_convergence_alone() -> None:
    assert judged(depths(words=CONIC)) is YES
    assert judged(depths()) is OPEN
    assert judged(depths(words=(*CONIC[:2], "train.epochs=100"))) is OPEN
    assert judged(depths(words=CONIC, seeds=2)) is OPEN


@pytest.mark.parametrize(("fall", "verdict"), [(0.099, YES), (0.101, NO), (0.3, NO)])
def test_layers_are_compared_with_their_neighbours(fall: float, verdict: object) -> None:
    """A step down by so much at one weight decay, the layers above it lower by as much."""
    step = 1.25 / 14 + 0.025  # of min intra, and of max inter, which wavers down

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        for layer in range(8, LAYERS_OF_NET):
            metrics[layer, INTRA] -= (fall + step) * (point[WD] == 5e-3)

    assert judged(depths(edit, words=CONIC, spread=1e-5)) is verdict


def test_two_small_steps_down_are_no_large_one() -> None:
    """By neighbours 0.07, by all pairs 0.14: the conjecture is about neighbours, and both are told."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        for layer in range(1, LAYERS_OF_NET):
            metrics[layer, INTRA] = metrics[layer, INTER] + 1 - 0.07 * (layer >= 8) - 0.07 * (layer >= 9)

    claim = growth_with_layer(fitting(depths(edit, words=CONIC)), LAYERS, late=True)
    assert claim.verdict is YES
    assert "neighbours 0.070 at 0.0005" in claim.measured
    assert "all pairs of layers 0.140 at 0.0005" in claim.measured


def test_a_fall_at_a_weight_decay_that_has_not_converged_says_nothing() -> None:
    assert judged(depths(at(1e-4, 9, INTRA, -0.5), words=CONIC)) is YES
    assert judged(depths(at(3e-3, 9, INTRA, -0.5), words=CONIC)) is NO


def test_the_last_layer_s_logits_are_no_hidden_layer() -> None:
    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        metrics[LAYERS_OF_NET, INTRA] = metrics[LAYERS_OF_NET, INTER] = 0.0

    assert judged(depths(edit, words=CONIC)) is YES


def simulate(judge: Any, made: Results, spread: float, metric: str, by_layer: bool = False) -> list[object]:
    """The verdicts of 200 tables that differ by noise in a metric."""
    random = np.random.default_rng(0)
    is_metric = made.metrics["metric"] == metric
    found = []
    for _ in range(200):
        shaken = made.metrics["value"] + spread * random.standard_normal(len(made.metrics)) * is_metric
        found.append(judge(fitting(Results(made.config, made.trials, made.metrics.assign(value=shaken)))).verdict)
    return found


def curve(values: dict[float, float]) -> Edit:
    """g by weight decay, on conic hull data, whatever the epochs."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        metrics[INTRA] = values[point[WD]] + metrics[INTER]

    return edit


DECAYS = (1e-4, 3e-4, 5e-4, 1e-3, 3e-3, 5e-3, 7e-3, 1e-2)


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        ([0.5, 0.5, 0.6, 0.9, 1.2, 1.25, 1.25, 1.25], YES),
        ([1.0] * 8, NO),
        ([1.2, 1.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7], NO),
        ([0.5, 0.5, 0.6, 0.9, 1.2, 1.25, 1.25, 1.1], NO),
    ],
)
def test_growth_by_simulation(means: list[float], verdict: object) -> None:
    """A rule that is met is refused, and one that is not met passes, in at most 5 % of tables."""
    made = convergence(curve(dict(zip(DECAYS, means, strict=True))))
    made = made.only((made.trials["data.name"] == "conic_hull") & (made.trials["train.epochs"] == 680))
    statement = without_needs(GROWTH)
    found = simulate(lambda fits: growth_with_weight_decay(fits, statement, late=True), made, 0.03, INTRA)
    assert found.count(NO if verdict is YES else YES) <= 10


@pytest.mark.parametrize(("fall", "verdict"), [(0.0, YES), (0.25, NO)])
@pytest.mark.parametrize("spread", [0.01, 0.03])
def test_layers_by_simulation(fall: float, verdict: object, spread: float) -> None:
    made = depths(at(5e-3, 9, INTRA, -fall - 0.09 if fall else 0.0), words=CONIC)
    statement = without_needs(LAYERS)
    found = simulate(lambda fits: growth_with_layer(fits, statement, late=True), made, spread, INTRA)
    assert found.count(NO if verdict is YES else YES) <= 10


def test_steps_by_hand() -> None:
    rows = [["a", 1e-3, 1, 0.1], ["a", 1e-3, 3, 0.5], ["a", 1e-3, 2, 0.4], ["b", 1e-3, 1, 0.2], ["b", 1e-3, 2, 0.1]]
    rows.append(["b", 1e-3, 3, math.nan])
    steps, rises = steps_of(pd.DataFrame(rows, columns=["id", WD, "layer", "g"]), "g")
    np.testing.assert_allclose(steps["0.001, layer 2"], [-0.1, 0.3])
    assert np.isnan(steps["0.001, layer 3"]).sum() == 1
    assert np.isnan(rises["0.001"]).sum() == 1
    assert conjectures.per_factor_e(1e-3, 1e-2) == pytest.approx(math.log(10))
