"""What follows from Theorem 2.3.1 of Pan 2023, judged at every epoch measured of the trials that fit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import data_as_drawn, finished, seeds
from nc_runner.experiments.noise.contrast import between
from nc_runner.experiments.pan2023 import every_delta
from nc_runner.experiments.pan2023.fits import LEVELS, WEIGHT_DECAY, fitting, measured
from nc_runner.experiments.pan2023.theorem_table import last_probes, probes

# [choice] What a loss, alpha beta and a cosine in float64 may be wrong by: sums of numbers of order 10, each to 1e-15.
ROUNDING = 1e-14
FITTED_EPS = (1e2 * ROUNDING, 1e-3)  # [choice] where the slopes are fitted: near the optimum, clear of rounding
FITTED_DECADES = 2.0  # [choice] least range of eps for a slope
INTRA_EXPONENT = 1 / 2  # of eps in the theorem's bound on 1 - intra
PAIRS_EXPONENT = 1 / 6  # and in that on inter + 1/(C-1)
NC3_FACTOR = 1 / 4  # of the bound on 1 - intra: that on 1 - the NC3 cosine [derived]
MORE = 0.05  # [choice] by which a distance is larger than another
SLOPE_NOISE = 0.02  # [choice] by which a slope may miss an exponent that it has

_WINDOW = f"fitted where {FITTED_EPS[0]:g} <= eps <= {FITTED_EPS[1]:g} [choice]"
_ROUNDS = "intra_cosine_lower_bound", "min_intra_cosine_augmented"

LEAST_CROSS_ENTROPY = Statement(
    "least_cross_entropy",
    "cross-entropy is at least m(alpha, beta) at every epoch",
    "Cross-entropy is at least m(alpha, beta), so eps = CE - m >= 0, at every epoch of networks and free features.",
    "Theorem 2.3.1, premise; weights of the classes and bias derived",
    f"eps >= 0 at every point, to {ROUNDING:g}",
    (finished, data_as_drawn, measured("eps")),
)
BOUND_HOLDS = Statement(
    "bound_holds",
    "the theorem's bound on min intra holds where it bites",
    "Where it is not vacuous, the bound of Theorem 2.3.1 holds: min intra >= "
    "1 - 8 ((C-1)/(C alpha beta)) sqrt(2 eps (1-delta)/(Lam delta)), delta = 1/C.",
    "Theorem 2.3.1, (2.20), with the constants of its proof",
    "at every point with a positive bound",
    (finished, data_as_drawn, measured("eps", *_ROUNDS)),
)
NC3_HOLDS = Statement(
    "nc3_bound_holds",
    "the theorem's bound on NC3 holds where it bites",
    "Where it is not vacuous, the theorem's bound on the cosine of a classifier row with the mean of its class's unit "
    "features holds: >= 1 - 2 ((C-1)/(C alpha beta)) sqrt(2 eps (1-delta)/(Lam delta)), delta = 1/C.",
    "Theorem 2.3.1, (2.21); the constant 2, a quarter of that of min intra, derived from the same steps of the proof",
    "at every point with a positive bound",
    (finished, data_as_drawn, measured("eps", "intra_cosine_lower_bound", "min_duality_cosine_augmented")),
    Kind.derived,
)
VACUOUS = Statement(
    "vacuous_for_networks",
    "of a trained network the theorem says nothing",
    "Of a trained network the theorem says nothing: eps is orders of magnitude above the least at which the bound is "
    "vacuous, whatever the weight decay and the epoch. So with the constants of the proof, and so with those of the "
    "remark under it, 1 - min intra <= (e^(C alpha beta/(C-1))/(alpha beta)) sqrt(eps/delta).",
    "Theorem 2.3.1 and the remark under it; the reading is ours",
    "by both, the bound is at most 0 at every point of every network that fits",
    (finished, data_as_drawn, measured("eps", "vacuous_eps", "alpha", "beta")),
    Kind.ours,
)
INTRA_RATE = Statement(
    "intra_collapses_with_eps",
    "free features: 1 - min intra falls as eps^(1/2) or faster",
    "As eps goes to 0, min intra goes to 1 in the layer-peeled model, at least as fast as the theorem's bound.",
    "Theorem 2.3.1, exponent 1/2 of eps",
    f"1 - min intra ~ eps^a, a >= 1/2 less {SLOPE_NOISE:g} [choice], in every trial; {_WINDOW}",
    (finished, data_as_drawn, measured("eps", "min_intra_cosine_augmented")),
)
PAIRS_RATE = Statement(
    "pairs_collapse_with_eps",
    "free features: max inter + 1/(C-1) falls as eps^(1/6)",
    "As eps goes to 0, max inter goes to -1/(C-1) in the layer-peeled model, at least as fast as the theorem's bound.",
    "Theorem 2.3.1, exponent 1/6 of eps for pairs",
    f"max inter + 1/(C-1) ~ eps^b, b >= 1/6 less {SLOPE_NOISE:g} [choice], in every trial; {_WINDOW}",
    (finished, data_as_drawn, measured("eps", "max_inter_cosine_augmented")),
)


SMALLER_NORMS = Statement(
    "smaller_norms_collapse_more",
    "free features: the smaller alpha beta the more collapse",
    "At equal eps, features of smaller alpha beta are collapsed more, where alpha beta > (C-1)/C.",
    "p. 17, the remark under Theorem 2.3.1",
    "1 - min intra, its geometric mean over nine eps that all trials reach, is larger at each alpha beta above "
    f"(C-1)/C than at the next smaller one, by {MORE:.0%} [choice] or more beyond noise over seeds; {_WINDOW}",
    (finished, data_as_drawn, measured("eps", "alpha", "beta", "min_intra_cosine_augmented"), seeds(3)),
)


def claims(results: Results) -> list[Claim]:
    """The premise, the bounds, how far trained networks are from them, collapse as eps goes to 0; every delta."""
    fits = fitting(results)
    networks, free = fitting(results, model="mlp"), fitting(results, model="free_features")
    return [
        least_cross_entropy(fits),
        bound_holds(fits, BOUND_HOLDS, "intra_gap", 1.0),
        bound_holds(fits, NC3_HOLDS, "nc3_gap", NC3_FACTOR),
        vacuous_for_networks(networks),
        collapse_with_eps(free, INTRA_RATE, "intra_gap", INTRA_EXPONENT),
        collapse_with_eps(free, PAIRS_RATE, "inter_gap", PAIRS_EXPONENT),
        collapse_with_norms(free),
        every_delta.most_classes_hold(fits, probes(fits)),
        every_delta.vacuous_at_every_delta(networks, probes(networks)),
        every_delta.sharper_hold(fits, probes(fits)),
        every_delta.sharper_says_something(networks, last_probes(probes(networks))),
    ]


def least_cross_entropy(fits: Results) -> Claim:
    """Cross-entropy >= m(alpha, beta), without which there is no eps."""
    table = probes(fits)
    if table.empty:
        return LEAST_CROSS_ENTROPY.judged(fits, None, "nothing measured of a trial that fits")
    kept = int((table["eps"] >= -ROUNDING).sum())
    said = f"{kept} of {len(table)} points"
    least = f"; least eps {table['eps'].min():.2g}"
    return LEAST_CROSS_ENTROPY.judged(fits, kept == len(table), said + least, said)


def bound_holds(fits: Results, statement: Statement, gap: str, factor: float) -> Claim:
    """One of the theorem's bounds, ``factor`` times as far from 1 as that on min intra, where it is not vacuous."""
    table = probes(fits)
    if table.empty or "intra_cosine_lower_bound" not in table or table[gap].isna().all():
        return statement.judged(fits, None, "nothing measured of a trial that fits")
    table["allowed"] = factor * (1 - table["intra_cosine_lower_bound"])
    biting = table[table["allowed"] < 1]
    if biting.empty:
        return statement.judged(fits, None, "the bound is vacuous at every point")
    kept = int((biting[gap] <= biting["allowed"] + ROUNDING).sum())
    said = f"{kept} of {len(biting)} points"
    measured = (
        f"{said}, alpha beta {biting['alpha_beta'].min():.2g} to {biting['alpha_beta'].max():.2g}, eps up to "
        f"{biting['eps'].max():.2g}; the distance from 1 is at most {(biting[gap] / biting['allowed']).max():.2g} of "
        "what the bound allows"
    )
    return statement.judged(fits, kept == len(biting), measured, said)


def remark_vacuous_eps(alpha_beta: pd.Series[float], classes: int) -> pd.Series[float]:
    """The least eps at which the remark's bound says nothing, its constant taken as 1, delta = 1/C."""
    exponent = 2 * classes / (classes - 1)
    return alpha_beta.map(lambda product: product**2 * math.exp(-exponent * product) / classes)


def vacuous_for_networks(networks: Results) -> Claim:
    """The bound is vacuous for trained networks, and by how much, by the proof's constants and by the remark's."""
    table = probes(networks)
    if table.empty or "vacuous_eps" not in table:
        return VACUOUS.judged(networks, None, "no network that fits")
    table["remark_vacuous_eps"] = remark_vacuous_eps(table["alpha_beta"], networks.config.data.classes)
    counts, said, least = [], [], []
    for column, name in (("vacuous_eps", "the proof's constants"), ("remark_vacuous_eps", "the remark's")):
        counts.append(int((table["eps"] >= table[column]).sum()))
        final = orders_too_large(table, column).sort_values("orders").to_dict("records")
        ends = ", ".join(
            f"eps {row['eps']:.2g} at alpha beta {row['alpha_beta']:.3g} where {row[column]:.1g} is needed "
            f"({row['orders']:.1f} orders of magnitude)"
            for row in final[:: max(len(final) - 1, 1)]
        )
        least.append(f"{final[0]['orders']:.1f}")
        said.append(f"by {name} vacuous at {counts[-1]} of {len(table)} points; after training {ends}")
    holds = all(count == len(table) for count in counts)
    decays = networks.trials[WEIGHT_DECAY].nunique()
    several = Need("weight decays", f"{LEVELS} or more", f"{decays}", decays >= LEVELS)
    return VACUOUS.judged(networks, holds, "; ".join(said), f"{' or '.join(least)} orders at the least", [several])


def orders_too_large(networks: pd.DataFrame, needed: str = "vacuous_eps") -> pd.DataFrame:
    """The last row of each network with perfect training accuracy, ``orders`` = log10 of eps over the needed one."""
    final = last_probes(networks[networks["status"] == "interpolated"])
    return final.assign(orders=np.log10(final["eps"].clip(lower=ROUNDING) / final[needed]))


def slope(rows: pd.DataFrame, gap: str) -> float:
    """Of log ``gap`` against log eps by least squares; NaN where eps has too small a range."""
    low, high = FITTED_EPS
    rows = rows[rows["eps"].between(low, high) & (rows[gap] > ROUNDING)]
    if len(rows) < 3 or np.log10(rows["eps"].max() / rows["eps"].min()) < FITTED_DECADES:
        return float("nan")
    return float(np.polyfit(np.log10(rows["eps"]), np.log10(rows[gap]), 1)[0])


def collapse_with_eps(free: Results, statement: Statement, gap: str, exponent: float) -> Claim:
    """Free features collapse as eps falls, at the theorem's rate or faster."""
    table = probes(free)
    slopes = np.array([slope(rows, gap) for _, rows in table.groupby("trial")])
    fitted = slopes[~np.isnan(slopes)]
    window = Need(
        "its window could be fitted",
        f"{FITTED_DECADES:g} decades of eps in it, in every trial",
        f"{len(fitted)} of {len(slopes)} trials",
        0 < len(fitted) == len(slopes),
    )
    if len(fitted) == 0:
        return statement.judged(free, None, "no free features with enough range of eps", needs=[window])
    reached = table[gap].where(table["eps"].between(*FITTED_EPS)).min()
    range_of = f"exponents {fitted.min():.2f} to {fitted.max():.2f} ({len(fitted)} trials)"
    measured = f"{range_of}; least distance fitted {reached:.1g}"
    holds = bool((fitted >= exponent - SLOPE_NOISE).all())
    return statement.judged(free, holds, measured, f"{fitted.min():.2f} at the least", [window])


def collapse_with_norms(free: Results) -> Claim:
    """1 - min intra of free features of each alpha beta, over nine values of eps that all reach."""
    classes = free.config.data.classes
    table = probes(free)
    table = table[table["eps"].between(*FITTED_EPS) & (table["intra_gap"] > ROUNDING)]
    table = table[table["alpha_beta"] > (classes - 1) / classes]
    ends = table.groupby("trial")["eps"].agg(["min", "max"])
    count = table["alpha_beta"].round(6).groupby(table["trial"]).mean().round(6).nunique()
    several = Need("alpha beta", "2 or more", f"{count}", count >= 2)
    if count < 2 or not ends["min"].max() < ends["max"].min():
        return SMALLER_NORMS.judged(free, None, "no two free features with eps in common", needs=[several])
    eps = np.geomspace(ends["min"].max(), ends["max"].min(), 9)
    gaps: dict[float, list[float]] = {}  # log, by alpha beta, one a seed
    for _, rows in table.sort_values("eps").groupby("trial"):
        held = round(float(rows["alpha_beta"].mean()), 6)  # but for rounding
        line = np.interp(np.log(eps), np.log(rows["eps"]), np.log(rows["intra_gap"]))
        gaps.setdefault(held, []).append(float(line.mean()))
    steps = [
        (f"{larger:.3g} to {smaller:.3g}", larger, smaller) for smaller, larger in itertools.pairwise(sorted(gaps))
    ]
    more = between(
        {name: gaps[larger] for name, larger, _ in steps},
        {name: gaps[smaller] for name, _, smaller in steps},
        math.log1p(MORE),
    )
    ratios = ", ".join(f"{name} {math.exp(-log):.3g}" for name, log in more.means.items())
    least = math.exp(min(more.means.values()))
    measured = f"eps {eps[0]:.1g} to {eps[-1]:.1g}; 1 - min intra, alpha beta {ratios} times"
    return SMALLER_NORMS.judged(
        free, more.all_within, measured, f"{1 / least:.3g} times at the most", [several, more.told]
    )
