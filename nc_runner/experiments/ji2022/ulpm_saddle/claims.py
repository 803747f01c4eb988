"""Example 3.1 and Theorem 3.3 of Ji et al. 2022, judged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.ji2022.laws import by_time, flows

SADDLE_RATIO, COLLAPSE_RATIO = 1 / 8, 1 / 6  # least margin over ||W||^2 + ||H||^2, at Example 3.1 and at collapse
CRITICAL = 1e-8  # largest entry of a Riemannian gradient that counts as 0 [choice]
SAME = 1e-3  # of a ratio that counts as equal [choice]
NOISE, LARGE_NOISE = "model.start_noise", 0.1  # smaller noise may take longer than LONG [choice]
LONG = 0.999e6  # log t
EIGENVALUE = -0.02149  # of the Riemannian Hessian at r = 1.5, twice


def claims(results: Results) -> list[Claim]:
    """The ray, its Hessian, the escape, and every other critical point."""
    table = by_time(results)
    points = critical_points(results)
    return [
        stays_on_ray(flows(table)),
        strict_saddle(points[points["model.start"] == "saddle"]),
        escapes(flows(table)),
        others_are_strict_saddles(points),
        only_collapse_is_a_minimum(points),
    ]


def critical_points(results: Results) -> pd.DataFrame:
    """The searches that ended at a critical point, one row each."""
    final = results.final()
    searches = final[final["train.method"] == "critical_point"]
    return searches[searches["riemannian_gradient"] <= CRITICAL] if len(searches) else searches


def is_collapse(points: pd.DataFrame) -> pd.Series:
    """Whether each point is neural collapse: its margin is the largest there is."""
    return pd.Series((points["margin_over_squared_norm"] - COLLAPSE_RATIO).abs() <= SAME, index=points.index)


def stays_on_ray(table: pd.DataFrame) -> Claim:
    """Without noise the flow stays on the ray of Example 3.1."""
    exact = table[table["model.start_noise"] == 0]
    holds, measured = None, "no flow from the ray itself"
    if len(exact):
        off = (exact["margin_over_squared_norm"] - SADDLE_RATIO).abs().max()
        holds = bool(off <= 1e-6)
        measured = f"largest difference from 1/8 is {off:.1g}, up to log t = {exact['log_t'].max():.3g}"
    return Claim(
        "stays_on_ray",
        "On the ray W = H = r M the flow keeps q_min/(||W||^2 + ||H||^2) at 1/8, below the 1/6 of collapse "
        "(Example 3.1).",
        "1/8 to 1e-6 at every output [choice]",
        measured,
        Claim.judge(holds),
    )


def strict_saddle(points: pd.DataFrame) -> Claim:
    """Example 3.1 is a strict saddle, by the eigenvalues of its Hessian."""
    at = points[(points["model.start_noise"] == 0) & (points["model.start_scale"] == 1.5)]
    holds, measured = None, "not measured at r = 1.5"
    if len(at):
        row = at.iloc[0]
        two = row[["least_hessian_eigenvalue", "second_hessian_eigenvalue"]]
        holds = bool((abs(two - EIGENVALUE) < 5e-6).all() and row["negative_hessian_eigenvalues"] == 2)
        measured = f"{two.iloc[0]:.5f}, {two.iloc[1]:.5f}; {row['negative_hessian_eigenvalues']:.0f} negative"
    return Claim(
        "strict_saddle",
        "Example 3.1 at r = 1.5 is a strict saddle on its sphere: the Riemannian Hessian of the summed loss has two "
        "negative eigenvalues [derived].",
        f"two, of {EIGENVALUE}",
        measured,
        Claim.judge(holds),
    )


def escapes(table: pd.DataFrame) -> Claim:
    """With noise the flow leaves the ray."""
    noisy = [rows for _, rows in table[table[NOISE] > 0].groupby("trial")]
    holds, measured = None, "no flow with noise"
    if noisy:
        times = pd.Series([arrival(rows) for rows in noisy])
        noises = pd.Series([float(rows[NOISE].iloc[0]) for rows in noisy])
        left = pd.Series([has_left(rows) for rows in noisy])
        measured = "; ".join(
            f"noise {noise:g}: {int(left[of].sum())} of {len(of)} have left, "
            f"{int(np.isfinite(times[of]).sum())} are at 1/6"
            + (f", the median from log t = {times[of].median():.2g}" if np.isfinite(times[of].median()) else "")
            for noise, of in noises.groupby(noises).groups.items()
        )
        known = all(rows["margin_over_squared_norm"].notna().all() for rows in noisy)
        if known and (max(rows["log_t"].max() for rows in noisy) >= LONG or np.isfinite(times).all()):
            holds = bool(left.all() and np.isfinite(times[noises >= LARGE_NOISE]).all())
    return Claim(
        "escapes",
        "From a start off the ray the flow leaves the saddle for neural collapse: the ratio goes from 1/8 to 1/6.",
        f"by log t = 1e6 every noisy flow above 1/8 and rising, or at 1/6, and all of noise {LARGE_NOISE:g} at 1/6 "
        "[choice]",
        measured,
        Claim.judge(holds),
    )


def has_left(rows: pd.DataFrame) -> bool:
    """Whether a flow's ratio ends above 1/8 by more than it was in the middle of its outputs, or at 1/6."""
    above = rows["margin_over_squared_norm"].to_numpy() - SADDLE_RATIO
    return bool(above[-1] > max(2 * above[len(above) // 2], 1e-6)) or bool(is_collapse(rows).iloc[-1])


def arrival(rows: pd.DataFrame) -> float:
    """log t at which a trial reaches neural collapse, or infinity."""
    there = rows[is_collapse(rows)]
    return float(there["log_t"].min()) if len(there) else float("inf")


def others_are_strict_saddles(points: pd.DataFrame) -> Claim:
    """Theorem 3.3: critical points other than neural collapse are strict saddles."""
    others = points[~is_collapse(points)]
    holds, measured = None, "no other critical point found"
    if len(others):
        strict = others["negative_hessian_eigenvalues"] > 0
        holds = bool(strict.all())
        separating = others[others["margin_over_squared_norm"] > SAME]
        ratios = sorted(separating["margin_over_squared_norm"].round(3).unique())
        weakest = others["least_hessian_eigenvalue_relative"].max()
        measured = (
            f"{int(strict.sum())} of {len(others)} are strict saddles, {len(separating)} of them KKT directions with a "
            f"positive margin (ratios {', '.join(f'{r:g}' for r in ratios) or 'none'}); weakest negative eigenvalue "
            f"{weakest:.2g} of the largest"
        )
    return Claim(
        "others_are_strict_saddles",
        "Every critical point on a sphere other than neural collapse is a strict saddle (Theorem 3.3).",
        "a negative eigenvalue of the Riemannian Hessian at each one a random search finds",
        measured,
        Claim.judge(holds),
    )


def only_collapse_is_a_minimum(points: pd.DataFrame) -> Claim:
    """Neural collapse is no saddle: none of its eigenvalues is negative."""
    collapsed = points[is_collapse(points)]
    holds, measured = None, "the search did not find neural collapse"
    if len(collapsed):
        minima = collapsed["negative_hessian_eigenvalues"] == 0
        holds = bool(minima.all())
        measured = f"{int(minima.sum())} of {len(collapsed)} found have no negative eigenvalue"
    return Claim(
        "collapse_is_a_minimum",
        "Neural collapse is a minimum on its sphere.",
        "no negative eigenvalue of the Riemannian Hessian",
        measured,
        Claim.judge(holds),
    )
