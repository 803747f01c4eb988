"""The exponent of a power law."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd


def exponent(x: pd.Series[float], y: pd.Series[float]) -> float:
    """p of y ~ x^p by least squares of logarithms, over finite pairs above 0; NaN where their x do not differ."""
    pairs = np.stack([x, y]).astype(float)
    usable = ((pairs > 0) & np.isfinite(pairs)).all(axis=0)
    along, up = (np.array([*map(math.log, values)]) for values in pairs[:, usable])
    if len(along) < 2 or np.ptp(along) == 0:
        return np.nan
    off = along - along.mean()
    return float((off * (up - up.mean())).sum() / (off**2).sum())
