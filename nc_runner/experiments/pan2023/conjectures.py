"""Conjectures 3.1.1, 3.2.1 and 3.2.2 of Pan 2023, each judged with the least eps for which it holds.

They are stated for conic hull data, for networks that classify perfectly, at convergence. On other data, or at the
thesis's 300 epochs, the same quantities are observations of ours under ids of their own.

g = min intra-class - max inter-class cosine of uncentred features, over trials that fit the training set. A
tolerance is our choice and stands in the rule. Judged are means over seeds, with the noise that the seeds show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import torch

from nc_runner import metrics
from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import at_paper_sizes, data_is, decay_times, plain_network, seeds
from nc_runner.experiments.noise.contrast import above
from nc_runner.experiments.noise.trend import Trend, trend
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

INTRA, INTER, NCC = "min_intra_cosine_uncentred", "max_inter_cosine_uncentred", "ncc_accuracy"
NC3 = "min_self_duality_cosine"
GROWTH_TOLERANCE = 0.05  # [choice] loss of g allowed per factor e of weight decay
LAYER_TOLERANCE = 0.1  # [choice] loss of g allowed from a layer to the next
DEPTH_TOLERANCE = 0.4  # [choice] layers by which a mean effective depth may rise: two seeds of five by one layer
NCC_ERROR = 0.01  # [choice] the fixed small error of Conjecture 3.2.2
DEPTH_EPS = (0.001, NCC_ERROR, 0.1)  # [choice] NCC errors at which effective depth is drawn and told
_EACH_EPS = ", ".join(f"{eps:g}" for eps in DEPTH_EPS)

CONVERGED = (data_is(DataName.conic_hull), plain_network, decay_times(), seeds(SEEDS), measured(INTRA, INTER))
AS_SEEN = (at_paper_sizes("seeds", "model.norm", WEIGHT_DECAY), seeds(SEEDS), measured(INTRA, INTER))

GROWTH_RULE = (
    "means over seeds rise with weight decay beyond chance (Jonckheere's test) and none lies below that of a smaller "
    f"weight decay by more than eps = {GROWTH_TOLERANCE:g} [choice] per factor e; such a fall beyond the noise of all "
    "pairs counts against it"
)
GROWTH = Statement(
    "growth",
    "on conic hull data g grows with weight decay (Conj. 3.1.1)",
    "Conic hull data, perfect classification, BatchNorm before the last layer, at convergence: there is a small eps "
    "with g(l2) - g(l1) > -eps log(l2/l1) for weight decays l1 < l2.",
    "Conjecture 3.1.1",
    f"{GROWTH_RULE}; over trials of ten decay times or more",
    CONVERGED,
)
GROWTH_SEEN = Statement(
    "g_at_300_epochs",
    "after 300 epochs g grows with weight decay",
    "With affine BatchNorm g is larger at larger weight decay after the thesis's 300 epochs, on the teacher's data. "
    "These are less than ten decay times at weight decays up to 1e-3, so a part of it is training time.",
    "Figure 3.1; not Conjecture 3.1.1, which is about other data at convergence",
    GROWTH_RULE,
    (*AS_SEEN, data_is(DataName.teacher)),
    Kind.ours,
)

LAYER_RULE = (
    f"the mean over seeds of g loses at most eps = {LAYER_TOLERANCE:g} [choice] from a layer to the next, noise added, "
    "at every weight decay; a larger loss beyond noise counts against it"
)
LAYERS = Statement(
    "growth_with_layer",
    "on conic hull data g never falls by layer (Conj. 3.2.1)",
    "Conic hull data, perfect classification, BatchNorm, at convergence: there is a small eps with g(layer l+1) - "
    "g(layer l) > -eps for neighbouring layers.",
    "Conjecture 3.2.1",
    f"{LAYER_RULE}; over trials of ten decay times or more",
    CONVERGED,
)
LAYERS_SEEN = Statement(
    "g_by_layer_at_300_epochs",
    "after 300 epochs g never falls by layer",
    "g does not fall from a layer to the next after the thesis's 300 epochs, on the teacher's data.",
    "Figure 3.3; not Conjecture 3.2.1, which is about other data at convergence",
    LAYER_RULE,
    (*AS_SEEN, data_is(DataName.teacher)),
    Kind.ours,
)

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


def per_factor_e(low: float, high: float) -> float:
    """The logarithm by which Conjecture 3.1.1 multiplies eps."""
    return math.log(high / low)


def growth_trend(table: pd.DataFrame) -> Trend:
    """Of the column ``gap`` over positive weight decays."""
    return trend(
        groups(table[table[WEIGHT_DECAY] > 0], WEIGHT_DECAY, "gap"),
        lambda low, high: GROWTH_TOLERANCE * per_factor_e(low, high),
    )


def with_gap(table: pd.DataFrame) -> pd.DataFrame:
    """With g as the column ``gap``; NaN where a cosine was not measured."""
    return table.assign(gap=table[INTRA] - table[INTER] if {INTRA, INTER} <= set(table) else math.nan)


def growth_with_weight_decay(
    fits: Results, statement: Statement, layer: int | None = None, *, late: bool = False
) -> Claim:
    """g of the last features over weight decay, of trials that fit.

    Args:
        layer: whose g, where several were measured.
        late: over the trials of ten decay times or more, if they are enough.
    """
    chosen = enough_seeds(converged(fits) if late else fits)
    table = with_gap(chosen.final() if layer is None else at_layer(chosen, layer))
    mean = table.groupby(WEIGHT_DECAY)["gap"].mean()
    if len(mean) < LEVELS:
        return statement.judged(chosen, None, f"{len(mean)} weight decays fit, fewer than {LEVELS}")
    if mean.isna().any():
        return statement.judged(chosen, None, "g is not defined at some weight decay")
    found = growth_trend(table)
    eps, sure = found.eps(per_factor_e), found.eps(per_factor_e, beyond_noise=True)
    beyond = f", {sure:.3f} beyond noise" if all(math.isfinite(noise) for _, _, _, noise, _ in found.pairs) else ""
    measured = (
        f"g from {mean.iloc[0]:.3f} at {mean.index[0]:g} to {mean.iloc[-1]:.3f} at {mean.index[-1]:g}, largest "
        f"{mean.max():.3f} at {mean.idxmax():g}; smallest eps {eps:.3f}{beyond}; p {found.p:.2g}; "
        f"{seeds_said(table)}{left_out(fits, chosen)}"
    )
    return statement.judged(chosen, found.rises, measured, f"eps {eps:.3f}", [found.told])


def at_layer(results: Results, layer: int) -> pd.DataFrame:
    """The final table of one layer."""
    table = results.final_by_layer(INTRA, INTER)
    return table[table["layer"] == layer]


def seeds_said(table: pd.DataFrame) -> str:
    """How many seeds."""
    count = table["seed"].nunique()
    return f"{count} seed{'s' * (count != 1)}"


def growth_with_layer(fits: Results, statement: Statement, *, late: bool = False) -> Claim:
    """g over the hidden layers, by neighbours; the least eps of all pairs beside it."""
    chosen = enough_seeds(converged(fits) if late else fits)
    hidden = with_gap(chosen.final_by_layer(INTRA, INTER))
    hidden = hidden[hidden["layer"] < fits.config.model.depth]
    if hidden["layer"].nunique() < 2:
        return statement.judged(chosen, None, "no two hidden layers of a trial that fits")
    found = above(steps_of(hidden, "gap")[0], -LAYER_TOLERANCE)
    mean = hidden.groupby([WEIGHT_DECAY, "layer"])["gap"].mean().unstack(WEIGHT_DECAY)
    neighbours = (-mean.diff()).max().clip(lower=0)
    every = (mean.cummax() - mean).max()
    measured = (
        f"smallest eps by neighbours {listed(neighbours)}; by all pairs of layers {listed(every)}; {seeds_said(hidden)}"
        f"{left_out(fits, chosen)}"
    )
    return statement.judged(chosen, found.all_within, measured, f"eps {neighbours.max():.3f}", [found.told])


def steps_of(hidden: pd.DataFrame, column: str) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """By weight decay: the changes from each hidden layer to the next, and from the first to the last, one a seed."""
    table = hidden.set_index([WEIGHT_DECAY, "id", "layer"])[column].unstack("layer")
    changes, whole = table.diff(axis=1).iloc[:, 1:], table.iloc[:, -1] - table.iloc[:, 0]
    steps, rises = {}, {}
    for decay, row in table.groupby(level=0).indices.items():
        for layer, values in zip(changes.columns, changes.to_numpy()[row].T, strict=True):
            steps[f"{decay:g}, layer {layer}"] = sorted(values.tolist())
        rises[f"{decay:g}"] = sorted(whole.to_numpy()[row].tolist())
    return steps, rises


def listed(by_decay: pd.Series[float]) -> str:
    """A value a weight decay."""
    return ", ".join(f"{value:.3f} at {decay:g}" for decay, value in by_decay.items())


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
