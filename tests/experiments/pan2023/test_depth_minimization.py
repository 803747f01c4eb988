"""Each claim of Figure 3.3 on tables made so that it holds or fails."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.pan2023.made import DEPTH, FIRST, NO, OPEN, WD, YES, Edit, depths, verdicts, without_needs

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.depth_minimization import claims as module
from nc_runner.experiments.pan2023.depth_minimization.claims import claims
from nc_runner.experiments.pan2023.effective_depth import NCC

CONJECTURES = ("growth_with_layer", "depth_falls_with_weight_decay", "growth")  # of other data
SEEN = ("convergence", "near_perfect_ncc_early", "sharpening", "fewer_layers_with_weight_decay", "inter_above_zero",
        "inter_less_stable", "g_by_layer_at_300_epochs", "g_at_300_epochs")  # fmt: skip
HOLDS = {**dict.fromkeys(SEEN, YES), **dict.fromkeys(CONJECTURES, OPEN)}


def lift(change: Callable[[dict[str, Any], int], float], *metrics: str) -> Edit:
    """Adds to metrics of the hidden layers."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            for metric in metrics:
                values[layer, metric] += change(point, layer)

    return edit


def flat(point: dict[str, Any], values: dict[Any, float]) -> None:
    """Every layer alike."""
    for layer in range(1, DEPTH):
        values |= {(layer, NCC): 0.9, (layer, INTRA): 0.5, (layer, INTER): -0.1}


def test_every_claim_holds_where_it_should() -> None:
    assert verdicts(claims(depths())) == HOLDS


def test_the_conjectures_are_judged_on_their_own_data() -> None:
    judged = verdicts(claims(depths(words=("experiment=depth_minimization", "data=conic_hull", "train.epochs=680"))))
    assert judged == {**dict.fromkeys(CONJECTURES, YES), **dict.fromkeys(SEEN, OPEN)}


def status(decay: float, seeds: int, word: str, accuracy: float) -> Edit:
    """Of the first seeds at a weight decay."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        if point[WD] == decay and point["seed"] < seeds:
            point["status"] = word
            values["accuracy"] = accuracy

    return edit


def ncc_by(first: dict[float, int], low: float = 0.5, slope: float = 0.02) -> Edit:
    """NCC accuracy 1 from a layer on at each weight decay, rising up to it."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH + 1):
            step = first[point[WD]]
            values[layer, NCC] = 1.0 if layer >= step else low + slope * layer

    return edit


@pytest.mark.parametrize(
    ("claim", "edit"),
    [
        ("convergence", status(1e-2, 5, "interpolated", 1.0)),
        ("near_perfect_ncc_early", ncc_by({**FIRST, 1e-4: 10})),
        ("sharpening", ncc_by(FIRST, 0.93, 0.005)),  # NCC accuracy rises by less than a tenth
        ("fewer_layers_with_weight_decay", ncc_by({decay: 9 - layer for decay, layer in FIRST.items()})),
        ("inter_above_zero", lift(lambda p, k: -0.6 if 3e-3 <= p[WD] <= 5e-3 else 0.0, INTER, INTRA)),
        ("inter_less_stable", lift(lambda p, k: 0.05 * (k % 2) * (p[WD] < 5e-4), INTER)),
        ("g_at_300_epochs", lift(lambda p, k: -0.3 * k / 14 if p[WD] == 5e-3 else 0.0, INTRA)),
    ],
)  # fmt: skip
def test_it_alone_fails(claim: str, edit: Edit) -> None:
    assert verdicts(claims(depths(edit))) == {**HOLDS, claim: NO}


def test_a_layer_that_falls_is_against_both_that_speak_of_it() -> None:
    fallen = depths(lift(lambda p, k: -0.4 if p[WD] == 1e-4 and k == 9 else 0.0, INTRA))
    against = dict.fromkeys(("sharpening", "g_by_layer_at_300_epochs"), NO)
    assert verdicts(claims(fallen)) == {**HOLDS, **against}


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (status(1e-2, 5, "underfit", 0.9989), YES),
        (status(1e-2, 5, "diverged", math.nan), YES),
        (status(1e-2, 1, "interpolated", 1.0), YES),
        (status(1e-2, 2, "interpolated", 1.0), OPEN),
        (status(1e-2, 3, "interpolated", 1.0), OPEN),
        (status(1e-2, 4, "interpolated", 1.0), NO),
        (status(5e-3, 1, "underfit", 0.99), YES),
        (status(5e-3, 2, "underfit", 0.99), OPEN),
        (status(5e-3, 3, "underfit", 0.99), OPEN),
        (status(1e-4, 4, "diverged", math.nan), NO),
    ],
)
def test_converging_is_fitting(edit: Edit, verdict: object) -> None:
    assert verdicts(claims(depths(edit)))["convergence"] is verdict


@pytest.mark.parametrize(
    ("share", "largest", "verdict"), [(0.11, 0.0, NO), (0.09, 0.0, YES), (0.02, 0.099, YES), (0.02, 0.101, NO)]
)
def test_few_exceptions_and_no_large_fall(share: float, largest: float, verdict: object) -> None:
    """Of 6 x 13 steps of min intra a share falls by 0.011, or one by more; the others rise."""
    falls = round(share * 6 * 13)
    order = [(decay, layer) for layer in range(2, DEPTH) for decay in list(FIRST)[:6]]
    fallen = dict.fromkeys(order[:falls], 0.011)
    if largest:
        fallen = {order[0]: largest}

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        level = 0.0
        for layer in range(1, DEPTH):
            level += -fallen[point[WD], layer] if (point[WD], layer) in fallen else 0.03
            values[layer, INTRA] = level
            values[layer, INTER] = -0.2 + (0.2 if point[WD] >= 3e-3 and layer > 3 else 0.0) - 0.5 * layer

    assert verdicts(claims(depths(edit)))["sharpening"] is verdict


def test_small_falls_are_none() -> None:
    """Of 0.009 in every second step: within the tolerance of a step."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            values[layer, INTRA] = 0.05 * (layer // 2) - 0.009 * (layer % 2) + 0.009
            values[layer, INTER] = -0.1 * layer

    assert verdicts(claims(depths(edit)))["sharpening"] is YES


@pytest.mark.parametrize(("layers", "verdict"), [(3, YES), (2, NO)])
def test_many_layers_are_three(layers: int, verdict: object) -> None:
    """Of the middle ones, 4 to 11; layers outside of them, or with an NCC error above 0.01, do not count."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            above = 5 <= layer < 5 + layers or layer < 4 or layer > 11
            values[layer, INTER] = 0.05 if above else -0.05
        values[4, INTER] = 0.05
        values[4, NCC] = 0.989

    assert verdicts(claims(depths(edit)))["inter_above_zero"] is verdict


@pytest.mark.parametrize(("first", "verdict"), [(7, YES), (8, NO)])
def test_early_is_the_first_half(first: int, verdict: object) -> None:
    """Layer 7 of 15 is, 8 is not."""
    found = {claim.id: claim for claim in claims(depths(ncc_by({**FIRST, 1e-4: first})))}
    assert found["near_perfect_ncc_early"].number == f"layer {first} of 15"
    assert found["near_perfect_ncc_early"].verdict is verdict


def test_one_seed_decides_nothing() -> None:
    assert set(verdicts(claims(depths(seeds=1))).values()) == {OPEN}


def simulate(name: str, made: Results, spread: float = 0.01) -> list[object]:
    """The verdicts of 200 tables that differ by noise in every metric of the layers, but for a perfect NCC accuracy."""
    rule, random, found = getattr(module, name), np.random.default_rng(0), []
    of_layers = made.metrics["metric"].isin([NCC, INTRA, INTER]) & (made.metrics["value"] != 1)
    for _ in range(200):
        shaken = made.metrics["value"] + spread * random.standard_normal(len(made.metrics)) * of_layers
        found.append(rule(module.fitting(Results(made.config, made.trials, made.metrics.assign(value=shaken)))).verdict)
    return found


@pytest.mark.parametrize(
    ("name", "statement", "failing"),
    [
        ("early_ncc", "EARLY_NCC", ncc_by(dict.fromkeys(FIRST, 8))),
        ("sharpening", "SHARPENING", flat),
        ("inter_above_zero", "INTER_ABOVE_ZERO", lift(lambda p, k: -0.6, INTER)),
        ("inter_less_stable", "INTER_LESS_STABLE", flat),
    ],
)
def test_both_errors_are_five_percent_at_most(
    name: str, statement: str, failing: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, statement, without_needs(getattr(module, statement)))
    assert simulate(name, depths(seeds=3, spread=0)).count(NO) <= 10
    assert simulate(name, depths(failing, seeds=3, spread=0)).count(YES) <= 10
