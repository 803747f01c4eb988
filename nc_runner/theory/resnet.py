"""The global optimum of a linear residual network on free features of bounded norm."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from ._roots import bisect
from .feedforward import ranks_to


class ResNetOptimum(NamedTuple):
    """What the minimiser looks like; every field has the same shape."""

    block: Tensor
    """w, of every non-zero singular value of the W of every block."""
    head: Tensor
    """s, of every non-zero singular value of the head."""
    rank: Tensor
    """How many there are in each: num_classes, unless the penalty is too large for that."""
    objective: Tensor
    """Squared loss plus penalty."""


def resnet_singular_values(
    weight_decay: float | Tensor,
    num_classes: int | Tensor,
    blocks: int | Tensor,
    feature_bound: float | Tensor = 1.0,
) -> ResNetOptimum:
    """Least of (1/2N) sum_i ||V (1+W_B) ... (1+W_1) z_i - y_i||^2 + (lambda/2) [||V||_F^2 + sum_b ||W_b||_F^2].

    Over V, W_b and ||z_i|| <= c; balanced one-hot targets, width of at least K. After Zangrando et al. (2026), Figure
    4; the formulas [derived]. Z is as in `feedforward_singular_values`, of r <= K equal singular values. With
    x = c sqrt(K/r), each contributes the minimum over (s, w) of

        (x s (1+w)^B - 1)^2 / (2K) + (lambda/2) (s^2 + B w^2),

    so w (1+w) = s^2 at any lambda, and x s (1+w)^B = 1 for lambda -> 0. With g = x (1+w)^B and k = lambda K,
    s = g / (g^2 + k), and w minimises 1/(g^2 + k) + B w^2, which can have two local minima. r = K is best if
    (1-t)^2 + k (2 s^2 + B w^2) <= 1 with t = x s (1+w)^B: then the tangent to this minimum, as a function of x^2,
    meets x = 0 at 1/(2K) or below. That no unequal singular values are ever better is checked numerically.

    Args:
        weight_decay: lambda >= 0, as torch's SGD applies it; 0 means the limit.
        num_classes: K, at least 1.
        blocks: B, at least 1.
        feature_bound: c > 0.

    Returns:
        The fields of `ResNetOptimum`, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, at_least=0)
    classes = in_float64("num_classes", num_classes, at_least=1)
    count = in_float64("blocks", blocks, at_least=1)
    bound = in_float64("feature_bound", feature_bound, above=0)
    decay, classes, count, bound = torch.broadcast_tensors(decay, classes, count, bound)

    ranks = ranks_to(classes)
    reach, penalty = bound * (classes / ranks).sqrt(), decay * classes
    block, cost = _best_block(reach, penalty, count)
    gain = (ranks * (1 - penalty * cost)).masked_fill(ranks > classes, -torch.inf)
    most, best = gain.max(dim=0, keepdim=True)
    block, reach, rank = (field.expand_as(gain).gather(0, best)[0] for field in (block, reach, ranks))
    growth = reach * (1 + block) ** count
    return ResNetOptimum(
        block=block,
        head=1 / (growth + penalty / growth),
        rank=rank.masked_fill(block.isnan(), torch.nan),
        objective=(1 - most[0] / classes) / 2,
    )


def _best_block(reach: Tensor, penalty: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w >= 0 of least 1/(g^2 + k) + B w^2, g = x (1+w)^B, and that value.

    Stationary points are f(w) = sqrt(w(1+w)) (g + k/g) = 1. The sign of f' is that of a convex function d, so f
    increases, may decrease, and increases: a minimum is a root in the first or in the last part, and none better than
    w = 0 is beyond 1/sqrt(B (x^2 + k)). In a part without a root bisection gives one of its ends, which is no minimum.
    """

    def growth(w: Tensor) -> Tensor:
        return reach * (1 + w) ** blocks

    def excess(w: Tensor) -> Tensor:
        return (w * (1 + w)).sqrt() * (growth(w) + penalty / growth(w)) - 1

    def d(w: Tensor) -> Tensor:
        return growth(w).square() * (1 + (2 * blocks + 2) * w) - penalty * ((2 * blocks - 2) * w - 1)

    def slope_of_d(w: Tensor) -> Tensor:
        rising = 2 * blocks * (1 + (2 * blocks + 2) * w) / (1 + w) + 2 * blocks + 2
        return growth(w).square() * rising - penalty * (2 * blocks - 2)

    end = 1 / (blocks * (reach.square() + penalty)).sqrt()
    start = torch.zeros_like(end)
    lowest = bisect(slope_of_d, start, end)
    rise_ends = bisect(lambda w: -d(w), start, lowest)
    rise_starts = bisect(d, lowest, end)
    candidates = torch.stack([bisect(excess, start, rise_ends), bisect(excess, rise_starts, end)])
    cost = 1 / (growth(candidates).square() + penalty) + blocks * candidates.square()
    least, which = cost.min(dim=0, keepdim=True)
    return candidates.gather(0, which)[0], least[0]
