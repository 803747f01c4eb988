"""The global optimum of a linear residual network whose first layer has a weight decay of its own."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from ._roots import bisect

_CELLS = 1024  # of the grid on which the minimum is bracketed, before bisection refines it


class ResNetFirstLayerOptimum(NamedTuple):
    """What the minimiser looks like; every field has the same shape."""

    block: Tensor
    """w, the K equal singular values of the W of every block; the others are 0."""
    head: Tensor
    """s, those of the head."""
    first: Tensor
    """q = s / sqrt(delta), those of the first layer."""
    objective: Tensor
    """Squared loss plus penalty."""


def resnet_first_layer_singular_values(
    weight_decay: float | Tensor, num_classes: int | Tensor, blocks: int | Tensor, delta: float | Tensor
) -> ResNetFirstLayerOptimum:
    """Least of the mean squared loss plus (lambda/2) [||V||_F^2 + sum_b ||W_b||_F^2 + delta ||Q||_F^2].

    The loss is (1/2N) sum_i ||V (1+W_B) ... (1+W_1) Q x_i - y_i||^2. Inputs equal to orthonormal class means, balanced
    one-hot targets, width of at least K. After Zangrando et al. (2026), Figure 4, with a regularised first layer in
    place of bounded features; the formulas [derived]. Each singular value contributes the minimum over (q, s, w) of

        (q s (1+w)^B - 1)^2 / (2K) + (lambda/2) (s^2 + B w^2 + delta q^2).

    Where it is not 0, delta q^2 = s^2 = w (1+w) at any lambda, which ties the norms of the head, of the first layer
    times sqrt(delta) and, for small w, of the blocks. With k = lambda K and r = min(1, k sqrt(delta) / (1+w)^B), w
    minimises 2 r - r^2 + k B w^2. For lambda -> 0, w (1+w)^{B+1} = sqrt(delta), which bounds w from above at any
    lambda.

    Args:
        weight_decay: lambda >= 0, as torch's SGD applies it; 0 means the limit.
        num_classes: K, at least 1.
        blocks: B, at least 1.
        delta: weight decay of the first layer relative to the others', greater than 0.

    Returns:
        The fields of `ResNetFirstLayerOptimum`, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, at_least=0)
    classes = in_float64("num_classes", num_classes, at_least=1)
    count = in_float64("blocks", blocks, at_least=1)
    root_delta = in_float64("delta", delta, above=0).sqrt()
    decay, classes, count, root_delta = torch.broadcast_tensors(decay, classes, count, root_delta)
    penalty = decay * classes

    def residual(w: Tensor) -> Tensor:
        left: Tensor = penalty * root_delta / (1 + w) ** count
        return left.clamp(max=1)

    def value(w: Tensor) -> Tensor:
        r = residual(w)
        cost: Tensor = 2 * r - r.square() + penalty * count * w.square()
        return cost

    end = bisect(lambda w: w * (1 + w) ** (count + 1) - root_delta, torch.zeros_like(decay), root_delta)
    ends = end * torch.linspace(0, 1, _CELLS + 1, dtype=torch.float64).view(-1, *[1] * end.ndim)
    best = ends.gather(0, value(ends).argmin(dim=0, keepdim=True))[0]
    low, high = (best - end / _CELLS).clamp(min=0), torch.minimum(best + end / _CELLS, end)

    def slope(w: Tensor) -> Tensor:
        half: Tensor = penalty * w * (1 + w) - residual(w) * (1 - residual(w))
        return half

    block = torch.where(penalty > 0, bisect(slope, low, high), end)
    block = block.masked_fill((penalty > 0) & (value(block) >= value(torch.zeros_like(block))), 0)
    block = block.masked_fill(penalty.isnan(), torch.nan)
    head = (block * (1 + block)).sqrt()
    return ResNetFirstLayerOptimum(block, head, head / root_delta, value(block) / 2)
