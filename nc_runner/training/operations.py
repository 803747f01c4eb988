"""The operations of a step of a stack of MLPs on a CPU, each on memory that is there: of layers, norms and losses.

What each does is what the method of the same purpose in ``models/`` does, to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nc_runner.models import losses
from nc_runner.models.layers import Linear, enter, onednn_linear, side_by_side, split_trials
from nc_runner.models.norms import BatchNorm
from nc_runner.training.fused import Stack

Operations = list[Callable[[], Any]]

_batch_norm = torch.ops.aten.native_batch_norm.out
_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input
_threshold_backward = torch.ops.aten.threshold_backward.grad_input


def batch_of(data: Tensor, samples: Tensor) -> tuple[Tensor, Operations]:
    """Each trial's rows [T, B, D] of ``data`` [N, D] at ``samples`` [T, B]; the full batch is the data as they are."""
    trials, rows = samples.shape
    if rows == len(data):
        return data.expand(trials, -1, -1), []
    into = data.new_empty(trials * rows, data.shape[1])
    return into.view(trials, rows, -1), [partial(torch.index_select, data, 0, samples.view(-1), out=into)]


def memory(layer: Linear, rows: int) -> Tensor:
    """For what has the shape of a layer's outputs: [T, B, C], side by side where a BatchNorm follows; [B, C] of one."""
    trials, width, _ = layer.weight.shape
    if layer.outputs_beside:
        return split_trials(layer.weight.new_empty(rows, trials * width), trials)
    return enter(layer.weight.new_empty(trials, rows, width))


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Operations:
    """``torch.bmm`` into ``out``, which on a CPU is a loop over the trials where ``out`` is not contiguous."""
    if out.is_contiguous():
        return [partial(torch.bmm, a, b, out=out)]
    product = torch.empty(out.shape, dtype=out.dtype)
    return [partial(torch.bmm, a, b, out=product), partial(out.copy_, product)]


def forward(layer: Linear, h: Tensor, out: Tensor) -> Operations:
    """``out = h W^T + b``."""
    if layer.onednn:
        return [lambda: out.copy_(onednn_linear(h, layer.matrix, layer.vector))]
    if layer.alone and layer.vector is None:
        return [partial(torch.mm, h, layer.matrix_transposed, out=out)]
    if layer.alone:
        return [partial(torch.addmm, layer.vector, h, layer.matrix_transposed, out=out)]
    product = multiply(h, layer.transposed, out)
    if layer.bias is None or layer.bias_row is None:
        return product
    if not layer.outputs_beside:
        return [*product, partial(out.add_, layer.bias_row)]
    together, bias = flattened(layer.bias)
    return [*product, *together, partial(side_by_side(out).add_, bias)]


def flattened(of: Tensor) -> tuple[Operations, Tensor]:
    """Parameters [T, C] as [T*C], which takes a copy where those of several trials lie apart."""
    if of.is_contiguous():
        return [], of.view(-1)
    copy = torch.empty(of.shape, dtype=of.dtype)
    return [partial(copy.copy_, of)], copy.view(-1)


def activate(slope: float, z: Tensor) -> Operations:
    """The activation in place."""
    if slope == 0.0:
        return [partial(torch.relu_, z)]
    return [] if slope == 1.0 else [partial(torch.nn.functional.leaky_relu_, z, slope)]


def activate_backward(slope: float, grad: Tensor, out: Tensor, into: Tensor) -> None:
    """Write the gradient before the activation ``into`` a tensor, from that after it and the activation's output."""
    if slope == 0.0:
        _threshold_backward(grad, out, 0, grad_input=into)
    elif slope != 1.0:
        _leaky_relu_backward(grad, out, slope, True, grad_input=into)
    elif into is not grad:
        into.copy_(grad)


def normalise(norm: BatchNorm, h: Tensor, out: Tensor, mean: Tensor, inverse_std: Tensor) -> Operations:
    """BatchNorm in train mode, which leaves its statistics, [T*C] each."""
    steps, vectors = [], []
    for of in (norm.gamma, norm.beta):
        more, vector = ([], None) if of is None else flattened(of)
        steps += more
        vectors.append(vector)
    of_norm = partial(
        _batch_norm, side_by_side(h), *vectors, norm.running_mean, norm.running_var, True, norm.momentum, norm.eps,
        out=side_by_side(out), save_mean=mean, save_invstd=inverse_std,
    )  # fmt: skip
    return [*steps, of_norm]


def back_through_norm(
    norm: BatchNorm, slope: float, grad: Tensor, h: Tensor, mean: Tensor, inverse_std: Tensor
) -> None:
    """Through BatchNorm and the activation before it: ``grad`` at the norm's output becomes that before the activation.

    Args:
        grad, h: the latter is the activation's output, [B, T*C] both.
    """
    activate_backward(slope, norm.backward_of_rows(grad, h, mean, inverse_std), h, grad)


def lose(training: Stack, outputs: Tensor, targets: Tensor, grad: Tensor) -> Operations:
    """The loss's gradient at the outputs [T, B, K], and the sums of the loss and of what is right."""
    if training.network.loss is not losses.cross_entropy:
        return [partial(any_loss, training, outputs, targets, grad)]
    trials, rows, _ = outputs.shape
    log_p, product = torch.empty_like(outputs), torch.empty_like(outputs)
    value, largest = outputs.new_empty(trials, rows), torch.empty(trials, rows, 1, dtype=torch.int64)
    mean, right = outputs.new_empty(trials), outputs.new_empty(trials, rows, 1)
    return [
        partial(torch.log_softmax, outputs, -1, out=log_p),
        partial(torch.exp, log_p, out=grad), partial(grad.sub_, targets), partial(grad.div_, rows),
        partial(torch.mul, log_p, targets, out=product), partial(torch.sum, product, -1, out=value),
        partial(torch.mean, value, 1, out=mean), partial(training.loss_sum.add_, mean, alpha=-rows),
        partial(torch.argmax, outputs, -1, True, out=largest), partial(torch.gather, targets, 2, largest, out=right),
        lambda: training.correct.add_(right.count_nonzero((1, 2))),
    ]  # fmt: skip


def any_loss(training: Stack, outputs: Tensor, targets: Tensor, grad: Tensor) -> None:
    """As ``lose``, of losses whose operations take memory."""
    loss = training.network.loss(outputs, targets)
    grad.copy_(loss.grad)
    training.loss_sum.add_(loss.value, alpha=outputs.shape[1])
    training.correct.add_(loss.correct)


def gradient(layer: Linear, grad: Tensor, h: Tensor) -> Operations:
    """The gradients of weight and bias."""
    steps: Operations = []
    if layer.into_vector is not None:
        steps.append(partial(torch.sum, grad, -2, out=layer.into_vector))
    if layer.onednn:
        return [*steps, lambda: layer.into_matrix.copy_(onednn_linear(grad.t(), h.t()))]
    if layer.alone:
        return [*steps, partial(torch.mm, grad.t(), h, out=layer.into_matrix)]
    return [*steps, *multiply(grad.mT, h, layer.into_weight)]


def to_input(layer: Linear, grad: Tensor, out: Tensor) -> Operations:
    """The gradient at the input."""
    if layer.onednn:
        return [lambda: out.copy_(onednn_linear(grad, layer.matrix_transposed))]
    if layer.alone:
        return [partial(torch.mm, grad, layer.matrix, out=out)]
    return multiply(grad, layer.weight, out)
