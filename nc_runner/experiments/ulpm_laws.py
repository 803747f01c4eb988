"""Power laws in log t: tables by time, and the local slopes of curves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Results

REACH = math.log(1e5)  # log t that descent with a constant step reaches: 5,000,000 steps of 0.02 [choice]
REACH_FROM = math.log(1e3)  # where slopes over that range are fitted from [choice]
LIMIT_FROM = 1e5  # log t from which the limit is judged [choice]
SPAN = 3  # outputs to either side that a local slope takes in [choice]


def by_time(results: Results) -> pd.DataFrame:
    """As :meth:`Results.by_epoch`, with ``log_t`` beside ``log1p_time``."""
    table = results.by_epoch()
    return table.assign(log_t=table["log1p_time"] + np.log(-np.expm1(-table["log1p_time"])))


def flows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of gradient flows."""
    return table[table["train.method"] == "flow"]


def descents(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of gradient descents."""
    return table[table["train.method"] == "gd"]


def fitted_slope(rows: pd.DataFrame, metric: str, low: float, high: float) -> float:
    """Of log ``metric`` against log log t by least squares over low <= log t <= high; NaN for under three points."""
    rows = rows[rows["log_t"].between(low, high) & (rows[metric] > 0)]
    if len(rows) < 3:
        return math.nan
    return float(np.polyfit(np.log(rows["log_t"]), np.log(rows[metric]), 1)[0])


def local_slopes(rows: pd.DataFrame, metric: str) -> pd.Series:
    """d log ``metric`` / d log log t at each row of one trial, over ``SPAN`` rows to either side; NaN at the ends."""
    positive = rows[metric].where(rows[metric] > 0)
    log_metric, log_log_t = np.log(positive), np.log(rows["log_t"].where(rows["log_t"] > 0))
    rise = log_metric.shift(-SPAN) - log_metric.shift(SPAN)
    return pd.Series(rise / (log_log_t.shift(-SPAN) - log_log_t.shift(SPAN)), index=rows.index)
