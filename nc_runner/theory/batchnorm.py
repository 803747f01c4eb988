"""What BatchNorm before the output layer fixes: the features' second moment, and with it the optimal logit gap."""

import math

import torch
from torch import Tensor

from ._inputs import in_float64


def batchnorm_second_moment(gamma: Tensor, beta: Tensor) -> Tensor:
    """mean ||h||^2 over the batch of the outputs of an affine BatchNorm in training mode: ||gamma||^2 + ||beta||^2.

    Pan (thesis, 2023), Prop. 2.2.1 for beta = 0; with bias [derived]. Exact for BatchNorm's eps = 0; otherwise the
    contribution of channel k falls to gamma_k^2 var_k / (var_k + eps).

    Args:
        gamma: weight, `[..., D]`.
        beta: bias, `[..., D]`.

    Returns:
        `[...]` float64.

    Raises:
        ValueError: the last axes differ in length.
    """
    if gamma.ndim == 0 or beta.ndim == 0 or gamma.shape[-1] != beta.shape[-1]:
        shapes = f"{tuple(gamma.shape)} and {tuple(beta.shape)}"
        raise ValueError(f"gamma and beta have shapes {shapes}; they must share a last axis, the channels.")
    gamma, beta = in_float64("gamma", gamma), in_float64("beta", beta)
    return gamma.square().sum(dim=-1) + beta.square().sum(dim=-1)


def plain_batchnorm_gap(
    weight_decay: float | Tensor, num_classes: int | Tensor, width: int | Tensor, *, max_steps: int = 100
) -> Tensor:
    """Logit gap z of the optimum when BatchNorm has no affine part: 1/(e^z + C - 1) = lambda (C-1) z / (C d).

    Without gamma the feature norm is fixed, alpha = sqrt(d), and only ||W||_F is penalised; bias-free output layer,
    balanced classes, d >= C-1 so that a simplex ETF fits [derived from m(alpha, beta) of Pan, thesis, 2023].

    Args:
        weight_decay: lambda > 0, as torch's SGD applies it.
        num_classes: C, at least 2.
        width: d, the number of features, at least 1.
        max_steps: limit on Newton steps; a handful suffice.

    Returns:
        z > 0, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    decay = in_float64("weight_decay", weight_decay, above=0)
    classes = in_float64("num_classes", num_classes, at_least=2)
    target = torch.log(classes * in_float64("width", width, at_least=1) / (decay * (classes - 1)))
    others = torch.log(classes - 1).expand_as(target)

    # In y = log z the equation is y + log(e^z + C - 1) = target, increasing and convex: from the right of the root
    # Newton descends to it without overshooting, and no exponential overflows. Two upper bounds on the root give the
    # start: z <= max(1, target), as log z >= 0 from z = 1 on; and z <= e^target / C, as e^z >= 1.
    y = torch.minimum(target.clamp(min=1).log(), target - torch.log(classes))
    for _ in range(max_steps):
        z = y.exp()
        step = (y + torch.logaddexp(z, others) - target) / (1 + z * torch.sigmoid(z - others))
        y = y - step
        if not bool((step.abs() > 4 * math.ulp(1.0) * y.abs().clamp(min=1)).any()):
            break
    return y.exp()
