"""The global optimum of a deep linear classifier on free features of bounded norm."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from ._product import product_residual


class FeedforwardOptimum(NamedTuple):
    """What the minimiser looks like; every field has the same shape."""

    singular_value: Tensor
    """s, of every non-zero singular value of every weight matrix; 0 where there is none."""
    rank: Tensor
    """How many there are in each matrix: num_classes, unless the penalty is too large for that."""
    objective: Tensor
    """Squared loss plus penalty."""


def feedforward_singular_values(
    weight_decay: float | Tensor,
    num_classes: int | Tensor,
    matrices: int | Tensor,
    feature_bound: float | Tensor = 1.0,
) -> FeedforwardOptimum:
    """Least of (1/2N) sum_i ||W_m ... W_1 z_i - y_i||^2 + (lambda/2) sum_l ||W_l||_F^2 over W_l and ||z_i|| <= c.

    Balanced one-hot targets, widths of at least K. After Zangrando et al. (2026), Figure 2; the formulas [derived]. At
    the optimum all z of a class are one vector, and these K vectors are a tight frame in r <= K dimensions: Z has r
    equal singular values sqrt(N/r) c, and each W_l has r equal ones, s. With x = c sqrt(K/r) and t = x s^m, s is the
    largest root of

        x s^{m-2} (1 - t) = lambda K,

    and each of the r dimensions contributes ((1-t)^2 + m t (1-t)) / (2K) to loss and penalty, where an unused one
    contributes 1/(2K). For r = K the class means are orthogonal and c s^{m-2} (1 - c s^m) = lambda K; for lambda -> 0,
    s = c^{-1/m}. r = K is the optimum as long as t >= (m-1)/m. As lambda grows, fewer dimensions become better: K-1 (a
    simplex), ..., or 1 (every sample gets the output 1/K). They do so before t of r = K falls to (m-2)/(m-1), where K
    dimensions begin to cost more than they are worth.

    No unequal singular values are better: this follows from log-majorisation and, for m >= 3, from the convexity in x^2
    of the least loss and penalty where they are below 1/(2K); for m = 2 it is checked numerically. All this holds for
    linear layers. Networks with ReLU attain the optimum of r = K, and may fall below it (Sukenik et al., 2024).

    Args:
        weight_decay: lambda >= 0, as torch's SGD applies it; 0 means the limit.
        num_classes: K, at least 1.
        matrices: m, at least 1: the layers after the free first one, L - 1.
        feature_bound: c > 0.

    Returns:
        The fields of `FeedforwardOptimum`, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, at_least=0)
    classes = in_float64("num_classes", num_classes, at_least=1)
    factors = in_float64("matrices", matrices, at_least=1)
    bound = in_float64("feature_bound", feature_bound, above=0)
    decay, classes, factors, bound = torch.broadcast_tensors(decay, classes, factors, bound)

    ranks = ranks_to(classes)
    reach = bound * (classes / ranks).sqrt()
    residual = product_residual(decay * classes * reach ** (-2 / factors), factors)
    gain = ranks * (1 - residual) * (1 - (factors - 1) * residual)
    gain = gain.masked_fill(ranks > classes, -torch.inf)
    most, best = gain.max(dim=0, keepdim=True)
    residual, reach, rank = (field.expand_as(gain).gather(0, best)[0] for field in (residual, reach, ranks))
    return FeedforwardOptimum(
        singular_value=((1 - residual) / reach) ** (1 / factors),
        rank=rank.where(residual != 1, 0).masked_fill(residual.isnan(), torch.nan),
        objective=(1 - most[0] / classes) / 2,
    )


def ranks_to(classes: Tensor) -> Tensor:
    """1, 2, .. up to the largest number of classes, along a new leading axis."""
    largest = int(classes.nan_to_num(1).max())
    ranks = torch.arange(1, largest + 1, dtype=torch.float64, device=classes.device)
    return ranks.view(-1, *[1] * classes.ndim)
