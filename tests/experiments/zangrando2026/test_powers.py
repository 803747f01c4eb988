import numpy as np
import pandas as pd
import pytest

from nc_runner.experiments.zangrando2026.powers import exponent


def test_the_exponent_of_a_power_law_is_found_and_what_has_no_logarithm_left_out() -> None:
    x = pd.Series([1e-3, 1e-2, 0.1, 1.0, 0.0, np.inf, np.nan, 2.0, 3.0])
    y = (3 * x**1.5).where(x < 2, [0, 0, 0, 0, 1.0, 1.0, 1.0, 0.0, np.nan])
    assert exponent(x, y) == pytest.approx(1.5)


@pytest.mark.parametrize("x", [[], [1.0], [2.0, 2.0, 2.0], [0.0, -1.0]])
def test_where_x_does_not_differ_there_is_none(x: list[float]) -> None:
    assert np.isnan(exponent(pd.Series(x, dtype=float), pd.Series(x, dtype=float)))
