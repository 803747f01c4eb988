"""Tests over seeds: what they say of a trend, of noise, and of too few; at exact and at hand-made values."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from nc_runner.experiments.jacot2025.seeds import LEVEL, Evidence, below, told, trend, within

ALIKE = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]] * 3)


def test_evidence_is_for_where_all_are_and_against_where_one_is() -> None:
    for found, holds, met in (
        ([(0.05, 0.9), (0.01, 0.9)], True, True),
        ([(0.051, 0.9), (0.01, 0.9)], False, False),
        ([(0.9, 0.025), (0.01, 0.9)], False, True),
        ([(0.9, 0.026), (0.01, 0.9)], False, False),  # one of two, so half the level
        ([(0.9, 0.05)], False, True),
        ([(math.nan, math.nan), (0.01, 0.9)], False, False),
        ([(0.01, 0.9), (math.nan, math.nan)], False, False),
    ):
        answer, need = told([Evidence(*pair) for pair in found])
        assert (answer, need.met) == (holds, met), found
    answer, need = told([])
    assert (answer, need.met) == (None, False)


def test_a_trend_in_every_seed_is_one_and_in_one_seed_none() -> None:
    up, down = trend(ALIKE, rising=True), trend(ALIKE, rising=False)
    assert up.for_it == down.against == pytest.approx(1 / math.factorial(4) ** 3)
    assert up.against == down.for_it == pytest.approx(1.0)
    for few in (ALIKE[:1], ALIKE.iloc[:, :2], ALIKE.where([[True] * 4, [False] * 4, [False] * 4])):
        assert trend(few, rising=True) == Evidence(1.0, 1.0)


def test_below_is_the_t_test() -> None:
    values = np.array([0.3, -0.2, 0.9, 0.4])
    expected = ttest_1samp(values, 0.5, alternative="less").pvalue
    assert below(values, 0.5) == pytest.approx((expected, 1 - expected))
    assert below([0.4, 0.4], 0.5) == (0.0, 1.0)
    assert below([0.6, 0.6], 0.5) == (1.0, 0.0)
    assert below([0.5, 0.5], 0.5) == (0.5, 0.5)
    assert below([0.4], 0.5) == (1.0, 1.0)
    assert math.isnan(below([0.4, math.nan, 0.2], 0.5).for_it)


def test_within_is_of_every_two_columns_either_way() -> None:
    logs = pd.DataFrame({1: [0.0, 0.01, 0.0], 2: [0.5, 0.5, 0.51], 3: [1.0, 1.0, 0.99]})
    assert told(within(logs, math.exp(1.2)))[0] is True
    assert told(within(logs, math.exp(0.8)))[0] is False
    assert told(within(-logs, math.exp(0.8)))[0] is False
    assert len(within(logs, 2.0)) == 6


@pytest.mark.parametrize("seeds", [3, 5])
def test_flat_tables_pass_and_fail_at_the_level(seeds: int) -> None:
    random, most = np.random.default_rng(0), 2000 * LEVEL + 3 * math.sqrt(2000 * LEVEL)
    flat = [random.normal(size=(seeds, 5)) for _ in range(2000)]
    for answers in (
        [trend(pd.DataFrame(values), rising=True) for values in flat],
        [below(values[:, 0], 0.0) for values in flat],
    ):
        assert sum(test.for_it <= LEVEL for test in answers) <= most
        assert sum(test.against <= LEVEL for test in answers) <= most
