"""What section 1.4 of Pan 2023 and Pan and Cao 2023 say of complexity, judged on the best over weight decays."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.needs import decay_times, grid_complete, seeds
from nc_runner.experiments.noise.contrast import between
from nc_runner.experiments.noise.trend import trend
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.dataset_complexity.measure import RATIO, with_complexity
from nc_runner.experiments.pan2023.fits import SEEDS, WEIGHT_DECAY, fitting, groups, measured, of_enough_seeds

_NEEDS = (decay_times(), seeds(SEEDS), measured(INTRA, INTER, RATIO))  # of the trials at each best
FALLS = Statement(
    "complexity_gap",
    "the simpler the data, the larger the best g",
    "The lower the complexity of the data's distribution, the more collapse networks can achieve: from conic hull to "
    "teachers of depth 3, 6 and 9, in g = min intra - max inter.",
    "section 1.4; Pan and Cao (2023)",
    "the best over weight decays of the mean of g over seeds falls from each data set to the next, and beyond chance "
    "(Jonckheere's test); a rise beyond noise counts against it",
    _NEEDS,
)
RATIO_RISES = Statement(
    "complexity_within_between_trace_ratio",
    "the simpler the data, the smaller the best scatter",
    "The lower the complexity of the data's distribution, the more collapse networks can achieve: from conic hull to "
    "teachers of depth 3, 6 and 9, in tr S_W / tr S_B.",
    "section 1.4; Pan and Cao (2023)",
    "as for g, of log(tr S_B / tr S_W)",
    _NEEDS,
)
ENDS = Statement(
    "simplest_against_hardest",
    "the simplest data collapse further than the most complex",
    "Networks can achieve more collapse on the simplest data set than on the most complex one.",
    "section 1.4; Pan and Cao (2023)",
    "the best over weight decays of the mean of g over seeds is larger beyond noise",
    _NEEDS,
)


def claims(results: Results) -> list[Claim]:
    """The best of each data set over its weight decays falls with complexity, in g and in the trace ratio."""
    fits, whole = fitting(results), grid_complete()(results)
    return [
        falls_with_complexity(fits, FALLS, "gap", whole),
        falls_with_complexity(fits, RATIO_RISES, "log_ratio", whole),
        simplest_against_hardest(fits, whole),
    ]


def collapse_of(fits: Results, metric: str) -> pd.DataFrame:
    """The trials that fit, with a column of the metric, more of which is more collapse."""
    table = with_complexity(fits.final())
    if metric == "log_ratio":  # of scatter between to within the classes
        return table.assign(log_ratio=-np.log(table[RATIO].clip(lower=np.finfo(float).tiny)) if RATIO in table else 0.0)
    return table


def best(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The trials of each data set at the weight decay with the largest mean over seeds, of those where enough fit."""
    chosen = []
    for _, rows in table.groupby("complexity"):
        enough = rows[of_enough_seeds(rows)]
        mean = enough.groupby(WEIGHT_DECAY)[metric].mean().dropna()
        if len(mean):
            chosen.append(enough[enough[WEIGHT_DECAY] == mean.idxmax()])
    return pd.concat(chosen) if chosen else table.iloc[:0]


def best_found(fits: Results, table: pd.DataFrame, chosen: pd.DataFrame, metric: str) -> Need:
    """Whether each data set's best weight decay lies between others that were tried, so that no end is better still,
    and none is better that was left out because too few seeds fit there.
    """
    tried = [float(value) for value in fits.grid.get(WEIGHT_DECAY, [])]
    low, high = (min(tried), max(tried)) if tried else (math.inf, -math.inf)
    lacks = []
    for of, rows in chosen.groupby("complexity"):
        name, decay = rows["name"].iloc[0], rows[WEIGHT_DECAY].iloc[0]
        means = table[table["complexity"] == of].groupby(WEIGHT_DECAY)[metric].mean()
        if not low * (1 + 1e-9) < decay < high * (1 - 1e-9):
            lacks.append(f"{name}: best at the {'least' if decay < high else 'largest'} tried")
        elif means.max() > means[decay]:
            lacks.append(f"{name}: better at {means.idxmax():g}, where too few seeds fit")
    required = "each data set's best between the least and the largest tried, and none better where too few seeds fit"
    return Need("best weight decay found", required, "; ".join(lacks) or "all", not lacks)


def falls_with_complexity(fits: Results, statement: Statement, metric: str, whole: Need) -> Claim:
    """The trend of the best over falling complexity."""
    table = collapse_of(fits, metric)
    chosen = best(table, metric)
    judged = fits.only(fits.trials["id"].isin(chosen["id"]))
    mean = chosen.groupby("complexity")[metric].mean()
    if len(mean) < 3:
        return statement.judged(judged, None, f"{len(mean)} data sets with a trial that fits, fewer than 3")
    found = trend(groups(chosen.assign(simplicity=-chosen["complexity"]), "simplicity", metric), lambda low, high: 0.0)
    said = [
        f"{rows[metric].mean():.3f} on {rows['name'].iloc[0]} (weight decay {rows[WEIGHT_DECAY].iloc[0]:g})"
        for _, rows in chosen.groupby("complexity")
    ]
    number = " > ".join(f"{value:.2f}" for value in mean) if mean.is_monotonic_decreasing else f"{mean.iloc[0]:.2f} ..."
    needs = [found.told, best_found(fits, table, chosen, metric), whole]
    return statement.judged(judged, found.rises, f"{', '.join(said)}; p {found.p:.2g}", number, needs)


def simplest_against_hardest(fits: Results, whole: Need) -> Claim:
    """The simplest and the most complex data set alone, as neighbours may be too close to tell apart."""
    table = collapse_of(fits, "gap")
    chosen = best(table, "gap")
    ends = [chosen["complexity"].min(), chosen["complexity"].max()]
    judged = fits.only(fits.trials["id"].isin(chosen.loc[chosen["complexity"].isin(ends), "id"]))
    if chosen["complexity"].nunique() < 2:
        return ENDS.judged(judged, None, "fewer than two data sets with a trial that fits")
    simple, complex_ = (sorted(chosen.loc[chosen["complexity"] == end, "gap"].tolist()) for end in ends)
    found = between({"best": simple}, {"best": complex_})
    said = f"{np.mean(simple):.3f} against {np.mean(complex_):.3f}"
    needs = [found.told, best_found(fits, table, chosen, "gap"), whole]
    return ENDS.judged(judged, found.all_within, said, said, needs)
