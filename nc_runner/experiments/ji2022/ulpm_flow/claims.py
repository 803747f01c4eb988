"""The caption of Figure 2 of Ji et al. 2022, over the times a descent reaches and in the limit; and the theorems.

The caption says each quantity decays at about O(1/log t). The answer is one thing up to t = 1e5 and another from
t = e^100000 on, so each statement is judged twice.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.ji2022.laws import (
    LIMIT_FROM,
    REACH,
    REACH_FROM,
    STATEMENTS,
    by_time,
    descents,
    fitted_slope,
    flows,
    local_slopes,
    spread,
)

REACH_TOLERANCE = 0.1  # of the slope over the reachable range [choice]
LIMIT_TOLERANCE = 0.02  # of local slopes in the limit [choice]
AGREEMENT = 0.02  # relative difference of descent and flow [choice]: half the width of a drawn line
TO_ZERO = -0.4  # slope from which a quantity goes to 0 as a power of log t [choice]
LARGE_DRIFT = 1e-3  # of the conserved matrix, relative to the squared norms at the start [choice]


def claims(results: Results) -> list[Claim]:
    """Twelve of the caption, the half rate, the two theorems, descent against flow."""
    table = by_time(results)
    return [
        *(reachable(flows(table), name) for name in STATEMENTS),
        *(in_the_limit(flows(table), name) for name in STATEMENTS),
        half_rate(flows(table)),
        margin(flows(table)),
        kkt(flows(table)),
        descent_follows_flow(table),
    ]


def warnings(results: Results) -> list[str]:
    """A sentence where the integrator's own error is large."""
    table = by_time(results)
    drift = flows(table).groupby("trial")["conserved_drift"].max()
    worst = drift.max() if len(drift) else 0.0
    if not worst > LARGE_DRIFT:
        return []
    return [
        f"W^T W - H H^T, which the flow conserves, drifted by {worst:.1g} of the squared norms at the start: take a "
        "smaller flow.rtol and flow.atol."
    ]


def reachable(table: pd.DataFrame, name: str) -> Claim:
    """A statement judged where the paper's experiments are."""
    words, metric, others = STATEMENTS[name]
    trials = [rows for _, rows in table.groupby("trial")]
    of = {m: [fitted_slope(rows, m, REACH_FROM, REACH) for rows in trials] for m in (metric, *others.values())}
    slopes = [slope for slope in of[metric] if not math.isnan(slope)]
    measured = f"slope {spread(of[metric])}" + "".join(f"; {what} {spread(of[m])}" for what, m in others.items())
    return Claim(
        f"reachable_{name}",
        f"Figure 2, up to t = 1e5, which descent reaches: {words} decays at about O(1/log t).",
        f"slope of its log against log log t, t = 1e3 to 1e5, within {REACH_TOLERANCE:g} of -1 in every trial [choice]",
        measured,
        Claim.judge(all(abs(slope + 1) <= REACH_TOLERANCE for slope in slopes) if slopes else None),
    )


def limit_slopes(table: pd.DataFrame, metric: str) -> list[float]:
    """Every local slope of every trial from log t = LIMIT_FROM on."""
    slopes: list[float] = []
    for _, rows in table.groupby("trial"):
        slopes += local_slopes(rows, metric)[rows["log_t"] >= LIMIT_FROM].dropna().tolist()
    return slopes


def in_the_limit(table: pd.DataFrame, name: str) -> Claim:
    """A statement judged where its law can be seen."""
    words, metric, others = STATEMENTS[name]
    slopes = limit_slopes(table, metric)
    measured = f"slopes {spread(slopes)}" + "".join(
        f"; {what} {spread(limit_slopes(table, m))}" for what, m in others.items()
    )
    return Claim(
        f"limit_{name}",
        f"Figure 2, in the limit: {words} decays at O(1/log t).",
        f"every local slope from t = e^{LIMIT_FROM:g} on within {LIMIT_TOLERANCE:g} of -1 [choice]",
        measured,
        Claim.judge(all(abs(slope + 1) <= LIMIT_TOLERANCE for slope in slopes) if slopes else None),
    )


def half_rate(table: pd.DataFrame) -> Claim:
    """Why and how fast the uncentred classifier norms become equal."""
    slopes = limit_slopes(table, "norm_variation_weights")
    final = at_the_end(table)
    ratio = final["norm_variation_weights"] / final["norm_variation_weights_predicted"]
    holds, measured = None, "no flow that long"
    if slopes and len(final):
        holds = all(abs(slope + 0.5) <= LIMIT_TOLERANCE for slope in slopes) and bool((abs(ratio - 1) < 0.01).all())
        measured = f"slopes {spread(slopes)}; measured over predicted at the end {spread(ratio.tolist())}"
    return Claim(
        "half_rate",
        "The mean classifier w is conserved, so the variation of uncentred classifier norms is "
        "std_k(w . u_k) / mean ||w_k - w|| and decays at (log t)^(-1/2) [derived, ours].",
        f"every local slope from t = e^{LIMIT_FROM:g} on within {LIMIT_TOLERANCE:g} of -1/2, and the variation at "
        "the last output within 1% of the prediction",
        measured,
        Claim.judge(holds),
    )


def margin(table: pd.DataFrame) -> Claim:
    """Theorem 3.1: the margin goes to its bound."""
    final = at_the_end(table)
    largest = table["margin_ratio"].max()
    holds, measured = None, "no flow that long"
    if len(final):
        holds = bool((final["margin_ratio"] > 0.999).all() and largest <= 1 + 1e-12)
        gaps = spread_of_gap(1 - final["margin_ratio"])
        measured = f"1 - ratio at the end {gaps}; least at any output {1 - largest:.1g}"
    return Claim(
        "margin",
        "q_min / ((||W||^2 + ||H||^2) / (2 (K-1) sqrt(n))) is at most 1 and goes to 1 (Theorem 3.1).",
        "at most 1 at every output, above 0.999 at the last",
        measured,
        Claim.judge(holds),
    )


def at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    """The last output of each trial that went to the limit."""
    final = table.sort_values("log_t").drop_duplicates("trial", keep="last").sort_index()
    return final[final["log_t"] >= LIMIT_FROM]


def spread_of_gap(values: pd.Series) -> str:
    """The least and largest of small numbers, in words."""
    return f"{values.min():.2g} to {values.max():.2g}"


def kkt(table: pd.DataFrame) -> Claim:
    """Theorem 3.2: the KKT residual goes to 0."""
    slopes = limit_slopes(table, "kkt_residual")
    final = at_the_end(table)
    holds, measured = None, "no flow that long"
    if len(final) and slopes:
        holds = max(slopes) <= TO_ZERO
        measured = f"{spread_of_gap(final['kkt_residual'])} at the end, slopes {spread(slopes)}"
    return Claim(
        "kkt",
        "(W, H), normalised, tends to a KKT point of the hard-margin problem (Theorem 3.2).",
        f"relative KKT residual falling as a power of log t: every local slope from t = e^{LIMIT_FROM:g} on at most "
        f"{TO_ZERO:g} [choice]",
        measured,
        Claim.judge(holds),
    )


def descent_follows_flow(table: pd.DataFrame) -> Claim:
    """Descent with a small constant step lies on the flow from the same start."""
    metrics = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]
    worst, pairs, where = 0.0, 0, ""
    for _, descent in descents(table).groupby("trial"):
        first = descent.iloc[0]
        same = flows(table)
        same = same[(same["seed"] == first["seed"]) & (same["model.start_scale"] == first["model.start_scale"])]
        if len(same) < 2:
            continue
        pairs += 1
        inside = descent[descent["log_t"].between(0, same["log_t"].max())]
        for metric in metrics:
            known = same[np.isfinite(same["log1p_time"]) & np.isfinite(np.log(same[metric]))]
            known = known.sort_values("log1p_time").drop_duplicates("log1p_time")
            if len(known) < 2:
                worst, where = math.nan, metric
                break
            flow = CubicSpline(np.log1p(known["log1p_time"]), np.log(known[metric]))
            gaps = np.abs(inside[metric] / np.exp(flow(np.log1p(inside["log1p_time"]))) - 1)
            if len(gaps) and gaps.max() > worst:
                worst, where = float(gaps.max()), metric
    return Claim(
        "descent_follows_flow",
        "Gradient descent with a small constant step lies on the gradient flow from the same start.",
        f"every quantity of Figure 2 within {AGREEMENT:.0%} from t = 1 on, the flow interpolated in time [choice]",
        f"largest relative difference {worst:.2g}, of {where}, over {pairs} starts" if pairs else "no pair of the two",
        Claim.judge(worst <= AGREEMENT if pairs else None),
    )
