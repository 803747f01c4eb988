"""What follows from Theorem 2.3.1 of Pan 2023, judged at every epoch measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results

# [choice] What a loss, alpha beta and a cosine in float64 may be wrong by: sums of numbers of order 10, each to 1e-15.
ROUNDING = 1e-14
FITTED_EPS = (1e2 * ROUNDING, 1e-3)  # [choice] where the slopes are fitted: near the optimum, clear of rounding
FITTED_DECADES = 2.0  # [choice] least range of eps for a slope
THEOREM_SLOPE = 0.5  # of 1 - intra against eps in the theorem's bound


def claims(results: Results) -> list[Claim]:
    """The premise, the bound, how far trained networks are from it, and collapse as eps goes to 0."""
    table = probes(results)
    networks, free = (table[table["model.name"] == name] for name in ("mlp", "free_features"))
    return [
        least_cross_entropy(table),
        bound_holds(table),
        vacuous_for_networks(networks),
        collapse_with_eps(free, results.config.data.classes),
    ]


def probes(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: the columns of the trials' table and every metric, where eps is defined.

    ``intra_gap`` is 1 - min intra, ``inter_gap`` max inter + 1/(C-1), both of the augmented features.
    """
    table = results.by_epoch().dropna(subset=["eps"])
    table["alpha_beta"] = table["alpha"] * table["beta"]
    table["intra_gap"] = 1 - table["min_intra_cosine_augmented"]
    table["inter_gap"] = table["max_inter_cosine_augmented"] + 1 / (results.config.data.classes - 1)
    return table.reset_index(drop=True)


def last_probes(table: pd.DataFrame) -> pd.DataFrame:
    """The last row of each trial."""
    return table.loc[table.groupby("trial")["epoch"].idxmax()]


def least_cross_entropy(table: pd.DataFrame) -> Claim:
    """Cross-entropy >= m(alpha, beta), without which there is no eps."""
    holds, measured = None, "nothing measured"
    if len(table):
        holds = bool((table["eps"] >= -ROUNDING).all())
        measured = (
            f"{int((table['eps'] >= -ROUNDING).sum())} of {len(table)} points; least eps {table['eps'].min():.2g}"
        )
    return Claim(
        "least_cross_entropy",
        "Cross-entropy is at least m(alpha, beta), so eps = CE - m >= 0, at every epoch of networks and free features.",
        f"eps >= 0 at every point, to {ROUNDING:g}",
        measured,
        Claim.judge(holds),
    )


def bound_holds(table: pd.DataFrame) -> Claim:
    """The theorem's bound, where it is not vacuous."""
    biting = table[table["intra_cosine_lower_bound"] > 0]
    holds, measured = None, "the bound is vacuous at every point"
    if len(biting):
        allowed = 1 - biting["intra_cosine_lower_bound"]
        kept = biting["intra_gap"] <= allowed + ROUNDING
        holds = bool(kept.all())
        ratio = biting["intra_gap"] / allowed
        measured = (
            f"{int(kept.sum())} of {len(biting)} points, alpha beta {biting['alpha_beta'].min():.2g} to "
            f"{biting['alpha_beta'].max():.2g}, eps up to {biting['eps'].max():.2g}; 1 - min intra is at most "
            f"{ratio.max():.2g} of what the bound allows"
        )
    return Claim(
        "bound_holds",
        "Where it is not vacuous, the bound of Theorem 2.3.1 holds: min intra >= "
        "1 - 8 ((C-1)/(C alpha beta)) sqrt(2 eps (1-delta)/(Lam delta)), delta = 1/C.",
        "at every point with a positive bound",
        measured,
        Claim.judge(holds),
    )


def vacuous_for_networks(networks: pd.DataFrame) -> Claim:
    """The bound is vacuous for trained networks, and by how much [derived, ours]."""
    holds, measured = None, "no network measured"
    if len(networks):
        vacuous = networks["eps"] >= networks["vacuous_eps"]
        holds = bool(vacuous.all())
        measured = f"vacuous at {int(vacuous.sum())} of {len(networks)} points"
        if final := orders_too_large(networks).sort_values("orders").to_dict("records"):
            measured += "; after training " + ", ".join(
                f"eps {row['eps']:.2g} at alpha beta {row['alpha_beta']:.3g} where {row['vacuous_eps']:.1g} is needed "
                f"({row['orders']:.1f} orders of magnitude)"
                for row in final[:: max(len(final) - 1, 1)]
            )
    return Claim(
        "vacuous_for_networks",
        "Of a trained network the theorem says nothing: eps is orders of magnitude above the least at which the bound "
        "is vacuous, whatever the weight decay and the epoch [derived, ours].",
        "the bound is at most 0 at every point",
        measured,
        Claim.judge(holds),
    )


def orders_too_large(networks: pd.DataFrame) -> pd.DataFrame:
    """The last row of each network with perfect training accuracy, ``orders`` = log10(eps / vacuous_eps)."""
    final = last_probes(networks[networks["status"] == "interpolated"])
    return final.assign(orders=np.log10(final["eps"].clip(lower=ROUNDING) / final["vacuous_eps"]))


def slope(rows: pd.DataFrame, gap: str) -> float:
    """Of log ``gap`` against log eps by least squares; NaN where eps has too small a range."""
    low, high = FITTED_EPS
    rows = rows[rows["eps"].between(low, high) & (rows[gap] > ROUNDING)]
    if len(rows) < 3 or np.log10(rows["eps"].max() / rows["eps"].min()) < FITTED_DECADES:
        return float("nan")
    return float(np.polyfit(np.log10(rows["eps"]), np.log10(rows[gap]), 1)[0])


def collapse_with_eps(free: pd.DataFrame, classes: int) -> Claim:
    """Free features collapse as eps falls, at the theorem's rate or faster."""
    slopes = {gap: [slope(rows, gap) for _, rows in free.groupby("trial")] for gap in ("intra_gap", "inter_gap")}
    intra, inter = (np.array([value for value in values if not np.isnan(value)]) for values in slopes.values())
    holds, measured = None, "no free features with enough range of eps"
    if len(intra) and len(inter):
        holds = bool(intra.min() >= THEOREM_SLOPE and inter.min() > 0)
        reached = free["intra_gap"].where(free["eps"].between(*FITTED_EPS)).min()
        measured = (
            f"1 - min intra ~ eps^a with a from {intra.min():.2f} to {intra.max():.2f}; "
            f"max inter + 1/{classes - 1} ~ eps^b with b from {inter.min():.2f} to {inter.max():.2f} "
            f"({len(intra)} trials); least 1 - min intra fitted {reached:.1g}"
        )
    low, high = FITTED_EPS
    return Claim(
        "collapse_with_eps",
        "As eps goes to 0, min intra goes to 1 and max inter to -1/(C-1) in the layer-peeled model.",
        f"a >= {THEOREM_SLOPE:g}, as in the theorem's bound, and b > 0, in every trial; fitted where {low:g} <= eps <= "
        f"{high:g} [choice]",
        measured,
        Claim.judge(holds),
    )
