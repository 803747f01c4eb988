"""Conjecture 3.2.2 of Pan 2023: the larger the weight decay, the fewer layers it takes to classify by nearest means.

Effective depth (Definition 3.2.2) is the least layer with an NCC training error of at most eps. The conjecture is of
some small eps; one is judged, all that are told have to fail before it is refuted.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch

from nc_runner import metrics
from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.needs import at_paper_sizes, data_is, decay_times, plain_network, seeds
from nc_runner.experiments.noise.trend import Trend, trend
from nc_runner.experiments.pan2023.conjectures import seeds_said
from nc_runner.experiments.pan2023.fits import (
    LEVELS,
    SEEDS,
    WEIGHT_DECAY,
    converged,
    enough_seeds,
    groups,
    left_out,
    measured,
)

NCC = "ncc_accuracy"
DEPTH_TOLERANCE = 0.4  # [choice] layers by which a mean effective depth may rise: two seeds of five by one layer
NCC_ERROR = 0.01  # [choice] the fixed small error of Conjecture 3.2.2
DEPTH_EPS = (0.001, NCC_ERROR, 0.1)  # [choice] NCC errors at which effective depth is drawn and told
_EACH_EPS = ", ".join(f"{eps:g}" for eps in DEPTH_EPS)

DEPTH = Statement(
    "depth_falls_with_weight_decay",
    "on conic hull data no deeper with decay (Conj. 3.2.2)",
    "Conic hull data, perfect classification, at convergence, for some fixed small error eps: effective depth, the "
    "least layer with an NCC training error of at most eps, is not larger at a larger weight decay.",
    "Conjecture 3.2.2, Definition 3.2.2",
    f"at eps = {NCC_ERROR:g} [choice] no mean over seeds rises by more than {DEPTH_TOLERANCE:g} layers [choice] above "
    f"that of a smaller weight decay; a larger rise beyond noise at each eps of {_EACH_EPS} [choice] counts against "
    "it, as it is said of some eps; over trials of ten decay times or more whose logits have an NCC error of at most "
    "eps",
    (data_is(DataName.conic_hull), plain_network, decay_times(), seeds(SEEDS), measured(NCC)),
)
DEPTH_SEEN = Statement(
    "fewer_layers_with_weight_decay",
    "fewer layers to near-perfect NCC as weight decay grows",
    "Where training is perfect, fewer layers reach near-perfect NCC accuracy as weight decay grows.",
    "section 3.2.2, Figure 3.3",
    f"effective depth at an NCC error of {NCC_ERROR:g} [choice] falls with weight decay beyond chance (Jonckheere's "
    f"test), and no mean rises by more than {DEPTH_TOLERANCE:g} layers [choice]; a larger rise beyond noise counts "
    "against it; over trials whose logits have an NCC error of at most as much",
    (at_paper_sizes("seeds", WEIGHT_DECAY), data_is(DataName.teacher), seeds(SEEDS), measured(NCC)),
)


def effective_depths(layers: pd.DataFrame, eps: float) -> pd.DataFrame:
    """Effective depth of each trial (Definition 3.2.2): columns id, seed, weight decay, ``effective_depth``."""
    rows = []
    for (trial, seed, decay), part in layers.groupby(["id", "seed", WEIGHT_DECAY], sort=False):
        accuracy = torch.tensor(part.sort_values("layer")[NCC].to_numpy(copy=True))
        rows.append([trial, seed, decay, int(metrics.effective_depth(accuracy, eps))])
    return pd.DataFrame(rows, columns=["id", "seed", WEIGHT_DECAY, "effective_depth"])


def separated(layers: pd.DataFrame, depth: int, eps: float) -> pd.DataFrame:
    """The layers of the trials whose logits have an NCC error of at most eps, so that a layer reaches it."""
    last = layers[layers["layer"] == depth]
    return layers[layers["id"].isin(last.loc[1 - last[NCC] <= eps, "id"])] if NCC in layers else layers.iloc[:0]


def depth_trend(depths: pd.DataFrame) -> Trend:
    """Of the negative effective depth over weight decay, as a fall of depth is a rise of that."""
    lowered = groups(depths.assign(lowered=-depths["effective_depth"]), WEIGHT_DECAY, "lowered")
    return trend(lowered, lambda low, high: DEPTH_TOLERANCE * (1 + 1e-9), rounding=1)


def some_eps_told(trends: Mapping[float, Trend]) -> Need:
    """Whether depth could be told not to rise at the eps that is judged, or to rise at every one: the conjecture is
    of some eps, which one that fails does not refute."""
    rises = [f"{eps:g}" for eps, of in trends.items() if of.falls]  # trends are of the negative depth
    holds = trends[NCC_ERROR].level
    found = f"no rise at {NCC_ERROR:g}" if holds else f"a rise beyond noise at {' and '.join(rises) or 'none'}"
    required = f"no rise of the means at an eps of {NCC_ERROR:g}, or one beyond noise at each of {_EACH_EPS}"
    return Need("told from noise", required, found, holds or len(rises) == len(trends))


def depth_falls_with_weight_decay(fits: Results, statement: Statement, *, strictly: bool, late: bool = False) -> Claim:
    """Effective depth over weight decay at one eps, the others reported; ``strictly``: whether it has to fall."""
    chosen = enough_seeds(converged(fits) if late else fits)
    depth, layers = fits.config.model.depth, chosen.final_by_layer(NCC)
    by_eps = {eps: effective_depths(separated(layers, depth, eps), eps) for eps in DEPTH_EPS}
    trends = {eps: depth_trend(depths) for eps, depths in by_eps.items()}
    found = trends[NCC_ERROR]
    of = chosen.only(chosen.trials["id"].isin(separated(layers, depth, NCC_ERROR)["id"]))
    if of.trials[WEIGHT_DECAY].nunique() < LEVELS:
        return statement.judged(of, None, f"fewer than {LEVELS} weight decays with an NCC error of {NCC_ERROR:g}")
    said = {}
    for eps, depths in by_eps.items():
        mean = depths.groupby(WEIGHT_DECAY)["effective_depth"].mean()
        said[eps] = ", ".join(f"{value:.3g}" for value in mean)
    least = next((f"{eps:g}" for eps, of_eps in trends.items() if of_eps.level), "none")
    ends = said[NCC_ERROR].split(", ")
    measured = "depth by rising weight decay, " + "; ".join(f"eps {eps:g}: {means}" for eps, means in said.items())
    measured += f"; smallest of these eps at which no mean rises: {least}; {seeds_said(of.trials)}{left_out(fits, of)}"
    holds, told = (found.rises, found.told) if strictly else (found.level, some_eps_told(trends))
    return statement.judged(of, holds, measured, f"{ends[0]} to {ends[-1]} layers", [told])
