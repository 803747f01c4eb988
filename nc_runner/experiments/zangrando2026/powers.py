"""The exponent of a power law."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd


def exponent(x: pd.Series[float], y: pd.Series[float]) -> float:
    """p of y ~ x^p by least squares of logarithms, over finite pairs above 0; NaN where their x do not differ."""
    usable = (x > 0) & (y > 0) & np.isfinite(x) & np.isfinite(y)
    along, up = x[usable].map(math.log), y[usable].map(math.log)
    spread = along.var()
    return float(along.cov(up) / spread) if spread > 0 else np.nan
