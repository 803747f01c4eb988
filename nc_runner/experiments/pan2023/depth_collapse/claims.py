"""What Pan 2023 says of depth (section 1.4), and of the norms alpha and beta under weight decay (p. 17)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.needs import (
    at_paper_sizes,
    data_is,
    decay_times,
    finished,
    grid_complete,
    plain_network,
    seeds,
)
from nc_runner.experiments.noise.contrast import between
from nc_runner.experiments.noise.trend import trend
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, with_gap
from nc_runner.experiments.pan2023.fits import LEVELS, SEEDS, WEIGHT_DECAY, enough_seeds, fitting, groups, measured

DEPTH = "model.depth"
FALL = 0.05  # [choice] of g, by which a deeper network may lie below a shallower one
MARGIN = 0.05  # [choice] of g: what counts as more collapse than without weight decay
NORMS = ("feature_second_moment", "weight_squared_norm")

_FIGURE = (data_is(DataName.teacher), plain_network, at_paper_sizes("seeds", DEPTH, WEIGHT_DECAY))
DEEPER = Statement(
    "deeper_collapses_more",
    "deeper networks collapse more",
    "With affine BatchNorm and weight decay deeper networks collapse more.",
    "section 1.4",
    "at every positive weight decay the means over seeds of g rise with depth beyond chance (Jonckheere's test), and "
    f"none lies below that of a shallower network by more than {FALL:g} [choice]; such a fall beyond noise counts "
    "against it; over depths that fit",
    (*_FIGURE, decay_times(), seeds(SEEDS), measured(INTRA, INTER)),
)
CONTROL = Statement(
    "weight_decay_is_needed",
    "without weight decay there is less collapse, at any depth",
    "Collapse needs both affine BatchNorm and weight decay: with affine BatchNorm and no weight decay there is less of "
    "it, at every depth.",
    "section 1.4",
    f"at every depth the mean of g over seeds at each positive weight decay is larger than at 0 by {MARGIN:g} [choice] "
    "and the noise; one that is not, beyond noise, counts against it",
    (*_FIGURE, seeds(SEEDS), measured(INTRA, INTER)),
)
SMALLER_NORMS = Statement(
    "norms_fall_with_weight_decay",
    "alpha and beta fall with weight decay",
    "The norms alpha of the last features and beta of the output weights are smaller at larger weight decay.",
    "p. 17",
    "at every depth the means over seeds of log alpha and of log beta are smaller at each positive weight decay than "
    "at the next smaller one, beyond noise; one that is larger beyond noise counts against it",
    (*_FIGURE, decay_times(), seeds(SEEDS), measured(*NORMS)),
)
PRODUCT = Statement(
    "norms_above_threshold",
    "alpha beta is above (C-1)/C",
    "alpha beta > (C-1)/C, from where on the theorem's bound is the better the smaller alpha beta is, at equal eps.",
    "p. 17, the remark under Theorem 2.3.1",
    "in every trial that fits, at every weight decay",
    (finished, plain_network, grid_complete(), measured(*NORMS)),
)


def claims(results: Results) -> list[Claim]:
    """Depth, its control, the norms."""
    every = fitting(results)
    fits = enough_seeds(every, DEPTH)
    decayed = fits.only(fits.trials[WEIGHT_DECAY].astype(float) > 0)
    return [deeper(decayed), control(fits), smaller_norms(decayed), product_of_norms(every)]


def with_norms(table: pd.DataFrame, classes: int) -> pd.DataFrame:
    """With alpha = sqrt(mean ||h||^2) and beta = ||W||_F / sqrt(C); NaN where they were not measured."""
    moment, weight = (table.get(name, pd.Series(np.nan, table.index)) for name in NORMS)
    return table.assign(alpha=moment**0.5, beta=(weight / classes) ** 0.5)


def told(required: str, holds: bool, refuted: bool) -> Need:
    """Whether the rule could be told to hold, or not to."""
    return Need("told from noise", required, "so" if holds else "refuted" if refuted else "neither", holds or refuted)


def deeper(decayed: Results) -> Claim:
    """The trend of g over depth at each positive weight decay."""
    table = with_gap(decayed.final())
    by_decay = {float(decay): groups(rows, DEPTH, "gap") for decay, rows in table.groupby(WEIGHT_DECAY)}  # type: ignore[arg-type]
    if not by_decay or min(map(len, by_decay.values())) < LEVELS:
        return DEEPER.judged(decayed, None, f"fewer than {LEVELS} depths fit at some weight decay")
    found = {decay: trend(of, lambda low, high: FALL) for decay, of in by_decay.items()}
    holds = all(one.rises for one in found.values())
    refuted = any(one.falls for one in found.values())
    said = []
    for decay, of in by_decay.items():
        means = ", ".join(f"{np.mean(values):.3f}" for values in of.values())
        said.append(f"at {decay:g} {means} (p {found[decay].p:.2g})")
    depths = ", ".join(f"{depth:g}" for depth in sorted(table[DEPTH].unique()))
    need = told("a rise at every weight decay, or a fall beyond noise at one", holds, refuted)
    number = f"{sum(one.rises for one in found.values())} of {len(found)} weight decays"
    return DEEPER.judged(decayed, holds, f"g over depths {depths}: {'; '.join(said)}", number, [need])


def control(fits: Results) -> Claim:
    """g at each positive weight decay less g without, at each depth."""
    table = with_gap(fits.final())
    without = groups(table[table[WEIGHT_DECAY] == 0], DEPTH, "gap")
    high, low = {}, {}
    for decay, rows in table[table[WEIGHT_DECAY] > 0].groupby(WEIGHT_DECAY):
        for depth, values in groups(rows, DEPTH, "gap").items():
            if depth in without:
                name = f"depth {depth:g}, {decay:g}"
                high[name], low[name] = values, without[depth]
    if not high:
        return CONTROL.judged(fits, None, "no depth that fits both with weight decay and without")
    found = between(high, low, MARGIN)
    name, least = min(((name, more) for name, more in found.means.items()), key=lambda pair: pair[1])
    means = ", ".join(f"{np.mean(values):.3f} at depth {depth:g}" for depth, values in without.items())
    measured = f"with weight decay g is larger by {least:.3f} at the least ({name}); without g is {means}"
    return CONTROL.judged(fits, found.all_within, measured, f"{least:.3f} at the least", [found.told])


def smaller_norms(decayed: Results) -> Claim:
    """log alpha and log beta at each positive weight decay less those at the next larger one, at each depth."""
    table = with_norms(decayed.final(), decayed.config.data.classes)
    comparisons, said = [], []
    for norm in ("alpha", "beta"):
        logs = table.assign(log=np.log(table[norm].clip(lower=np.finfo(float).tiny)))
        low, high = {}, {}
        for depth, rows in logs.groupby(DEPTH):
            of = groups(rows, WEIGHT_DECAY, "log")
            for smaller, larger in itertools.pairwise(sorted(of)):
                name = f"depth {depth:g}, {smaller:g} to {larger:g}"
                low[name], high[name] = of[smaller], of[larger]
        comparisons.append(between(low, high))
        means = table.groupby(WEIGHT_DECAY)[norm].mean()
        said.append(f"{norm} " + ", ".join(f"{value:.3g} at {decay:g}" for decay, value in means.items()))
    if not all(one.contrasts for one in comparisons):
        return SMALLER_NORMS.judged(decayed, None, "no depth that fits at two positive weight decays")
    holds = all(one.all_within for one in comparisons)
    falling = sum(more > 0 for one in comparisons for more in one.means.values())
    steps = sum(len(one.contrasts) for one in comparisons)
    need = told("each falls beyond noise, or one rises beyond noise", holds, any(one.outside for one in comparisons))
    number = f"{falling} of {steps} steps"
    return SMALLER_NORMS.judged(decayed, holds, f"means over depths: {'; '.join(said)}", number, [need])


def product_of_norms(fits: Results) -> Claim:
    """alpha beta against (C-1)/C in each trial that fits."""
    classes = fits.config.data.classes
    table = with_norms(fits.final(), classes)
    product, limit = table["alpha"] * table["beta"], (classes - 1) / classes
    if table.empty:
        return PRODUCT.judged(fits, None, "no trial that fits")
    means = product.groupby(table[WEIGHT_DECAY]).mean()
    said = ", ".join(f"{value:.3g} at {decay:g}" for decay, value in means.items())
    least = product.min()
    measured = f"least alpha beta {least:.3g}, to be above {limit:.3g}; means by weight decay {said}"
    return PRODUCT.judged(
        fits, bool((product > limit).all()), measured, f"{least:.3g} > {limit:.3g}" if least > limit else f"{least:.3g}"
    )
