"""Differences of means against a range: both errors by simulation, the ends from both sides, and one seed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from nc_runner.experiments.noise.contrast import ALPHA, Comparison, Contrast, above, between, pooled, welch

TABLES = 400


def shares(mean: float, low: float, high: float, spreads: tuple[float, float]) -> tuple[float, float]:
    """How often three seeds each say that a difference of this mean lies within the range, and that it does not."""
    random, said = np.random.default_rng(1), []
    for _ in range(TABLES):
        of = welch((1, mean + random.normal(0, spreads[0], 3)), (-1, random.normal(0, spreads[1], 3)))
        found = Comparison({"a": of}, low, high)
        said.append((found.all_within, found.told.met and not found.all_within))
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
    of = welch((1, a), (-1, b))
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * ALPHA)
    np.testing.assert_allclose([of.mean - of.noise(), of.mean + of.noise()], interval)
    four = welch((1, a), (-1, b), (-1, b), (1, a))
    assert four.mean == pytest.approx(2 * of.mean)
    assert four.error == pytest.approx(math.sqrt(2) * of.error)
    assert welch((2, a)).mean == pytest.approx(14 / 3)
    assert welch((2, a)).error == pytest.approx(2 * np.std(a, ddof=1) / math.sqrt(3))
    assert welch((1, [1.0, 1.0, 1.0]), (-1, [0.5, 0.5])) == Contrast(0.5, 0.0, 3)


def test_a_pooled_difference_is_that_of_student_s_test() -> None:
    a, b = [1.0, 2.0, 4.0], [0.5, 0.7]
    interval = stats.ttest_ind(a, b).confidence_interval(1 - 2 * ALPHA)
    for of in (pooled({"a": a, "b": b}, {"a": 1, "b": -1}), between({"x": a}, {"x": b}).contrasts["x"]):
        np.testing.assert_allclose([of.mean - of.noise(), of.mean + of.noise()], interval)
        assert of.freedom == 3
    half = pooled({"a": a, "b": b}, {"a": 0.5, "b": -2})
    assert half.mean == pytest.approx(7 / 6 - 1.2)
    assert half.error == pytest.approx(of.error * math.sqrt((0.25 / 3 + 4 / 2) / (1 / 3 + 1 / 2)))
    by_itself = above({"a": a}, 0).contrasts["a"]
    np.testing.assert_allclose(by_itself, [7 / 3, stats.sem(a), 2])


@pytest.mark.parametrize(
    ("limits", "required", "found"),
    [
        ((0.5, math.inf), "all above 0.5 or one below it, beyond noise", "the least 1 at a (noise 0.0028)"),
        ((-math.inf, 0.5), "all below 0.5 or one above it, beyond noise", "the largest 2 at b (noise 0.0028)"),
        ((-3, 2.5), "all within -3 to 2.5 or one outside, beyond noise", "nearest to an end 2 at b (noise 0.0028)"),
    ],
)
def test_what_is_said_is_the_worst(limits: tuple[float, float], required: str, found: str) -> None:
    told = Comparison({"a": Contrast(1.0, 0.001, 4), "b": Contrast(2.0, 0.001, 4)}, *limits).told
    assert (told.required, told.found, told.met) == (required, found, True)


def test_one_seed_and_nan_tell_nothing_and_all_have_to_lie_within() -> None:
    alone = welch((1, [1.0]), (-1, [0.0, 0.1]))
    found = Comparison({"a": alone})
    assert not found.all_within
    assert not found.told.met
    assert "noise unknown" in found.told.found
    assert not Comparison({"a": welch((1, [math.nan, 1.0, 1.0]))}, 0, 2).told.met
    good, bad, unknown = Contrast(1.0, 0.01, 4), Contrast(-1.0, 0.01, 4), Contrast(1.0, 9.0, 4)
    assert Comparison({"a": good, "b": good}).all_within
    assert Comparison({"a": good, "b": bad}).all_within is False
    assert Comparison({"a": good, "b": bad}).told.met
    assert not Comparison({"a": good, "b": unknown}).told.met
    edge = Contrast(-0.01 * float(stats.t.ppf(1 - 1.2 * ALPHA / 2, 4)), 0.01, 4)  # by itself outside, of two not
    assert Comparison({"a": edge}).told.met
    two = Comparison({"a": edge, "b": good})
    assert (two.told.met, two.outside, two.each_outside) == (False, [], ["a"])


# Pooled spreads, against a margin -----------------------------------------------------------------------------------


def simulate(differences: list[float], told: Callable[..., bool], seeds: int = 3) -> int:
    random = np.random.default_rng(1)
    count = 0
    for _ in range(TABLES):
        high, low = (
            {str(k): mean + 0.03 * random.standard_normal(seeds) for k, mean in enumerate(means)}
            for means in (differences, [0.0] * len(differences))
        )
        count += told(between(high, low, 0.05))
    return count


@pytest.mark.parametrize("seeds", [3, 5])
def test_errors_of_a_comparison_are_five_percent_at_most(seeds: int) -> None:
    assert simulate([0.05] * 8, lambda c: bool(c.outside), seeds) <= 0.05 * TABLES
    assert simulate([0.4] * 7 + [0.05], lambda c: c.all_within, seeds) <= 0.05 * TABLES
    assert simulate([0.0] * 8, lambda c: c.all_within, seeds) == 0
    assert simulate([0.2] * 8, lambda c: c.all_within, seeds) >= 0.9 * TABLES
    assert simulate([0.2] * 7 + [-0.1], lambda c: c.outside == ["7"], seeds) >= 0.9 * TABLES


def test_the_margin_is_the_limit_and_one_seed_tells_nothing() -> None:
    high, exact = {"a": [1.0, 1.0], "b": [2.0, 2.0]}, {"a": [0.95, 0.95], "b": [0.5, 0.5]}
    assert between(high, exact, 0.0499).all_within
    assert between(high, exact, 0.0501).outside == ["a"]
    one = between({"a": [1.0]}, {"a": [0.0]}, 0.05)
    assert (one.all_within, one.outside, one.told.met) == (False, [], False)
    nothing = between({}, {})
    assert (nothing.all_within, nothing.told.met, nothing.told.found) == (False, False, "nothing to compare")
    assert above({"a": [3.0, 3.0]}, 2.9).all_within
    assert not above({"a": [3.0, 3.0]}, 2.9, rounding=1).told.met
