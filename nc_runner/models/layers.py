"""The layers of a stack, forward and backward, each for all trials at once.

The first axis is the trial: an activation is ``[T, B, C]``, a weight ``[T, out, in]``, a vector ``[T, C]``. In memory
each trial's activation is a matrix of its own, which is fastest for matrix products. Where a BatchNorm follows, the
trials lie side by side in one matrix ``[B, T*C]``, so that BatchNorm over (trial, channel) is the ordinary BatchNorm.
Between the layers of a stack of one an activation is ``[B, C]``: its steps are so short that a view costs one percent.
Backward passes are written out: at these sizes autograd's bookkeeping adds a third to the time of the arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# A single CPU matrix is multiplied by torch.mm (MKL, or OpenBLAS) or by oneDNN. Which is faster differs by processor:
# at 128 x 200 x 200 on an AMD EPYC 9005 oneDNN is 1.7 times as fast, as MKL takes AVX-512 on Intel's alone; on an Intel
# Xeon it takes 1.4 times as long. Below this many rows or columns oneDNN's set-up costs more than it saves.
PRODUCTS = ("mm", "onednn")
_product_of_this_process = "mm"
_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ONEDNN_MIN_SIZE = 96

_layer_norm = torch.ops.aten.native_layer_norm.default
_layer_norm_backward = torch.ops.aten.native_layer_norm_backward.default
_batch_norm = torch.ops.aten.native_batch_norm.default
_batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default


def enter(h: Tensor) -> Tensor:
    """``[T, B, C]`` as it is between layers: ``[B, C]`` where T is 1."""
    return h[0] if len(h) == 1 else h


def leave(h: Tensor) -> Tensor:
    """What is between layers, as ``[T, B, C]``."""
    return h.unsqueeze(0) if h.dim() == 2 else h


def side_by_side(h: Tensor) -> Tensor:
    """``[T, B, C]`` as ``[B, T*C]``, a view where the memory is so laid out; ``[B, C]`` as it is."""
    return h if h.dim() == 2 else h.transpose(0, 1).flatten(1)


def split_trials(rows: Tensor, trials: int) -> Tensor:
    """``[B, T*C]`` as ``[T, B, C]``, a view; as it is where T is 1."""
    return rows if trials == 1 else rows.view(len(rows), trials, -1).transpose(0, 1)


def multiply_by(product: str) -> None:
    """Let stacks that this process makes from now on multiply single matrices by this one of :data:`PRODUCTS`."""
    global _product_of_this_process
    assert product in PRODUCTS
    _product_of_this_process = product


def product_in_use() -> str:
    """What :func:`multiply_by` was last told."""
    return _product_of_this_process


def onednn_could(weight: Tensor) -> bool:
    """Whether oneDNN can take products with ``weight [T, out, in]``, and is not slower for their size alone."""
    trials, rows, columns = weight.shape
    large = rows >= _ONEDNN_MIN_SIZE and columns >= _ONEDNN_MIN_SIZE
    return _HAS_ONEDNN and trials == 1 and large and weight.dtype is torch.float32 and weight.device.type == "cpu"


def onednn_linear(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a @ b.T + bias`` of float32 CPU matrices of any strides, on one trial."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return product


class Linear:
    """One linear layer of a stack, made once: views of its parameters and gradients, and the product that suits them.

    Args:
        weight: [T, out, in], with room ``into_weight`` for its gradient; bias: [T, out] or None, likewise.
        inputs_beside, outputs_beside: whether the gradients at inputs, and the outputs, go to a BatchNorm, so that
            their trials lie side by side.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        into_weight: Tensor,
        into_bias: Tensor | None,
        *,
        inputs_beside: bool,
        outputs_beside: bool,
    ) -> None:
        self.weight, self.bias, self.into_weight, self.into_bias = weight, bias, into_weight, into_bias
        self.inputs_beside, self.outputs_beside = (
            beside and len(weight) > 1 for beside in (inputs_beside, outputs_beside)
        )
        self.transposed = weight.mT
        self.bias_row = None if bias is None else bias.unsqueeze(1)
        self.alone = len(weight) == 1
        self.matrix, self.matrix_transposed, self.into_matrix = weight[0], weight[0].t(), into_weight[0]
        self.vector = None if bias is None else bias[0]
        self.into_vector = into_bias[0] if into_bias is not None and self.alone else into_bias
        self.onednn = _product_of_this_process == "onednn" and onednn_could(weight)

    def __call__(self, h: Tensor) -> Tensor:
        """``h W^T + b`` of each trial: [T, B, in] -> [T, B, out]; of a stack of one [B, in] -> [B, out]."""
        if self.onednn:
            return onednn_linear(h, self.matrix, self.vector)
        if self.alone:
            if self.vector is None:
                return torch.mm(h, self.matrix_transposed)
            return torch.addmm(self.vector, h, self.matrix_transposed)
        out = _product(h, self.transposed, self.outputs_beside)
        if self.bias is None or self.bias_row is None:
            return out
        if self.outputs_beside:  # rows of T*C are faster to add to than rows of C
            side_by_side(out).add_(self.bias.flatten())
            return out
        return out.add_(self.bias_row)

    def gradient(self, grad: Tensor, h: Tensor) -> None:
        """Write the gradients of weight and bias, from that at the output and the input ``h``."""
        if self.into_vector is not None:
            torch.sum(grad, -2, out=self.into_vector)
        if self.onednn:
            self.into_matrix.copy_(onednn_linear(grad.t(), h.t()))
        elif self.alone:
            torch.mm(grad.t(), h, out=self.into_matrix)
        else:
            _multiply(grad.mT, h, self.into_weight)

    def to_input(self, grad: Tensor) -> Tensor:
        """The gradient at the input from that at the output."""
        if self.onednn:
            return onednn_linear(grad, self.matrix_transposed)
        if self.alone:
            return torch.mm(grad, self.matrix)
        return _product(grad, self.weight, self.inputs_beside)


def _product(a: Tensor, b: Tensor, beside: bool) -> Tensor:
    if not beside:
        return torch.bmm(a, b)
    return _multiply(a, b, split_trials(a.new_empty(a.shape[1], len(a) * b.shape[2]), len(a)))


def _multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """``torch.bmm`` into ``out``, which on a CPU is a loop over the trials where ``out`` is not contiguous."""
    return torch.bmm(a, b, out=out) if out.is_contiguous() else out.copy_(torch.bmm(a, b))


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
            side_by_side(h), scale, shift, self.running_mean, self.running_var, train, momentum, self.eps
        )
        return Normalized(split_trials(out, self.trials), mean, inverse_std)

    def backward(self, grad: Tensor, h: Tensor, saved: Normalized) -> Tensor:
        """Write the gradients of gamma and beta where there are any, return that of the input ``h``."""
        grad_h, grad_gamma, grad_beta = _batch_norm_backward(
            side_by_side(grad), side_by_side(h), self._vector(self.gamma), None, None, saved.mean, saved.inverse_std,
            True, self.eps, self.needed,
        )  # fmt: skip
        if self.into_gamma is not None and self.into_beta is not None:
            self.into_gamma.copy_(grad_gamma.view_as(self.into_gamma))
            self.into_beta.copy_(grad_beta.view_as(self.into_beta))
        return split_trials(grad_h, self.trials)


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
