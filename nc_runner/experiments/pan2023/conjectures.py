"""Conjectures 3.1.1, 3.2.1 and 3.2.2 of Pan 2023 as predicates, each with the least eps for which it holds.

g = min intra-class - max inter-class cosine of uncentred features, over trials that fit the training set. A
tolerance is our choice and stands in the claim. A conjecture is judged on means over seeds; the share of comparisons
within single seeds that agree is reported beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from nc_runner import metrics
from nc_runner.experiments.base import Claim

WEIGHT_DECAY = "train.weight_decay"
INTRA, INTER, NCC = "min_intra_cosine_uncentred", "max_inter_cosine_uncentred", "ncc_accuracy"
GROWTH_TOLERANCE = 0.05  # [choice] loss of g allowed per factor e of weight decay
LAYER_TOLERANCE = 0.1  # [choice] loss of g allowed from a layer to any later one
SEEDS_TO_REFUSE = 3  # [choice] with fewer seeds nothing is known of their spread
DEPTH_EPS = (0.001, 0.01, 0.1)  # [choice] NCC errors at which effective depth is taken


def pairs(values: pd.Series[float]) -> Iterator[tuple[float, float, float, float]]:
    """(x1, y1, x2, y2) for every two points x1 < x2 of a series y over x."""
    points = [(float(x), float(y)) for x, y in values.sort_index().items()]  # type: ignore[arg-type]
    for i, (x1, y1) in enumerate(points):
        for x2, y2 in points[i + 1 :]:
            yield x1, y1, x2, y2


def growth_eps(gap: pd.Series[float]) -> float:
    """The least eps >= 0 with g(l2) - g(l1) >= -eps log(l2/l1) for all weight decays 0 < l1 < l2 (Conjecture 3.1.1)."""
    return max([0.0, *((y1 - y2) / math.log(x2 / x1) for x1, y1, x2, y2 in pairs(gap) if x1 > 0)])


def growth_eps_beyond_noise(perfect: pd.DataFrame) -> float:
    """As :func:`growth_eps`, each mean fall of g within seeds first lessened by twice its standard error.

    NaN where no two weight decays share :data:`SEEDS_TO_REFUSE` seeds, so that nothing can be said of the noise.
    """
    by_seed = perfect.pivot_table(index="seed", columns=WEIGHT_DECAY, values="gap")
    decays, gaps = by_seed.columns.to_numpy(dtype=float), by_seed.to_numpy()
    found = []
    for low, high in itertools.combinations(np.flatnonzero(decays > 0), 2):
        falls = gaps[:, low] - gaps[:, high]
        falls = falls[np.isfinite(falls)]
        if len(falls) >= SEEDS_TO_REFUSE:
            sure = falls.mean() - 2 * falls.std(ddof=1) / math.sqrt(len(falls))
            found.append(max(0.0, sure / math.log(decays[high] / decays[low])))
    return max(found, default=math.nan)


def layer_eps(gap: pd.Series[float]) -> float:
    """The least eps >= 0 with g(j) >= g(i) - eps for all layers i < j (Conjecture 3.2.1)."""
    return max([0.0, *(y1 - y2 for _, y1, _, y2 in pairs(gap))])


def agreement(table: pd.DataFrame, group: list[str], x: str, y: str, *, falling: bool = False) -> tuple[int, int]:
    """(how many, of how many) comparisons of two values of ``x`` within a group do not contradict growth of ``y``."""
    sign = -1 if falling else 1
    compared = [
        sign * (y2 - y1) >= 0 for _, part in table.groupby(group) for _, y1, _, y2 in pairs(part.set_index(x)[y])
    ]
    return sum(compared), len(compared)


def growth_with_weight_decay(perfect: pd.DataFrame, of: str, *, id: str = "growth") -> Claim:
    """Conjecture 3.1.1 on last-layer features; ``perfect`` has one row a trial with the column ``gap``."""
    gap = perfect.groupby(WEIGHT_DECAY)["gap"].mean().dropna()
    holds, measured = None, "fewer than two weight decays with perfect accuracy"
    if len(gap) >= 2:
        eps, seeds = growth_eps(gap), perfect["seed"].nunique()
        agree, compared = agreement(perfect, ["seed"], WEIGHT_DECAY, "gap")
        sure, grown = growth_eps_beyond_noise(perfect), gap.iloc[-1] > gap.iloc[0]
        refused = not grown or sure > GROWTH_TOLERANCE
        holds = False if refused else True if eps <= GROWTH_TOLERANCE else None
        noise = "" if math.isnan(sure) else f" ({sure:.3f} beyond twice the standard error over seeds)"
        measured = (
            f"g from {gap.iloc[0]:.3f} at {gap.index[0]:g} to {gap.iloc[-1]:.3f} at {gap.index[-1]:g}, "
            f"largest {gap.max():.3f} at {gap.idxmax():g}; smallest eps {eps:.3f}{noise}; "
            f"{agree} of {compared} comparisons within a seed agree ({seeds} seed{'s' * (seeds > 1)})"
        )
    return Claim(
        id,
        f"{of}, collapse, g = min intra - max inter, grows with weight decay: g(l2) - g(l1) > -eps log(l2/l1) "
        "(Conjecture 3.1.1).",
        f"g larger at the largest weight decay than at the least, and eps <= {GROWTH_TOLERANCE:g} [choice]; a larger "
        f"eps counts against it where {SEEDS_TO_REFUSE} seeds or more show it to be no noise",
        measured,
        Claim.judge(holds),
    )


def growth_with_layer(layers: pd.DataFrame) -> Claim:
    """Conjecture 3.2.1; ``layers`` has one row a perfect trial and hidden layer with the column ``gap``."""
    mean = layers.groupby([WEIGHT_DECAY, "layer"])["gap"].mean()
    eps = {str(decay): layer_eps(part.droplevel(0)) for decay, part in mean.groupby(level=0)}
    holds, measured = None, "no trial with perfect accuracy"
    if eps:
        agree, compared = agreement(layers, ["id"], "layer", "gap")
        holds = max(eps.values()) <= LAYER_TOLERANCE
        each = ", ".join(f"{value:.3f} at {float(decay):g}" for decay, value in eps.items())
        measured = f"smallest eps {each}; {agree} of {compared} pairs of layers within a trial agree"
    return Claim(
        "growth_with_layer",
        "g is non-decreasing in the layer up to eps: g(j) >= g(i) - eps for layers i < j (Conjecture 3.2.1).",
        f"eps <= {LAYER_TOLERANCE:g} [choice] at every weight decay with perfect accuracy",
        measured,
        Claim.judge(holds),
    )


def effective_depths(layers: pd.DataFrame, eps: float) -> pd.DataFrame:
    """Effective depth of each trial (Definition 3.2.2): columns id, seed, weight decay, ``effective_depth``."""
    rows = []
    for (trial, seed, decay), part in layers.groupby(["id", "seed", WEIGHT_DECAY], sort=False):
        accuracy = torch.tensor(part.sort_values("layer")[NCC].to_numpy(copy=True))
        rows.append([trial, seed, decay, int(metrics.effective_depth(accuracy, eps))])
    return pd.DataFrame(rows, columns=["id", "seed", WEIGHT_DECAY, "effective_depth"])


def depth_falls_with_weight_decay(layers: pd.DataFrame) -> Claim:
    """Conjecture 3.2.2; ``layers`` has the NCC accuracy of every layer, the output layer's logits included."""
    decays = layers[WEIGHT_DECAY].nunique()
    holds, measured = None, "fewer than two weight decays with perfect accuracy"
    if decays >= 2:
        said, falls = [], []
        for eps in DEPTH_EPS:
            depths = effective_depths(layers, eps)
            mean = depths.groupby(WEIGHT_DECAY)["effective_depth"].mean()
            agree, compared = agreement(depths, ["seed"], WEIGHT_DECAY, "effective_depth", falling=True)
            falls.append(bool((mean.diff().dropna() <= 0).all()))
            said.append(
                f"eps {eps:g}: {', '.join(f'{d:.3g}' for d in mean)} ({agree} of {compared} within a seed agree)"
            )
        holds = all(falls)
        measured = f"depth by rising weight decay, {'; '.join(said)}"
    return Claim(
        "depth_falls_with_weight_decay",
        "Effective depth, the least layer with NCC training error <= eps, is non-increasing in weight decay "
        "(Conjecture 3.2.2).",
        f"means over seeds non-increasing at each eps of {', '.join(f'{eps:g}' for eps in DEPTH_EPS)} [choice]",
        measured,
        Claim.judge(holds),
    )
