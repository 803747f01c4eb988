"""The layers of a stack, forward and backward, each for all trials at once.

An activation is one matrix ``[B, T*C]``, the trials side by side, so that BatchNorm over (trial, channel) is the
ordinary BatchNorm and a stack of one trial costs nothing for being a stack. Weights lead with the trial,
``[T, out, in]``; vectors are ``[T, C]``. Backward passes are written out: at these sizes autograd's bookkeeping
costs a third of the arithmetic again.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# oneDNN's product takes AVX-512 on every processor that has it; the MKL inside torch.mm does so on Intel only.
# At 128 x 200 x 200 on an AMD EPYC 9005 it is 1.7 times faster. It is one matrix at a time, and below this many
# rows or columns its set-up costs more than it saves.
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ONEDNN_MIN_SIZE = 96

_batch_norm = torch.ops.aten.native_batch_norm.default
_batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default
_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.default
_threshold_backward = torch.ops.aten.threshold_backward.default


def split_trials(h: Tensor, trials: int) -> Tensor:
    """``[B, T*C]`` as ``[T, B, C]``, a view."""
    return h.view(len(h), trials, -1).transpose(0, 1)


def uses_onednn(weight: Tensor) -> bool:
    """Whether products with ``weight [T, out, in]`` go to oneDNN."""
    trials, rows, columns = weight.shape
    large = rows >= _ONEDNN_MIN_SIZE and columns >= _ONEDNN_MIN_SIZE
    return _ONEDNN and trials == 1 and large and weight.dtype is torch.float32 and weight.device.type == "cpu"


def onednn_linear(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a @ b.T + bias`` of float32 CPU matrices of any strides, on one trial."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return product


def linear(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``h W^T + b`` of each trial: [B, T*in], [T, out, in], [T, out] -> [B, T*out]."""
    trials, rows, _ = weight.shape
    if uses_onednn(weight):
        return onednn_linear(h, weight[0], bias[0])
    if trials == 1:
        return torch.addmm(bias[0], h, weight[0].t())
    out = h.new_empty(len(h), trials * rows)
    torch.bmm(split_trials(h, trials), weight.mT, out=split_trials(out, trials))
    return out.add_(bias.reshape(-1))


def linear_backward(
    grad: Tensor, h: Tensor, weight: Tensor, *, into_weight: Tensor, into_bias: Tensor, to_input: bool
) -> Tensor | None:
    """Write the gradients of weight and bias, return that of the input (None unless ``to_input``)."""
    trials, _, columns = weight.shape
    if trials == 1:
        torch.sum(grad, 0, out=into_bias[0])
        if uses_onednn(weight):
            into_weight[0].copy_(onednn_linear(grad.t(), h.t()))
            return onednn_linear(grad, weight[0].t()) if to_input else None
        torch.mm(grad.t(), h, out=into_weight[0])
        return torch.mm(grad, weight[0]) if to_input else None
    each = split_trials(grad, trials)
    torch.sum(each, 1, out=into_bias)
    torch.bmm(each.mT, split_trials(h, trials), out=into_weight)
    if not to_input:
        return None
    out = h.new_empty(len(h), trials * columns)
    torch.bmm(each, weight, out=split_trials(out, trials))
    return out


def activation_(z: Tensor, slope: float) -> Tensor:
    """In place, ``z`` where positive and ``slope * z`` elsewhere (0: ReLU, 1: linear)."""
    if slope == 0.0:
        return torch.relu_(z)
    return z if slope == 1.0 else torch.nn.functional.leaky_relu_(z, slope)


def activation_backward(grad: Tensor, out: Tensor, slope: float) -> Tensor:
    """The gradient before the activation, from the activation's output: its sign is that of its input."""
    if slope == 0.0:
        return _threshold_backward(grad, out, 0)  # type: ignore[no-any-return]
    return grad if slope == 1.0 else _leaky_relu_backward(grad, out, slope, True)


class Normalized(NamedTuple):
    """BatchNorm's output and what its backward pass needs."""

    out: Tensor
    mean: Tensor
    inverse_std: Tensor


def batch_norm(
    h: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    *,
    train: bool,
    momentum: float,
    eps: float,
) -> Normalized:
    """BatchNorm of each channel of each trial: ``h [B, T*C]``, everything else [T, C].

    In train mode the batch's statistics normalise and the running ones are updated in place, as torch does
    (biased variance to normalise, unbiased in the running average). The running statistics are contiguous.
    """
    scale, shift = (None if v is None else v.reshape(-1) for v in (gamma, beta))
    return Normalized(*_batch_norm(h, scale, shift, running_mean.view(-1), running_var.view(-1), train, momentum, eps))


def batch_norm_backward(
    grad: Tensor,
    h: Tensor,
    gamma: Tensor | None,
    saved: Normalized,
    *,
    eps: float,
    into_gamma: Tensor | None,
    into_beta: Tensor | None,
) -> Tensor:
    """Write the gradients of gamma and beta where there are any, return that of the input."""
    affine = gamma is not None
    scale = None if gamma is None else gamma.reshape(-1)
    grad_h, grad_gamma, grad_beta = _batch_norm_backward(
        grad, h, scale, None, None, saved.mean, saved.inverse_std, True, eps, [True, affine, affine]
    )
    if into_gamma is not None and into_beta is not None:
        into_gamma.copy_(grad_gamma.view_as(into_gamma))
        into_beta.copy_(grad_beta.view_as(into_beta))
    return grad_h  # type: ignore[no-any-return]
