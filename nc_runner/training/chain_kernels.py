"""Triton kernels of a training step of narrow MLPs without BatchNorm: all layers forward and back, and the update.

Tensors are float32 and contiguous, B rows and T trials. Sums run in a fixed order: the same step gives the same bits.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
from __future__ import annotations

import triton
import triton.language as tl

from nc_runner.training.kernels import descend_at, loss_of


@triton.jit
def chain(
    x, y, batch, batch_row, batch_trial, flat, P, layers, memory, losses, rights, B, width, classes, slope, TILES,
    DEPTH: tl.constexpr, LINEAR_FROM: tl.constexpr, IN: tl.constexpr, BIAS: tl.constexpr, MSE: tl.constexpr,
    M: tl.constexpr, W: tl.constexpr, CLASSES: tl.constexpr, K: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Forward, loss and backward of a narrow network without BatchNorm, for M rows of one trial.

    A row never meets another before the weights' gradients, so one program takes it through all layers; hidden layers
    of ``width`` <= W stay in registers. Leaves in ``memory`` what :func:`chain_update` reads.

    Args:
        layers: int64 [DEPTH, 6], of each layer: outputs, inputs, where weight and bias begin in a trial's parameters,
            and where in ``memory`` its delta and the hidden layer after it, both [T, B, outputs], begin.
        losses, rights: [T, TILES], of each tile of rows: the sum of its samples' losses, and how many are right.
    """
    trial = tl.program_id(1).to(tl.int64)
    rows = tl.program_id(0) * M + tl.arange(0, M)
    there = rows < B
    own = flat + trial * P
    sample = tl.load(batch + rows * batch_row + trial * batch_trial, mask=there, other=0)
    label = tl.load(y + sample, mask=there, other=0)
    hidden, output, k = tl.arange(0, W), tl.arange(0, CLASSES), tl.arange(0, K)
    inner = hidden < width
    at = (trial * B + rows)[:, None] * width + hidden[None, :]
    inside = there[:, None] & inner[None, :]

    h = tl.zeros((M, W), tl.float32)
    weight = own + tl.load(layers + 2) + hidden[None, :] * IN
    for start in range(0, IN, K):
        left = tl.load(
            x + sample[:, None] * IN + (start + k)[None, :], mask=there[:, None] & (start + k < IN)[None, :], other=0.0
        )
        right = tl.load(weight + (start + k)[:, None], mask=inner[None, :] & (start + k < IN)[:, None], other=0.0)
        h = tl.dot(left, right, h, input_precision=PRECISION)
    for i in tl.static_range(DEPTH - 1):
        if i > 0:
            at_weight = own + tl.load(layers + 6 * i + 2) + hidden[None, :] * width + hidden[:, None]
            square = tl.load(at_weight, mask=inner[None, :] & inner[:, None], other=0.0)
            h = tl.dot(h, square, input_precision=PRECISION)
        if BIAS:
            h += tl.load(own + tl.load(layers + 6 * i + 3) + hidden, mask=inner, other=0.0)[None, :]
        if i + 1 < LINEAR_FROM:
            h = tl.where(h > 0, h, slope * h)
        tl.store(memory + tl.load(layers + 6 * i + 5) + at, h, mask=inside)

    last = layers + 6 * (DEPTH - 1)
    real = output < classes
    matrix = own + tl.load(last + 2) + output[None, :] * width + hidden[:, None]
    outputs = tl.dot(h, tl.load(matrix, mask=real[None, :] & inner[:, None], other=0.0), input_precision=PRECISION)
    if BIAS:
        outputs += tl.load(own + tl.load(last + 3) + output, mask=real, other=0.0)[None, :]
    value, grad, right_ones = loss_of(outputs, label, rows, output, B, classes, MSE)
    where = (trial * B + rows)[:, None] * classes + output[None, :]
    tl.store(memory + tl.load(last + 4) + where, grad, mask=there[:, None] & real[None, :])
    tl.store(losses + trial * TILES + tl.program_id(0), tl.sum(value.to(tl.float64), 0))
    tl.store(rights + trial * TILES + tl.program_id(0), tl.sum(right_ones.to(tl.int64), 0))

    tl.debug_barrier()  # what the program's threads stored, they now read
    matrix = own + tl.load(last + 2) + output[:, None] * width + hidden[None, :]
    delta = tl.dot(grad, tl.load(matrix, mask=real[:, None] & inner[None, :], other=0.0), input_precision=PRECISION)
    for i in tl.static_range(DEPTH - 2, -1, -1):
        if i + 1 < LINEAR_FROM:
            h = tl.load(memory + tl.load(layers + 6 * i + 5) + at, mask=inside, other=0.0)
            delta = tl.where(h > 0, delta, slope * delta)
        tl.store(memory + tl.load(layers + 6 * i + 4) + at, delta, mask=inside)
        if i > 0:
            at_weight = own + tl.load(layers + 6 * i + 2) + hidden[:, None] * width + hidden[None, :]
            square = tl.load(at_weight, mask=inner[:, None] & inner[None, :], other=0.0)
            delta = tl.dot(delta, square, input_precision=PRECISION)


@triton.jit
def chain_update(
    tiles, layers, memory, x, batch, batch_row, batch_trial, flat, buffer, P, lrs, momenta, decays,
    losses, rights, loss_sum, correct, B, TILES: tl.constexpr,
    DEPTH: tl.constexpr, BIAS: tl.constexpr, BATCH: tl.constexpr, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """All layers' weights and biases one step down: a program makes a tile ``delta^T h`` of a gradient and uses it up.

    Args:
        tiles: int32 [programs, 3], each program's layer and the tile's place along outputs and inputs.
        decays: [T, DEPTH], the weight decay of each layer.
        BATCH: the rows of a whole minibatch, of which this one has B.
    """
    trial = tl.program_id(1).to(tl.int64)
    tile = tiles + 3 * tl.program_id(0)
    number = tl.load(tile)
    layer = layers + 6 * number
    OUT, IN = tl.load(layer), tl.load(layer + 1)
    delta = memory + tl.load(layer + 4) + trial * B * OUT
    if number == 0:
        h = x
    else:
        h = memory + tl.load(layer - 1)
    outs = tl.load(tile + 1) * M + tl.arange(0, M)
    ins = tl.load(tile + 2) * N + tl.arange(0, N)
    grad = tl.zeros((M, N), tl.float32)
    along_bias = tl.zeros((M,), tl.float32)
    for start in range(0, BATCH, K):
        rows = start + tl.arange(0, K)
        there = rows < B
        left = tl.load(
            delta + rows[None, :] * OUT + outs[:, None], mask=(outs < OUT)[:, None] & there[None, :], other=0.0
        )
        sample = tl.load(batch + rows * batch_row + trial * batch_trial, mask=there, other=0)
        place = tl.where(number == 0, sample, trial * B + rows)
        right = tl.load(h + place[:, None] * IN + ins[None, :], mask=there[:, None] & (ins < IN)[None, :], other=0.0)
        grad = tl.dot(left, right, grad, input_precision=PRECISION)
        if BIAS:
            along_bias += tl.sum(left, 1)
    lr, momentum, decay = tl.load(lrs + trial), tl.load(momenta + trial), tl.load(decays + trial * DEPTH + number)
    at = tl.load(layer + 2) + outs[:, None] * IN + ins[None, :]
    inside = (outs < OUT)[:, None] & (ins < IN)[None, :]
    descend_at(flat + trial * P, buffer + trial * P, at, inside, grad, lr, momentum, decay)
    if BIAS:
        if tl.load(tile + 2) == 0:
            bias_at = tl.load(layer + 3) + outs
            descend_at(flat + trial * P, buffer + trial * P, bias_at, outs < OUT, along_bias, lr, momentum, decay)
    if tl.program_id(0) == 0:  # one program a trial adds up the losses, in a fixed order
        loss, right_ones = tl.load(loss_sum + trial), tl.load(correct + trial)
        for i in tl.static_range(TILES):
            loss += tl.load(losses + trial * TILES + i)
            right_ones += tl.load(rights + trial * TILES + i)
        tl.store(loss_sum + trial, loss)
        tl.store(correct + trial, right_ones)
