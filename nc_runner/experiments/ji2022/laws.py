"""The statements on powers of log t, tables by time, and the slopes of curves against log log t."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Need, Results

REACH = math.log(1e5)  # log t that descent with a constant step reaches: 2,000,000 steps of 0.05 [choice]
REACH_FROM = math.log(1e3)  # where slopes over that range are fitted from [choice]
LIMIT_FROM = 1e5  # log t from which the limit is judged [choice]
SPAN = 3  # outputs to either side that a local slope takes in [choice]

LARGE_DRIFT = 1e-3  # of the conserved matrix, relative to the squared norms at the start [choice]
FEWEST = 3  # outputs in a range in which slopes are judged [choice]
SHORT = {
    "class_mean_norms": "class-mean norms",
    "classifier_norms": "classifier norms",
    "within_class": "within-class variation",
    "class_mean_cosines": "class-mean cosines",
    "classifier_cosines": "classifier cosines",
    "self_duality": "self-duality",
}

# What the caption of Figure 2 says decays: words, metric, and other readings of the same words by their metrics, which
# are reported beside it and not judged. [choice]
STATEMENTS = {
    "class_mean_norms": ("variation of the centred class-mean norms", "norm_variation_class_means", {}),
    "classifier_norms": (
        "variation of the classifier norms, as they are",
        "norm_variation_weights",
        {"of centred classifiers": "norm_variation_centred_weights"},
    ),
    "within_class": (
        "within-class variation, tr S_W / tr S_B",
        "within_between_trace_ratio",
        {"tr(S_W S_B^+)/K": "within_between_pinv_trace", "mean distance": "within_class_variation"},
    ),
    "class_mean_cosines": ("cosines of class means, from -1/(K-1)", "etf_cosine_deviation_class_means", {}),
    "classifier_cosines": (
        "cosines of centred classifiers, from -1/(K-1)",
        "etf_cosine_deviation_centred_weights",
        {"as they are": "etf_cosine_deviation_weights"},
    ),
    "self_duality": ("distance of normalised centred classifiers from class means", "self_duality_distance", {}),
}


def by_time(results: Results) -> pd.DataFrame:
    """As :meth:`Results.by_epoch`, with ``log_t`` beside ``log1p_time``."""
    table = results.by_epoch()
    if "log1p_time" not in table:
        table = table.assign(log1p_time=math.nan)
    return table.assign(log_t=table["log1p_time"] + np.log(-np.expm1(-table["log1p_time"])))


def fitting(results: Results, method: str = "flow") -> Results:
    """The trials of a method that separate the classes."""
    of = results.trials.get("train.method", pd.Series(results.config.train.method.name, results.trials.index))
    return results.only((results.trials["status"] == "interpolated") & (of == method))


def accurate(results: Results) -> Need:
    """What the flow conserves has not drifted far: the integrator's own error."""
    required = f"drift of W^T W - H H^T at most {LARGE_DRIFT:g} of the squared norms"
    drift = results.metrics.loc[results.metrics["metric"] == "conserved_drift", "value"]
    if drift.empty:
        return Need("an accurate flow", required, "not measured", met=False)
    worst = float(drift.max(skipna=False))
    return Need("an accurate flow", required, f"{worst:.1g}", worst <= LARGE_DRIFT)


def outputs_between(low: float, high: float) -> Callable[[Results], Need]:
    """Every flow has outputs enough at these log t for a slope."""

    def need(results: Results) -> Need:
        table = by_time(results)
        inside = table[table["log_t"].between(low, high)].groupby("trial").size()
        fewest = int(inside.reindex(results.trials["id"], fill_value=0).min()) if len(results.trials) else 0
        span = f"log t from {low:.3g}" + (f" to {high:.3g}" if high < math.inf else " on")
        return Need("times", f"{FEWEST} outputs or more at {span} in every flow", f"{fewest}", fewest >= FEWEST)

    return need


def flows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of gradient flows."""
    return table[table["train.method"] == "flow"]


def descents(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of gradient descents."""
    return table[table["train.method"] == "gd"]


def fitted_slope(rows: pd.DataFrame, metric: str, low: float, high: float, clock: str = "log_t") -> float:
    """Of log ``metric`` against log ``clock`` by least squares over low <= clock <= high; NaN for under three points.

    A clock is the log of a time, so the slope is a power of log t.
    """
    times, values = rows[clock].to_numpy(dtype=float), rows[metric].to_numpy(dtype=float)
    kept = (low <= times) & (times <= high) & (values > 0)
    if kept.sum() < 3:
        return math.nan
    return float(np.polyfit(np.log(times[kept]), np.log(values[kept]), 1)[0])


def local_slopes(rows: pd.DataFrame, metric: str) -> pd.Series:
    """d log ``metric`` / d log log t at each row of one trial, over ``SPAN`` rows to either side; NaN at the ends."""
    logs = [np.log(np.where(x > 0, x, math.nan)) for x in (rows[c].to_numpy(dtype=float) for c in (metric, "log_t"))]
    slopes = np.full(len(rows), math.nan)
    with np.errstate(all="ignore"):  # inf - inf and 0 / 0 are NaN
        rise, run = (x[2 * SPAN :] - x[: -2 * SPAN] for x in logs)
        slopes[SPAN:-SPAN] = rise / run
    return pd.Series(slopes, rows.index)


def spread(values: list[float]) -> str:
    """The least and largest of numbers in words, or the one they all are; NaN is left out."""
    found = [value for value in values if not math.isnan(value)]
    if not found:
        return "not measured"
    low, high = f"{min(found):.3f}", f"{max(found):.3f}"
    return low if low == high else f"{low} to {high}"
