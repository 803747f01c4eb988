"""Several differences against a margin: both errors by simulation, the margin from both sides."""

from collections.abc import Callable

import numpy as np
import pytest

from nc_runner.experiments.pan2023.comparison import above, between

TABLES = 400


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
    assert simulate([0.05] * 8, lambda c: bool(c.below), seeds) <= 0.05 * TABLES
    assert simulate([0.4] * 7 + [0.05], lambda c: c.all_above, seeds) <= 0.05 * TABLES
    assert simulate([0.0] * 8, lambda c: c.all_above, seeds) == 0
    assert simulate([0.2] * 8, lambda c: c.all_above, seeds) >= 0.9 * TABLES
    assert simulate([0.2] * 7 + [-0.1], lambda c: c.below == ["7"], seeds) >= 0.9 * TABLES


def test_the_margin_is_the_limit_and_one_seed_tells_nothing() -> None:
    high, exact = {"a": [1.0, 1.0], "b": [2.0, 2.0]}, {"a": [0.95, 0.95], "b": [0.5, 0.5]}
    assert between(high, exact, 0.0499).all_above
    assert between(high, exact, 0.0501).below == ["a"]
    one = between({"a": [1.0]}, {"a": [0.0]}, 0.05)
    assert (one.all_above, one.below, one.told.met) == (False, [], False)
    assert between({}, {}).told.found == "no difference"
    assert above({"a": [3.0, 3.0]}, 2.9).all_above
    assert not above({"a": [3.0, 3.0]}, 2.9, rounding=1).told.met
