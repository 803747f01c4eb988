"""The norms of a stack, forward and backward: BatchNorm of each channel and trial, LayerNorm of each sample."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nc_runner.models import layers

_layer_norm = torch.ops.aten.native_layer_norm.default
_layer_norm_backward = torch.ops.aten.native_layer_norm_backward.default
_batch_norm = torch.ops.aten.native_batch_norm.default
_batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default


class Normalized(NamedTuple):
    """A norm's output, and what its backward pass needs: of a BatchNorm two vectors [T*C], of a LayerNorm [T, B, 1]."""

    out: Tensor
    mean: Tensor
    inverse_std: Tensor


class BatchNorm:
    """BatchNorm of each channel of each trial of a stack, made once.

    Args:
        gamma, beta: [T, C], or None without an affine part; ``into_gamma``, ``into_beta``: room for their gradients.
        running_mean, running_var: [T, C], contiguous.
        momentum: weight of the newest batch in the running statistics.
    """

    def __init__(
        self,
        gamma: Tensor | None,
        beta: Tensor | None,
        into_gamma: Tensor | None,
        into_beta: Tensor | None,
        running_mean: Tensor,
        running_var: Tensor,
        *,
        momentum: float,
        eps: float,
    ) -> None:
        self.trials, self.momentum, self.eps = len(running_mean), momentum, eps
        first = self._alone
        self.gamma, self.beta, self.into_gamma, self.into_beta = (
            first(gamma),
            first(beta),
            first(into_gamma),
            first(into_beta),
        )
        self.running_mean, self.running_var = running_mean.view(-1), running_var.view(-1)
        self.needed = [True, gamma is not None, gamma is not None]

    def _alone(self, of: Tensor | None) -> Tensor | None:
        return of[0] if of is not None and self.trials == 1 else of

    def _vector(self, of: Tensor | None) -> Tensor | None:
        """[T*C]: a copy where the parameters of several trials lie apart."""
        return of if of is None or self.trials == 1 else of.reshape(-1)

    def __call__(self, h: Tensor, *, train: bool, momentum: float | None = None) -> Normalized:
        """The output for ``h``, whose trials lie side by side in memory.

        In train mode the batch's statistics normalise and the running ones are updated in place, as torch does
        (biased variance to normalise, unbiased in the running average).
        """
        momentum = self.momentum if momentum is None else momentum
        scale, shift = self._vector(self.gamma), self._vector(self.beta)
        out, mean, inverse_std = _batch_norm(
            layers.side_by_side(h), scale, shift, self.running_mean, self.running_var, train, momentum, self.eps
        )
        return Normalized(layers.split_trials(out, self.trials), mean, inverse_std)

    def backward(self, grad: Tensor, h: Tensor, saved: Normalized) -> Tensor:
        """Write the gradients of gamma and beta where there are any, return that of the input ``h``."""
        rows, h = layers.side_by_side(grad), layers.side_by_side(h)
        return layers.split_trials(self.backward_of_rows(rows, h, saved.mean, saved.inverse_std), self.trials)

    def backward_of_rows(self, grad: Tensor, h: Tensor, mean: Tensor, inverse_std: Tensor) -> Tensor:
        """As ``backward``, of what lies side by side, [B, T*C]."""
        grad_h, grad_gamma, grad_beta = _batch_norm_backward(
            grad, h, self._vector(self.gamma), None, None, mean, inverse_std, True, self.eps, self.needed
        )
        if self.into_gamma is not None and self.into_beta is not None:
            self.into_gamma.copy_(grad_gamma.view_as(self.into_gamma))
            self.into_beta.copy_(grad_beta.view_as(self.into_beta))
        return grad_h  # type: ignore[no-any-return]


class LayerNorm:
    """LayerNorm over the channels of each sample (Ba et al. 2016), with an affine part of each trial, made once.

    Args:
        gamma, beta: [T, C]; ``into_gamma``, ``into_beta``: room for their gradients.
    """

    def __init__(self, gamma: Tensor, beta: Tensor, into_gamma: Tensor, into_beta: Tensor, *, eps: float) -> None:
        self.eps = eps
        alone = len(gamma) == 1
        self.gamma, self.beta = (of if alone else of.unsqueeze(1) for of in (gamma, beta))
        self.into_gamma, self.into_beta = (of[0] if alone else of for of in (into_gamma, into_beta))

    def __call__(self, h: Tensor, *, train: bool, momentum: float | None = None) -> Normalized:
        """The output for ``h`` [T, B, C]; there are no statistics of batches, so the rest changes nothing."""
        out, mean, inverse_std = _layer_norm(h, h.shape[-1:], None, None, self.eps)
        return Normalized(out * self.gamma + self.beta, mean, inverse_std)

    def backward(self, grad: Tensor, h: Tensor, saved: Normalized) -> Tensor:
        """Write the gradients of gamma and beta, return that of the input ``h``."""
        normalised = (h - saved.mean) * saved.inverse_std
        torch.sum(grad * normalised, -2, out=self.into_gamma)
        torch.sum(grad, -2, out=self.into_beta)
        grad_h, _, _ = _layer_norm_backward(
            grad * self.gamma, h, h.shape[-1:], saved.mean, saved.inverse_std, None, None, [True, False, False]
        )
        return grad_h  # type: ignore[no-any-return]
