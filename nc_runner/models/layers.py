"""The layers of a stack, forward and backward, each for all trials at once.

The first axis is the trial: an activation is ``[T, B, C]``, a weight ``[T, out, in]``, a vector ``[T, C]``. In memory
each trial's activation is a matrix of its own, which is fastest for matrix products. Where a BatchNorm follows, the
trials lie side by side in one matrix ``[B, T*C]``, so that BatchNorm over (trial, channel) is the ordinary BatchNorm.
Between the layers of a stack of one an activation is ``[B, C]``: its steps are so short that a view costs one percent.
Backward passes are written out: at these sizes autograd's bookkeeping adds a third to the time of the arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor

# A single CPU matrix is multiplied by torch.mm (MKL, or OpenBLAS) or by oneDNN. Which is faster differs by processor:
# at 128 x 200 x 200 on an AMD EPYC 9005 oneDNN is 1.7 times as fast, as MKL takes AVX-512 on Intel's alone; on an Intel
# Xeon it takes 1.4 times as long. Below this many rows or columns oneDNN's set-up costs more than it saves.
PRODUCTS = ("mm", "onednn")
_product_of_this_process = "mm"
_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
_ONEDNN_MIN_SIZE = 96


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
