"""The exponent of a power law."""

from __future__ import annotations

import numpy as np
import pandas as pd


def exponent(x: pd.Series[float], y: pd.Series[float]) -> float:
    """p of y ~ x^p by least squares of logarithms, over finite pairs above 0; NaN where their x do not differ."""
    usable = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    along, up = np.log(x[usable].to_numpy()), np.log(y[usable].to_numpy())
    if not len(along) or np.ptp(along) == 0:
        return np.nan
    return float(np.polyfit(along, up, 1)[0])
