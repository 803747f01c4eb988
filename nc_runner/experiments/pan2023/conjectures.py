"""Conjectures 3.1.1 and 3.2.1 of Pan 2023, each judged with the least eps for which it holds.

They are stated for conic hull data, for networks that classify perfectly, at convergence. On other data, or at the
thesis's 300 epochs, the same quantities are observations of ours under ids of their own.

g = min intra-class - max inter-class cosine of uncentred features, over trials that fit the training set. A
tolerance is our choice and stands in the rule. Judged are means over seeds, with the noise that the seeds show.
"""

from __future__ import annotations

import math

import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Kind, Results, Statement
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

INTRA, INTER = "min_intra_cosine_uncentred", "max_inter_cosine_uncentred"
NC3 = "min_self_duality_cosine"
GROWTH_TOLERANCE = 0.05  # [choice] loss of g allowed per factor e of weight decay
LAYER_TOLERANCE = 0.1  # [choice] loss of g allowed from a layer to the next

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
