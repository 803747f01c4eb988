"""The caption of Figure 2 of Ji et al. 2022 in the limit, where its law can be seen; the theorems; descent.

The caption says that each quantity decays at about O(1/log t), an upper rate: a faster decay is one too. What is seen
at the times that descent reaches depends on sizes that the paper does not give: see ``ulpm_settings``.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.ji2022.laws import (
    LARGE_DRIFT,
    LIMIT_FROM,
    SHORT,
    STATEMENTS,
    accurate,
    by_time,
    fitting,
    flows,
    local_slopes,
    outputs_between,
    spread,
)
from nc_runner.experiments.needs import finished, interpolates, seeds

LIMIT_TOLERANCE = 0.02  # of local slopes in the limit [choice]
AGREEMENT = 0.02  # relative difference of descent and flow [choice]: half the width of a drawn line
TO_ZERO = -0.4  # slope from which a quantity goes to 0 as a power of log t [choice]
ROUNDING = 1e-12  # relative, of the bound on the margin, in float64
NEAR = 1e-3  # of the bound, at the end [choice]

_TO_THE_LIMIT = (interpolates, seeds(3), outputs_between(LIMIT_FROM, math.inf), accurate)

LIMIT = {
    name: Statement(
        f"limit_{name}",
        f"{SHORT[name]}: O(1/log t) in the limit",
        f"{words[0].upper()}{words[1:]} decays at about O(1/log t).",
        "Figure 2, caption; here in the limit",
        f"every local slope of its log against log log t from t = e^{LIMIT_FROM:g} on at most -1 + {LIMIT_TOLERANCE:g} "
        "[choice]; one-sided, as O is an upper rate",
        _TO_THE_LIMIT,
    )
    for name, (words, *_) in STATEMENTS.items()
}
HALF_RATE = Statement(
    "half_rate",
    "uncentred classifier norms go at (log t)^(-1/2)",
    "The mean classifier w is conserved, so the variation of uncentred classifier norms is std_k(w . u_k) / mean "
    "||w_k - w|| and decays at (log t)^(-1/2).",
    "from the flow's equations, section 3",
    f"every local slope from t = e^{LIMIT_FROM:g} on within {LIMIT_TOLERANCE:g} of -1/2, and the variation at the last "
    "output within 1% of the prediction [choice]",
    _TO_THE_LIMIT,
    Kind.derived,
)
MARGIN = Statement(
    "margin",
    "the margin is at most its bound",
    "q_min <= (||W||^2 + ||H||^2) / (2 (K-1) sqrt(n)).",
    "Theorem 3.1",
    f"margin over bound at most 1 + {ROUNDING:g} at every output of every flow and descent",
    (interpolates,),
)
MARGIN_LIMIT = Statement(
    "margin_limit",
    "along the flow the margin goes to its bound",
    "Along gradient flow the margin over its bound goes to 1.",
    "from Theorems 3.1 to 3.3: the flow ends at the global optimum",
    f"within {NEAR:g} [choice] of 1 at the last output of every flow",
    _TO_THE_LIMIT,
    Kind.derived,
)
KKT = Statement(
    "kkt",
    "the direction tends to a KKT point",
    "(W, H), normalised, tends to a KKT point of the hard-margin problem.",
    "Theorem 3.2",
    f"relative KKT residual falling as a power of log t: every local slope from t = e^{LIMIT_FROM:g} on at most "
    f"{TO_ZERO:g} [choice]",
    _TO_THE_LIMIT,
)
DESCENT = Statement(
    "descent_follows_flow",
    "descent with small steps lies on the flow",
    "Gradient descent with a small constant step lies on the gradient flow from the same start.",
    "section 3, where the flow stands for descent",
    f"every quantity of Figure 2 within {AGREEMENT:.0%} from t = 1 on, the flow interpolated in time [choice]",
    (finished, interpolates),
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """Six of the caption, the half rate, the theorems, descent against flow."""
    flow = fitting(results)
    table = by_time(flow)
    return [
        *(in_the_limit(flow, table, name) for name in STATEMENTS),
        half_rate(flow, table),
        margin(results),
        margin_limit(flow, table),
        kkt(flow, table),
        descent_follows_flow(results),
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


def limit_slopes(table: pd.DataFrame, metric: str) -> list[float]:
    """Every local slope of every trial from log t = LIMIT_FROM on."""
    slopes: list[float] = []
    for _, rows in table.filter(["trial", "log_t", metric]).sort_values("log_t").groupby("trial"):
        slopes += local_slopes(rows, metric)[rows["log_t"] >= LIMIT_FROM].dropna().tolist()
    return slopes


def at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    """The last output of each trial that went to the limit."""
    final = table.sort_values("log_t").drop_duplicates("trial", keep="last").sort_index()
    return final[final["log_t"] >= LIMIT_FROM]


def in_the_limit(of: Results, table: pd.DataFrame, name: str) -> Claim:
    """One of the caption's decays."""
    _, metric, others = STATEMENTS[name]
    slopes = limit_slopes(table, metric)
    if not slopes:
        return LIMIT[name].judged(of, None, "no flow that long")
    told = "".join(f"; {what} {spread(limit_slopes(table, m))}" for what, m in others.items())
    holds = all(slope <= -1 + LIMIT_TOLERANCE for slope in slopes)
    return LIMIT[name].judged(of, holds, f"slopes {spread(slopes)}{told}", f"slope {max(slopes):.2f}")


def half_rate(of: Results, table: pd.DataFrame) -> Claim:
    """Why and how fast the uncentred classifier norms become equal."""
    slopes, final = limit_slopes(table, "norm_variation_weights"), at_the_end(table)
    if not slopes or final.empty:
        return HALF_RATE.judged(of, None, "no flow that long")
    ratio = final["norm_variation_weights"] / final["norm_variation_weights_predicted"]
    holds = all(abs(slope + 0.5) <= LIMIT_TOLERANCE for slope in slopes) and bool((abs(ratio - 1) < 0.01).all())
    measured = f"slopes {spread(slopes)}; measured over predicted at the end {spread(ratio.tolist())}"
    return HALF_RATE.judged(of, holds, measured, f"slope {max(slopes):.2f}")


def margin(results: Results) -> Claim:
    """Theorem 3.1: the margin is at most its bound."""
    of = results.only(results.trials["status"] == "interpolated")
    ratios = of.metrics.loc[of.metrics["metric"] == "margin_ratio", "value"]
    if ratios.empty:
        return MARGIN.judged(of, None, "not measured")
    largest = float(ratios.max(skipna=False))
    measured = f"1 - ratio {1 - largest:.1g} and more, at {len(ratios)} outputs"
    return MARGIN.judged(of, largest <= 1 + ROUNDING, measured, f"1 - {1 - largest:.1g}")


def margin_limit(of: Results, table: pd.DataFrame) -> Claim:
    """The flow takes the margin to its bound."""
    final = at_the_end(table)
    if final.empty:
        return MARGIN_LIMIT.judged(of, None, "no flow that long")
    gaps = 1 - final["margin_ratio"]
    measured = f"1 - ratio at the end {gaps.min():.2g} to {gaps.max():.2g}"
    return MARGIN_LIMIT.judged(of, bool((gaps.abs() <= NEAR).all()), measured, f"1 - {gaps.max():.1g}")


def kkt(of: Results, table: pd.DataFrame) -> Claim:
    """Theorem 3.2: the KKT residual goes to 0."""
    slopes, final = limit_slopes(table, "kkt_residual"), at_the_end(table)
    if not slopes or final.empty:
        return KKT.judged(of, None, "no flow that long")
    residual = final["kkt_residual"]
    measured = f"{residual.min():.2g} to {residual.max():.2g} at the end, slopes {spread(slopes)}"
    return KKT.judged(of, max(slopes) <= TO_ZERO, measured, f"slope {max(slopes):.2f}")


def descent_follows_flow(results: Results) -> Claim:
    """Descent with a small constant step lies on the flow from the same start."""
    of = results.only(results.trials["status"] == "interpolated")
    metrics = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]
    flow, worst, where, pairs = by_time(fitting(of)), 0.0, "", 0
    descents = list(by_time(fitting(of, "gd")).groupby("trial"))
    for _, descent in descents:
        first = descent.iloc[0]
        same = flow[(flow["seed"] == first["seed"]) & (flow["model.start_scale"] == first["model.start_scale"])]
        gaps = {metric: largest_gap(descent, same, metric) for metric in metrics} if len(same) > 1 else {}
        pairs += len(same) > 1
        for metric, gap in gaps.items():
            if not gap <= worst and not math.isnan(worst):
                worst, where = gap, metric
    need = Need(
        "a flow from each descent's start",
        "one for every descent",
        f"{pairs} of {len(descents)}",
        0 < pairs == len(descents),
    )
    if not pairs:
        return DESCENT.judged(of, None, "no pair of the two", needs=[need])
    measured = f"largest relative difference {worst:.2g}, of {where}, over {pairs} starts"
    return DESCENT.judged(of, worst <= AGREEMENT, measured, f"{worst:.2g} apart", [need])


def largest_gap(descent: pd.DataFrame, flow: pd.DataFrame, metric: str) -> float:
    """Of a metric, relative, from t = 1 to the end of the shorter; NaN where the flow is defined at one time only."""
    descent, flow = (rows[["log_t", "log1p_time", metric]] for rows in (descent, flow))
    known = flow[np.isfinite(flow["log1p_time"]) & np.isfinite(flow[metric]) & (flow[metric] > 0)]
    times, first = np.unique(known["log1p_time"].to_numpy(dtype=float), return_index=True)
    if len(times) < 2:
        return math.nan
    along = CubicSpline(np.log1p(times), np.log(known[metric].to_numpy(dtype=float)[first]))
    inside = descent[descent["log_t"].between(0, known["log_t"].max())]
    gaps = (inside[metric] / np.exp(along(np.log1p(inside["log1p_time"]))) - 1).abs()
    return float(gaps.max(skipna=False)) if len(gaps) else 0.0
