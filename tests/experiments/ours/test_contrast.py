"""Sums of means against a range: both errors by simulation, and what no noise is known of."""

import math

import numpy as np
import pytest
from scipy import stats

from nc_runner.experiments.ours.contrast import ALPHA, Contrast, contrast, within

TABLES = 400


def shares(mean: float, low: float, high: float, spreads: tuple[float, float]) -> tuple[float, float]:
    """How often three seeds each say that a difference of this mean lies within the range, and that it does not."""
    random, said = np.random.default_rng(1), []
    for _ in range(TABLES):
        of = contrast((1, mean + random.normal(0, spreads[0], 3)), (-1, random.normal(0, spreads[1], 3)))
        inside, told = within({"a": of}, low, high)
        said.append((inside, told.met and not inside))
    return tuple(np.mean(said, axis=0))  # type: ignore[return-value]


@pytest.mark.parametrize("spreads", [(0.1, 0.1), (0.3, 0.03)])
@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.5), (0.5, math.inf), (-math.inf, 0.5)])
def test_at_an_end_of_the_range_either_answer_is_rare(low: float, high: float, spreads: tuple[float, float]) -> None:
    assert max(shares(0.5, low, high, spreads)) <= 0.05


def test_far_inside_or_outside_is_told() -> None:
    assert shares(0.0, -0.5, 0.5, (0.1, 0.1))[0] > 0.9
    assert shares(0.0, -0.5, 0.5, (0.1, 0.1))[1] == 0
    assert shares(1.2, -0.5, 0.5, (0.1, 0.1)) == pytest.approx((0, 1), abs=0.05)
    assert shares(-1.2, -0.5, 0.5, (0.1, 0.1)) == pytest.approx((0, 1), abs=0.05)


def test_a_difference_is_that_of_welch_s_test() -> None:
    a, b = [1.0, 2.0, 4.0], [0.5, 0.7, 0.6]
    of = contrast((1, a), (-1, b))
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * ALPHA)
    np.testing.assert_allclose([of.mean - of.noise(), of.mean + of.noise()], interval)
    four = contrast((1, a), (-1, b), (-1, b), (1, a))
    assert four.mean == pytest.approx(2 * of.mean)
    assert four.error == pytest.approx(math.sqrt(2) * of.error)
    assert contrast((2, a)).mean == pytest.approx(14 / 3)
    assert contrast((2, a)).error == pytest.approx(2 * np.std(a, ddof=1) / math.sqrt(3))
    assert contrast((1, [1.0, 1.0, 1.0]), (-1, [0.5, 0.5])) == Contrast(0.5, 0.0, 3)


def test_one_seed_and_nan_tell_nothing_and_all_have_to_lie_within() -> None:
    alone = contrast((1, [1.0]), (-1, [0.0, 0.1]))
    inside, told = within({"a": alone}, 0, math.inf)
    assert not inside
    assert not told.met
    assert "noise unknown" in told.found
    assert not within({"a": contrast((1, [math.nan, 1.0, 1.0]))}, 0, 2)[1].met
    good, bad, unknown = Contrast(1.0, 0.01, 4), Contrast(-1.0, 0.01, 4), Contrast(1.0, 9.0, 4)
    assert within({"a": good, "b": good}, 0, math.inf)[0]
    assert within({"a": good, "b": bad}, 0, math.inf)[0] is False
    assert within({"a": good, "b": bad}, 0, math.inf)[1].met
    assert not within({"a": good, "b": unknown}, 0, math.inf)[1].met
    edge = Contrast(-0.01 * float(stats.t.ppf(1 - 1.2 * ALPHA / 2, 4)), 0.01, 4)  # by itself outside, of two not
    assert within({"a": edge}, 0, math.inf)[1].met
    assert not within({"a": edge, "b": good}, 0, math.inf)[1].met
