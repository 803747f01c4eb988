"""Theorem 2.3.1 for every share of the classes, k/C, and sharper bounds that say something of trained networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import data_as_drawn, finished
from nc_runner.experiments.pan2023.fits import LEVELS, WEIGHT_DECAY, measured

ROUNDING = 1e-14  # of a cosine and of a bound in float64 [choice]
SAYS = 0.1  # [choice] of a cosine, from which a lower bound is no mere sign

MOST_HOLD = Statement(
    "most_classes_bound_holds",
    "the theorem's bound holds for every share of the classes",
    "For every delta = k/C, k < C, at least (1-delta) C classes have the bound of Theorem 2.3.1, where it is not "
    "vacuous.",
    "Theorem 2.3.1, (2.20), with the constants of its proof; of the k-th least cosine by continuity in delta",
    "at each k the k-th least cosine is at least the bound, at every point where that is positive",
    (finished, data_as_drawn, measured("intra_cosine_lower_bound", "intra_cosine_augmented_1")),
)
MOST_VACUOUS = Statement(
    "vacuous_at_every_delta",
    "of trained networks it says nothing at any delta",
    "Giving up classes does not help: of a trained network the theorem says nothing even of one class, at "
    "delta = 1 - 1/C.",
    "Theorem 2.3.1; the reading is ours",
    "eps at least (C-1)^2 times the least at which the bound is vacuous at delta = 1/C, at every point",
    (finished, data_as_drawn, measured("eps", "vacuous_eps")),
    Kind.ours,
)
SHARPER_HOLD = Statement(
    "sharper_bounds_hold",
    "sharper bounds hold, for each class and for pairs",
    "The sharper bounds, whose distance from collapse falls as eps for classes and as eps^(1/2) for pairs, hold: of "
    "the k-th least intra-class cosine, k = 1 to C, and of the largest inter-class cosine.",
    "from Lemmas 2.4.3 and 2.4.5 and the convexity of the loss; see theory.sharper_near_optimal_bounds",
    f"at every point, to {ROUNDING:g}",
    (
        finished,
        data_as_drawn,
        measured(
            "intra_cosine_augmented_1",
            "max_inter_cosine_augmented",
            "sharper_intra_lower_bound_1",
            "sharper_inter_upper_bound",
        ),
    ),
    Kind.derived,
)
SHARPER_SAYS = Statement(
    "sharper_bound_says_something",
    "of trained networks the sharper bound says something",
    "Of trained networks the sharper bound says something, of every class, where the theorem says nothing.",
    "what the sharper bounds are for",
    f"above 0 for every class after the last epoch of every network that fits, and {SAYS:g} or more [choice] of one",
    (finished, data_as_drawn, measured("sharper_intra_lower_bound_1", "intra_cosine_augmented_1")),
    Kind.ours,
)


def column(table: pd.DataFrame, name: str) -> pd.Series[float]:
    """A metric, NaN where it was not measured."""
    return table[name] if name in table else pd.Series(np.nan, table.index)


def allowed_at(k: int, classes: int) -> float:
    """How far from 1 the theorem lets the k-th least cosine be, over what it lets the least: sqrt((1-delta)/delta)."""
    return float(np.sqrt((classes - k) / k / (classes - 1)))


def most_classes_hold(fits: Results, table: pd.DataFrame) -> Claim:
    """The theorem at delta = k/C, where it is not vacuous."""
    classes = fits.config.data.classes
    kept = counted = 0
    tightest, counts = 0.0, []
    for k in range(1, classes):
        allowed = (1 - column(table, "intra_cosine_lower_bound")) * allowed_at(k, classes)
        off = (1 - column(table, f"intra_cosine_augmented_{k}"))[allowed < 1]
        counts.append(len(off))
        counted += len(off)
        kept += int((off <= allowed[allowed < 1] + ROUNDING).sum())
        tightest = max(tightest, float((off / allowed[allowed < 1]).max())) if len(off) else tightest
    if not counted or "intra_cosine_augmented_1" not in table:
        return MOST_HOLD.judged(fits, None, "the bound is vacuous, or not measured, at every point")
    said = f"{kept} of {counted} points"
    biting = ", ".join(f"{count} at {k}/{classes}" for k, count in enumerate(counts, start=1))
    told = f"{said} ({biting}); the distance from 1 is at most {tightest:.2g} of what the bound allows"
    return MOST_HOLD.judged(fits, kept == counted, told, said)


def vacuous_at_every_delta(networks: Results, table: pd.DataFrame) -> Claim:
    """The theorem of trained networks, where it gives up all classes but one."""
    classes = networks.config.data.classes
    if table.empty or "vacuous_eps" not in table:
        return MOST_VACUOUS.judged(networks, None, "no network that fits")
    over = np.log10(table["eps"].clip(lower=ROUNDING) / table["vacuous_eps"])
    gained = 2 * np.log10(classes - 1)
    count = int((over >= gained).sum())
    told = (
        f"vacuous at {count} of {len(table)} points; eps is {over.min():.1f} orders too large at the least for every "
        f"class, {over.min() - gained:.1f} for one class"
    )
    decays = networks.trials[WEIGHT_DECAY].nunique()
    several = Need("weight decays", f"{LEVELS} or more", f"{decays}", decays >= LEVELS)
    number = f"{over.min() - gained:.1f} orders at the least"
    return MOST_VACUOUS.judged(networks, count == len(table), told, number, [several])


def sharper_hold(fits: Results, table: pd.DataFrame) -> Claim:
    """The sharper bounds, of every class and of the worst pair."""
    classes = fits.config.data.classes
    if table.empty or "sharper_intra_lower_bound_1" not in table:
        return SHARPER_HOLD.judged(fits, None, "not measured of a trial that fits")
    wrong, intra = 0, 0.0
    for k in range(1, classes + 1):
        off, allowed = (
            1 - column(table, f"intra_cosine_augmented_{k}"),
            1 - column(table, f"sharper_intra_lower_bound_{k}"),
        )
        wrong += int((~(off <= allowed + ROUNDING)).sum())
        intra = max(intra, float((off / allowed.clip(lower=ROUNDING)).max()))
    inter, bound = column(table, "max_inter_cosine_augmented"), column(table, "sharper_inter_upper_bound")
    wrong += int((~(inter <= bound + ROUNDING)).sum())
    bites = int((bound < 1).sum())
    told = (
        f"{wrong} values beyond their bounds at {len(table)} points; 1 - intra is at most {intra:.2g} of what is "
        f"allowed; that on pairs says something at {bites} points"
    )
    return SHARPER_HOLD.judged(fits, wrong == 0, told, f"{wrong} beyond")


def sharper_says_something(networks: Results, last: pd.DataFrame) -> Claim:
    """The sharper bound on the least cosine, of every network after training."""
    last = last.sort_values(WEIGHT_DECAY)
    if last.empty or "sharper_intra_lower_bound_1" not in last:
        return SHARPER_SAYS.judged(networks, None, "no network that fits, or not measured")
    bounds, least = last["sharper_intra_lower_bound_1"], column(last, "intra_cosine_augmented_1")
    ends = ", ".join(
        f"{bound:.2g} where it is {cosine:.2g} (lambda {decay:g})"
        for bound, cosine, decay in list(zip(bounds, least, last[WEIGHT_DECAY], strict=True))[:: max(len(last) - 1, 1)]
    )
    told = (
        f"above 0 of {int((bounds > 0).sum())} of {len(last)} networks, at most {bounds.max():.2g}; min intra >= {ends}"
    )
    decays = networks.trials[WEIGHT_DECAY].nunique()
    several = Need("weight decays", f"{LEVELS} or more", f"{decays}", decays >= LEVELS)
    return SHARPER_SAYS.judged(
        networks, bool((bounds > 0).all() and bounds.max() >= SAYS), told, f"{bounds.max():.2g} at the most", [several]
    )
