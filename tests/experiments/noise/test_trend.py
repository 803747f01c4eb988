"""The trend test: both errors by simulation, thresholds from both sides."""

import itertools
import math

import numpy as np
import pytest

from nc_runner.experiments.noise.trend import ALPHA, RISE, Trend, jonckheere_p, trend

DECAYS = [1e-4, 3e-4, 5e-4, 1e-3, 3e-3, 5e-3, 7e-3, 1e-2]
SATURATING = [0.67, 0.85, 0.99, 1.15, 1.25, 1.25, 1.25, 1.25]
TABLES = 400


def per_factor(low: float, high: float) -> float:
    return 0.05 * math.log(high / low)


def answers(means: list[float], seeds: int, spread: float, unequal: bool = False, effect: float = 0) -> tuple[int, int]:
    """How many of the tables rise and fall; ``effect`` is the spread of what the levels of a seed have in common."""
    random = np.random.default_rng(0)
    widths = spread * np.where(unequal & np.isin(np.arange(len(means)), (0, len(means) - 1)), 3, 1)
    rise = fall = 0
    for _ in range(TABLES):
        noise = widths[:, None] * random.standard_normal((len(means), seeds)) + effect * random.standard_normal(seeds)
        found = trend(dict(zip(DECAYS[-len(means) :], np.array(means)[:, None] + noise, strict=True)), per_factor)
        rise, fall = rise + found.rises, fall + found.falls
    return rise, fall


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.01, 0.03, 0.06])
@pytest.mark.parametrize("kind", ["alike", "unequal", "seeds differ"])
def test_errors_are_five_percent_at_most(seeds: int, spread: float, kind: str) -> None:
    noise = (seeds, spread, kind == "unequal", spread * (kind == "seeds differ"))
    _, refused = answers(SATURATING, *noise)
    passed, _ = answers([0.8] * 8, *noise)
    passed_three, _ = answers([0.8] * 3, *noise)
    passed_falling, _ = answers(SATURATING[::-1], *noise)
    assert max(refused, passed, passed_three, passed_falling) <= 0.05 * TABLES


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_fall_at_the_end_does_not_pass(seeds: int) -> None:
    """One of the allowed fall and 2 standard errors: by the definition of ``level`` it passes in 2.3 % at the most."""
    for spread in (0.01, 0.03, 0.06):
        depth = per_factor(7e-3, 1e-2) + 2 * spread * math.sqrt(2 / seeds)
        assert answers([*SATURATING[:-1], SATURATING[-1] - depth], seeds, spread)[0] <= 0.05 * TABLES


def test_it_tells_what_there_is_to_tell() -> None:
    assert answers(SATURATING, 3, 0.01)[0] >= 0.9 * TABLES
    assert answers([*SATURATING[:-1], 1.1], 3, 0.03)[1] >= 0.9 * TABLES


def made(means: list[float], spread: float, seeds: int = 3) -> Trend:
    """Means over levels 1, 2, ... with one spread for all; falls of 0.1 are allowed."""
    offsets = np.linspace(-1, 1, seeds) if seeds > 1 else np.zeros(1)
    scaled = offsets / (offsets.std(ddof=1) if seeds > 1 else 1) * spread
    return trend({k + 1: [mean + x for x in scaled] for k, mean in enumerate(means)}, lambda low, high: 0.1)


@pytest.mark.parametrize(("fall", "level"), [(0.0999, True), (0.1001, False)])
def test_the_allowed_fall_is_the_limit(fall: float, level: bool) -> None:
    assert made([0, 1, 2, 3, 3 - fall], 1e-6).rises is level
    assert made([0, 1, 2, 3, 3 - fall], 1e-6).falls is not level
    assert made([0, 1, 2, 3, 3 - fall], 0.5).falls is False


def test_the_noise_is_student_s_t_by_bonferroni() -> None:
    found = made([0, 0, 0], 0.3)
    tabulated = 3.28 * 0.3 * math.sqrt(2 / 3)  # t of 6 degrees of freedom at 0.05/3, one-sided, is 2.75
    assert ALPHA == 0.05
    assert found.pairs[0][3] == pytest.approx(tabulated * 2.75 / 3.28, rel=2e-3)
    assert len(found.pairs) == 3


def test_sixteen_seeds_have_a_smaller_error_than_their_spread() -> None:
    """A fall of 1.5 standard deviations is noise for one value, and none for the mean of 16."""
    assert made([3, 3, 1.5], 1.0, seeds=16).falls


def test_one_seed_is_exact_and_tells_no_fall() -> None:
    values = [0.1, 0.3, 0.2, 0.5, 0.4, 0.6]
    concordant = sum(b > a for a, b in itertools.combinations(values, 2))
    as_good = [
        sum(b > a for a, b in itertools.combinations(order, 2)) >= concordant
        for order in itertools.permutations(values)
    ]
    groups = {float(k): np.array([value]) for k, value in enumerate(values)}
    assert jonckheere_p(groups) == pytest.approx(np.mean(as_good))
    falling = made([5, 4, 3, 2, 1, 0], 0, seeds=1)
    assert (falling.rises, falling.falls) == (False, False)
    assert made([0, 1, 2, 3, 4, 5], 0, seeds=1).rises
    assert not made([0, 1, 2], 0, seeds=1).rises  # one in six orders
    assert RISE < 1 / 6


def test_rounded_values_that_agree_are_not_sure() -> None:
    groups = {1.0: [5.0] * 3, 2.0: [5.0] * 3, 3.0: [6.0] * 3}
    lowered = {level: [-value for value in values] for level, values in groups.items()}
    assert trend(lowered, lambda low, high: 0.5).falls
    assert not trend(lowered, lambda low, high: 0.5, rounding=1).falls
    assert trend({**lowered, 3.0: [-8.0] * 3}, lambda low, high: 0.5, rounding=1).falls


def test_eps_is_the_least_that_works() -> None:
    found = trend({1: [1.0], 2: [0.6], 4: [0.9]}, per_factor)
    assert found.eps(lambda low, high: math.log(high / low)) == pytest.approx(0.4 / math.log(2))
    assert found.eps(lambda low, high: math.log(high / low), beyond_noise=True) == 0
    assert made([0, 1, 2], 0.01).eps(lambda low, high: 1.0) == 0


@pytest.mark.parametrize("groups", [{}, {1.0: [1.0]}, {1.0: [1.0], 2.0: [math.nan]}, {1.0: [1.0], 2.0: []}])
def test_nothing_is_told_of_nothing(groups: dict[float, list[float]]) -> None:
    found = trend(groups, per_factor)
    assert (found.rises, found.falls, found.told.met, found.fall_told.met) == (False, False, False, False)


def test_constant_values_do_not_rise() -> None:
    found = trend({1: [1.0, 1.0], 2: [1.0, 1.0]}, per_factor)
    assert (found.p, found.rises, found.level) == (1.0, False, True)
