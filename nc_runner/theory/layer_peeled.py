"""The global optimum of the layer-peeled model under weight decay."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64


class LayerPeeledOptimum(NamedTuple):
    """What the minimiser of the layer-peeled objective looks like; every field has the same shape."""

    logit_gap: Tensor
    """Logit of the true class minus that of any other."""
    norm_squared: Tensor
    """||gamma||^2 = ||W||_F^2."""
    cross_entropy: Tensor
    """Mean cross-entropy in nats, without the penalty."""
    total: Tensor
    """Cross-entropy plus penalty."""


def layer_peeled_optimum(weight_decay: float | Tensor, num_classes: int | Tensor) -> LayerPeeledOptimum:
    """Least of CE + (lambda/2)(||gamma||^2 + ||W||_F^2) over features with mean ||h||^2 <= ||gamma||^2.

    Affine BatchNorm before a bias-free output layer, balanced classes [derived from m(alpha, beta) of Pan, thesis,
    2023]. For lambda < 1/sqrt(C):

        gap z = ln(sqrt(C)/lambda - C + 1),   ||gamma||^2 = ||W||_F^2 = ((C-1)/sqrt(C)) z,
        CE = -log(1 - lambda (C-1)/sqrt(C)),  total = CE + lambda ((C-1)/sqrt(C)) z.

    From lambda = 1/sqrt(C) on, the penalty outweighs any gain and the optimum is zero: gap and norms 0, CE = log C.

    Args:
        weight_decay: lambda > 0, as torch's SGD applies it (gradient + lambda * parameter).
        num_classes: C, at least 2.

    Returns:
        The fields of `LayerPeeledOptimum`, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, above=0)
    classes = in_float64("num_classes", num_classes, at_least=2)
    # Beyond the threshold every formula keeps its value there, which is that of the zero solution.
    effective = torch.minimum(decay, classes.rsqrt())
    # z = log1p(C (1/(lambda sqrt(C)) - 1)): nothing cancels near the threshold, where the gap goes to 0.
    gap = torch.log1p(classes * (1 - effective * classes.sqrt()) / (effective * classes.sqrt())).clamp(min=0)
    norm_squared = (classes - 1) / classes.sqrt() * gap
    cross_entropy = -torch.log1p(-effective * (classes - 1) / classes.sqrt())
    return LayerPeeledOptimum(gap, norm_squared, cross_entropy, cross_entropy + decay * norm_squared)
