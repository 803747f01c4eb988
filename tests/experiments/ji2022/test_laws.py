"""Slopes of what decays as a power of log t."""

import math

import numpy as np
import pandas as pd
import pytest

from nc_runner.experiments.ji2022.laws import fitted_slope, local_slopes


def test_slopes_are_those_of_a_power() -> None:
    log_t = pd.Series(np.geomspace(1, 1e6, 50))
    rows = pd.DataFrame({"log_t": log_t, "m": 3 * log_t**-0.7})
    assert fitted_slope(rows, "m", 1, 1e6) == pytest.approx(-0.7)
    assert math.isnan(fitted_slope(rows, "m", 2e6, 3e6))
    slopes = local_slopes(rows, "m")
    np.testing.assert_allclose(slopes.iloc[3:-3], -0.7)
    assert slopes.iloc[:3].isna().all()
