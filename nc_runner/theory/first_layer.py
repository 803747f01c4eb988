"""The global optimum of a deep linear network whose first layer has a weight decay of its own."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from ._product import product_residual


class FirstLayerOptimum(NamedTuple):
    """What the minimiser looks like; every field has the same shape."""

    hidden: Tensor
    """s, the K equal singular values of each matrix after the first; the others are 0."""
    first: Tensor
    """q = s / sqrt(delta), those of the first."""
    objective: Tensor
    """Squared loss plus penalty."""


def first_layer_delta_singular_values(
    weight_decay: float | Tensor,
    num_classes: int | Tensor,
    matrices: int | Tensor,
    delta: float | Tensor,
) -> FirstLayerOptimum:
    """Least of (1/2N) sum_i ||W_L ... W_1 x_i - y_i||^2 + (lambda/2) [sum_{l >= 2} ||W_l||_F^2 + delta ||W_1||_F^2].

    Inputs equal to orthonormal class means, balanced one-hot targets, widths of at least K; L = m + 1. After Zangrando
    et al. (2026), Figure 2; the formulas [derived]. The loss is ||P - 1||_F^2 / (2K) of the product P on the span of
    the means. By von Neumann's trace inequality the singular values separate: each contributes the least over (s, q) of

        (s^m q - 1)^2 / (2K) + (lambda/2) (m s^2 + delta q^2).

    There delta q^2 = s^2. With t = s^L / sqrt(delta), s is the largest root of s^{L-2} (1 - t) / sqrt(delta) = lambda K
    if t > (L-2)/(L-1) at that root, else 0. As the inputs are given, no solution of rank between 0 and K is better.

    Args:
        weight_decay: lambda >= 0, as torch's SGD applies it; 0 means the limit. (The objective written as
            lambda' L_0 + sum_l ||W_l||^2 has lambda = 2/lambda'.)
        num_classes: K, at least 1.
        matrices: m = L - 1, at least 1: those after the first.
        delta: weight decay of the first layer relative to the others', greater than 0.

    Returns:
        The fields of `FirstLayerOptimum`, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, at_least=0)
    classes = in_float64("num_classes", num_classes, at_least=1)
    layers = in_float64("matrices", matrices, at_least=1) + 1
    relative = in_float64("delta", delta, above=0)
    decay, classes, layers, relative = torch.broadcast_tensors(decay, classes, layers, relative)
    residual = product_residual(decay * classes * relative ** (1 / layers), layers)
    hidden = (relative.sqrt() * (1 - residual)) ** (1 / layers)
    value = (residual + layers * (1 - residual)) * residual
    return FirstLayerOptimum(hidden, hidden / relative.sqrt(), value / 2)


def first_layer_delta_limit(
    target: float | Tensor, matrices: int | Tensor, delta: float | Tensor
) -> tuple[Tensor, Tensor]:
    """s = (sqrt(delta) b)^{1/L} and q = s / sqrt(delta): the limit lambda -> 0 for any inputs X [derived].

    The product of the layers tends to Y X^+. Of all maps that take X to Y it has the least sum_j b_j^{2/L}, as none has
    a smaller j-th singular value. For orthonormal class means b = 1.

    Args:
        target: b >= 0, the singular values of Y X^+.
        matrices: m = L - 1, at least 1: those after the first.
        delta: weight decay of the first layer relative to the others', greater than 0.

    Returns:
        s of every matrix after the first and q of the first, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    product = in_float64("target", target, at_least=0)
    layers = in_float64("matrices", matrices, at_least=1) + 1
    root = in_float64("delta", delta, above=0).sqrt()
    hidden = (root * product) ** (1 / layers)
    return hidden, hidden / root
