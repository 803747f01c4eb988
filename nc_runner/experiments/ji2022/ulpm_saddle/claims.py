"""Example 3.1 and Theorem 3.3 of Ji et al. 2022, judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.ji2022.laws import accurate, by_time, fitting
from nc_runner.experiments.needs import finished, interpolates, seeds

SADDLE_RATIO, COLLAPSE_RATIO = 1 / 8, 1 / 6  # least margin over ||W||^2 + ||H||^2, at Example 3.1 and at collapse
CRITICAL = 1e-8  # largest entry of a Riemannian gradient that counts as 0 [choice]
SAME = 1e-3  # of a ratio that counts as equal [choice]
ON_RAY = 1e-6  # of the ratio along the ray that counts as equal [choice]
NOISE, LARGE_NOISE = "model.start_noise", 0.1  # smaller noise may take longer than LONG [choice]
LONG = 0.999e6  # log t
EIGENVALUE, EIGENVALUE_ERROR = -0.02149, 5e-6  # of the Riemannian Hessian at r = 1.5, twice; its last digit
FEWEST = 10  # critical points of a kind that a search has to find [choice]

_EXAMPLE = "Example 3.1"
STAYS = Statement(
    "stays_on_ray",
    "on the ray of Example 3.1 the ratio stays at 1/8",
    "On the ray W = H = r M the flow keeps q_min/(||W||^2 + ||H||^2) at 1/8, below the 1/6 of collapse.",
    _EXAMPLE,
    f"1/8 to {ON_RAY:g} at every output [choice]",
    (interpolates, accurate),
    Kind.derived,
)
SADDLE = Statement(
    "strict_saddle",
    "Example 3.1 is a strict saddle on its sphere",
    "Example 3.1 at r = 1.5 is a strict saddle on its sphere: the Riemannian Hessian of the summed loss has two "
    "negative eigenvalues.",
    _EXAMPLE,
    f"two, of {EIGENVALUE} to its last digit",
    (finished,),
    Kind.derived,
)
ESCAPES = Statement(
    "escapes",
    "off the ray the flow leaves for neural collapse",
    "From a start off the ray the flow leaves the saddle for neural collapse: the ratio goes from 1/8 to 1/6.",
    "Example 3.1 and Theorem 3.3",
    f"at the end every noisy flow above 1/8 and rising, or at 1/6, and all of noise {LARGE_NOISE:g} at 1/6 [choice]",
    (interpolates, seeds(3), accurate),
    Kind.derived,
)
OTHERS = Statement(
    "others_are_strict_saddles",
    "other critical points are strict saddles",
    "Every critical point on a sphere other than neural collapse is a strict saddle.",
    "Theorem 3.3, or the statement on spheres that follows its Definition 3.1",
    "a negative eigenvalue of the Riemannian Hessian at each one that a random search finds",
    (finished,),
)
MINIMUM = Statement(
    "collapse_is_a_minimum",
    "neural collapse is a minimum",
    "Neural collapse is a minimum on its sphere.",
    "Theorem 3.3, or the statement on spheres that follows its Definition 3.1",
    "no negative eigenvalue of the Riemannian Hessian at each one that a random search finds",
    (finished,),
)


def claims(results: Results) -> list[Claim]:
    """The ray, its Hessian, the escape, and every other critical point."""
    flow, found = fitting(results), critical_points(results)
    of = results.only(results.trials["id"].isin(found["id"]))
    example = (of.trials["model.start"] == "saddle") & (of.trials["model.start_scale"] == 1.5)
    return [
        stays_on_ray(flow.only(flow.trials[NOISE] == 0)),
        strict_saddle(of.only(example & (of.trials[NOISE] == 0))),
        escapes(flow.only(flow.trials[NOISE] > 0)),
        others_are_strict_saddles(of, found),
        only_collapse_is_a_minimum(of, found),
    ]


def critical_points(results: Results) -> pd.DataFrame:
    """The searches that ended at a critical point, one row each, whether it separates the classes or not."""
    final = results.final()
    searches = final[(final["train.method"] == "critical_point") & (final["status"] != "diverged")]
    return searches[searches["riemannian_gradient"] <= CRITICAL] if len(searches) else searches


def is_collapse(points: pd.DataFrame) -> pd.Series:
    """Whether each point is neural collapse: its margin is the largest there is."""
    return pd.Series((points["margin_over_squared_norm"] - COLLAPSE_RATIO).abs() <= SAME, index=points.index)


def stays_on_ray(of: Results) -> Claim:
    """Without noise the flow stays on the ray of Example 3.1."""
    exact = by_time(of)
    if exact.empty:
        return STAYS.judged(of, None, "no flow from the ray itself")
    off = float((exact["margin_over_squared_norm"] - SADDLE_RATIO).abs().max(skipna=False))
    measured = f"largest difference from 1/8 is {off:.1g}, up to log t = {exact['log_t'].max():.3g}"
    return STAYS.judged(of, off <= ON_RAY, measured, f"{off:.1g} off")


def strict_saddle(of: Results) -> Claim:
    """Example 3.1 is a strict saddle, by the eigenvalues of its Hessian."""
    at = of.final()
    if at.empty:
        return SADDLE.judged(of, None, "not measured at r = 1.5")
    two = at[["least_hessian_eigenvalue", "second_hessian_eigenvalue"]].to_numpy(dtype=float)
    negative = at["negative_hessian_eigenvalues"]
    holds = bool((abs(two - EIGENVALUE) < EIGENVALUE_ERROR).all() and (negative == 2).all())
    measured = f"{two.min():.5f} to {two.max():.5f}; {negative.max():.0f} negative"
    return SADDLE.judged(of, holds, measured, f"{negative.max():.0f} negative")


def escapes(of: Results) -> Claim:
    """With noise the flow leaves the ray."""
    noisy = [rows.sort_values("log_t") for _, rows in by_time(of).groupby("trial")]
    if not noisy:
        return ESCAPES.judged(of, None, "no flow with noise")
    times = pd.Series([arrival(rows) for rows in noisy])
    noises = pd.Series([float(rows[NOISE].iloc[0]) for rows in noisy])
    left = pd.Series([has_left(rows) for rows in noisy])
    there = times.notna()
    measured = "; ".join(
        f"noise {noise:g}: {int(left[at].sum())} of {len(at)} have left, {int(there[at].sum())} are at 1/6"
        + (f", the median from log t = {times[at].median():.2g}" if 2 * there[at].sum() > len(at) else "")
        for noise, at in ((n, noises.index[noises == n]) for n in sorted(noises.unique()))
    )
    shortest = min(
        (float(rows["log_t"].max()) for rows, arrived in zip(noisy, there, strict=True) if not arrived), default=LONG
    )
    needs = [
        Need(
            "time to escape",
            f"every flow at 1/6, or followed to log t = {LONG:.3g}",
            f"{shortest:.3g}",
            shortest >= LONG,
        ),
        Need(
            "large noise",
            f"a flow with noise {LARGE_NOISE:g}",
            f"{noises.max():g} at the most",
            noises.max() >= LARGE_NOISE,
        ),
    ]
    holds = bool(left.all() and there[noises >= LARGE_NOISE].all())
    return ESCAPES.judged(of, holds, measured, f"{int(left.sum())} of {len(left)} left", needs)


def has_left(rows: pd.DataFrame) -> bool:
    """Whether a flow's ratio ends above 1/8 by more than it was in the middle of its outputs, or at 1/6."""
    above = rows["margin_over_squared_norm"].to_numpy() - SADDLE_RATIO
    return bool(above[-1] > max(2 * above[len(above) // 2], 1e-6)) or bool(is_collapse(rows).iloc[-1])


def arrival(rows: pd.DataFrame) -> float:
    """log t from which on a trial is at neural collapse, or NaN where it does not end there."""
    there = is_collapse(rows)
    return float(rows.loc[there[::-1].cummin()[::-1], "log_t"].min()) if len(rows) else np.nan


def found_enough(count: int, kind: str) -> Need:
    """The search found critical points enough of a kind."""
    return Need("points found", f"{FEWEST} {kind} or more [choice]", f"{count}", count >= FEWEST)


def others_are_strict_saddles(of: Results, points: pd.DataFrame) -> Claim:
    """Theorem 3.3: critical points other than neural collapse are strict saddles."""
    others = points[~is_collapse(points)] if len(points) else points
    need = found_enough(len(others), "critical points other than neural collapse")
    if others.empty:
        return OTHERS.judged(of, None, "no other critical point found", needs=[need])
    strict = others["negative_hessian_eigenvalues"] > 0
    separating = others[others["margin_over_squared_norm"] > SAME]
    ratios = sorted(separating["margin_over_squared_norm"].round(3).unique())
    weakest = others["least_hessian_eigenvalue_relative"].max()
    measured = (
        f"{int(strict.sum())} of {len(others)} are strict saddles, {len(separating)} of them KKT directions with a "
        f"positive margin (ratios {', '.join(f'{r:g}' for r in ratios) or 'none'}); weakest negative eigenvalue "
        f"{weakest:.2g} of the largest"
    )
    return OTHERS.judged(of, bool(strict.all()), measured, f"{int(strict.sum())} of {len(others)}", [need])


def only_collapse_is_a_minimum(of: Results, points: pd.DataFrame) -> Claim:
    """Neural collapse is no saddle: none of its eigenvalues is negative."""
    collapsed = points[is_collapse(points)] if len(points) else points
    need = found_enough(len(collapsed), "points of neural collapse")
    if collapsed.empty:
        return MINIMUM.judged(of, None, "the search did not find neural collapse", needs=[need])
    minima = collapsed["negative_hessian_eigenvalues"] == 0
    measured = f"{int(minima.sum())} of {len(collapsed)} found have no negative eigenvalue"
    return MINIMUM.judged(of, bool(minima.all()), measured, f"{int(minima.sum())} of {len(collapsed)}", [need])
