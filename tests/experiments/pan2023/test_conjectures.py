"""The conjectures on tables made so that they hold, fail, or cannot be decided."""

import math

import pandas as pd
import pytest

from nc_runner.experiments.base import Verdict
from nc_runner.experiments.pan2023.conjectures import (
    INTER,
    INTRA,
    NCC,
    WEIGHT_DECAY,
    agreement,
    depth_falls_with_weight_decay,
    effective_depths,
    growth_eps,
    growth_with_layer,
    growth_with_weight_decay,
    layer_eps,
)

GAPS = pd.Series([0.5, 0.9, 0.7, 0.8], index=[1e-4, 1e-3, 3e-3, 1e-2])


def test_growth_eps_is_the_least_that_works() -> None:
    eps, points = growth_eps(GAPS), list(GAPS.items())
    slack = [
        gb - ga + eps * math.log(b / a)
        for i, (a, ga) in enumerate(points)
        for b, gb in points[i + 1 :]
    ]  # fmt: skip
    assert min(slack) == pytest.approx(0, abs=1e-12)
    assert growth_eps(pd.Series([0.1, 0.2], index=[1.0, 2.0])) == 0


def test_layer_eps_is_the_largest_fall_to_any_later_layer() -> None:
    assert layer_eps(pd.Series([0.1, 0.5, 0.45, 0.6, 0.3], index=range(5))) == pytest.approx(0.3)
    assert layer_eps(pd.Series([0.1, 0.1, 0.2], index=range(3))) == 0


def test_agreement_against_a_double_loop() -> None:
    table = pd.DataFrame({"seed": [0, 0, 0, 1, 1, 1], "x": [3, 1, 2, 1, 2, 3], "y": [1.0, 2.0, 3.0, 1.0, 1.0, 2.0]})
    agree = compared = 0
    for a in table.itertuples():
        for b in table.itertuples():
            if a.seed == b.seed and a.x < b.x:
                compared += 1
                agree += b.y >= a.y
    assert agreement(table, ["seed"], "x", "y") == (agree, compared) == (4, 6)


def trials(gaps: list[float], seeds: int = 3) -> pd.DataFrame:
    rows = [[seed, decay, gap] for seed in range(seeds) for decay, gap in zip(GAPS.index, gaps, strict=True)]
    return pd.DataFrame(rows, columns=["seed", WEIGHT_DECAY, "gap"])


@pytest.mark.parametrize(
    ("gaps", "seeds", "verdict"),
    [
        ([0.5, 0.6, 0.7, 0.8], 1, Verdict.reproduced),
        ([0.5, 0.8, 0.78, 0.8], 1, Verdict.reproduced),
        ([0.5, 0.8, 0.6, 0.8], 1, Verdict.undecided),
        ([0.5, 0.8, 0.6, 0.8], 3, Verdict.not_reproduced),
        ([0.8, 0.8, 0.8, 0.7], 1, Verdict.not_reproduced),
    ],
)
def test_growth_with_weight_decay(gaps: list[float], seeds: int, verdict: Verdict) -> None:
    assert growth_with_weight_decay(trials(gaps, seeds), "Here").verdict is verdict


def test_a_fall_within_the_seeds_noise_decides_nothing() -> None:
    table = trials([0.5, 0.8, 0.72, 0.8])
    assert growth_with_weight_decay(table, "Here").verdict is Verdict.not_reproduced
    noise = {0: 0.0, 1: 0.2, 2: -0.2}
    noisy = table["gap"] + table["seed"].map(noise).where(table[WEIGHT_DECAY] == 3e-3, 0)
    assert growth_with_weight_decay(table.assign(gap=noisy), "Here").verdict is Verdict.undecided


def layers(ncc: dict[float, list[float]], gap: list[float]) -> pd.DataFrame:
    rows = [
        [f"t{decay}", 0, decay, i + 1, accuracy, gap[i], 0.0, gap[i]]
        for decay, accuracies in ncc.items()
        for i, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(rows, columns=["id", "seed", WEIGHT_DECAY, "layer", NCC, INTRA, INTER, "gap"])


def test_effective_depth_is_the_first_layer_that_classifies_or_the_last() -> None:
    table = layers({1e-3: [0.5, 0.95, 0.9, 1.0], 1e-2: [0.5, 0.6, 0.7, 0.8]}, [0.0, 0.1, 0.2, 0.3])
    assert effective_depths(table, 0.1)["effective_depth"].tolist() == [2, 4]
    assert effective_depths(table, 0.01)["effective_depth"].tolist() == [4, 4]


def test_layer_conjectures_hold_and_fail() -> None:
    growing = layers({1e-3: [0.5, 0.9, 0.995, 1.0], 1e-2: [0.95, 1.0, 1.0, 1.0]}, [0.0, 0.4, 0.35, 0.6])
    assert growth_with_layer(growing).verdict is Verdict.reproduced
    assert depth_falls_with_weight_decay(growing).verdict is Verdict.reproduced
    falling = layers({1e-3: [0.95, 1.0, 1.0, 1.0], 1e-2: [0.5, 0.9, 0.995, 1.0]}, [0.0, 0.6, 0.35, 0.6])
    assert growth_with_layer(falling).verdict is Verdict.not_reproduced
    assert depth_falls_with_weight_decay(falling).verdict is Verdict.not_reproduced


def test_nothing_is_decided_without_trials_that_fit() -> None:
    empty = layers({}, [])
    assert growth_with_layer(empty).verdict is Verdict.undecided
    assert depth_falls_with_weight_decay(empty).verdict is Verdict.undecided
    assert growth_with_weight_decay(trials([0.1] * 4, 0), "Here").verdict is Verdict.undecided
