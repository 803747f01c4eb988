"""Triton kernels of a training step of a stack of MLPs: what stands between two matrix products, in one pass.

A program holds all rows of a minibatch for a few channels of one trial, so BatchNorm's statistics stay in registers.
Tensors are float32 and contiguous, B rows and T trials. Sums run in a fixed order: the same step gives the same bits.
BatchNorm's derivatives are those of Ioffe and Szegedy 2015, section 3; the update is torch's SGD.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def gather(x, y, batch, batch_row, batch_trial, into_x, into_y, B, D, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Each trial's rows of x [N, D] and y [N], by the sample numbers ``batch`` [B, T] of any strides."""
    trial = tl.program_id(2)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    sample = tl.load(batch + rows * batch_row + trial * batch_trial, mask=rows < B, other=0)
    inside = (rows < B)[:, None] & (columns < D)[None, :]
    values = tl.load(x + sample[:, None] * D + columns[None, :], mask=inside)
    tl.store(into_x + (trial * B + rows)[:, None].to(tl.int64) * D + columns[None, :], values, mask=inside)
    if tl.program_id(1) == 0:
        tl.store(into_y + trial * B + rows, tl.load(y + sample, mask=rows < B), mask=rows < B)


@triton.jit
def activate(
    z, flat, P, bias_at, gamma_at, beta_at, out, mean_of, inverse_std_of, running_mean, running_var,
    B, C, slope, eps, averaging,
    BIAS: tl.constexpr, NORM: tl.constexpr, AFFINE: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """After a product z [T, B, C], in place: bias and activation; with NORM, BatchNorm's output into ``out``.

    BatchNorm leaves mean and 1/std [T, C], and moves the running statistics (unbiased variance, as torch).
    """
    trial = tl.program_id(1).to(tl.int64)
    rows, columns = tl.arange(0, M), tl.program_id(0) * N + tl.arange(0, N)
    there = columns < C
    inside = (rows < B)[:, None] & there[None, :]
    at = (trial * B + rows)[:, None] * C + columns[None, :]
    value = tl.load(z + at, mask=inside, other=0.0)
    if BIAS:
        value += tl.load(flat + trial * P + bias_at + columns, mask=there, other=0.0)[None, :]
    value = tl.where(value > 0, value, slope * value)
    tl.store(z + at, value, mask=inside)
    if NORM:
        channel = trial * C + columns
        mean = tl.sum(tl.where(inside, value, 0.0), 0) / B
        centred = tl.where(inside, value - mean[None, :], 0.0)
        variance = tl.sum(centred * centred, 0) / B
        inverse_std = 1.0 / tl.sqrt_rn(variance + eps)
        tl.store(mean_of + channel, mean, mask=there)
        tl.store(inverse_std_of + channel, inverse_std, mask=there)
        moving = tl.load(running_mean + channel, mask=there)
        tl.store(running_mean + channel, (1 - averaging) * moving + averaging * mean, mask=there)
        moving = tl.load(running_var + channel, mask=there)
        tl.store(running_var + channel, (1 - averaging) * moving + averaging * (variance * B / (B - 1)), mask=there)
        normalised = centred * inverse_std[None, :]
        if AFFINE:
            gamma = tl.load(flat + trial * P + gamma_at + columns, mask=there, other=0.0)
            beta = tl.load(flat + trial * P + beta_at + columns, mask=there, other=0.0)
            normalised = normalised * gamma[None, :] + beta[None, :]
        tl.store(out + at, normalised, mask=inside)


@triton.jit
def loss_of(outputs, label, rows, columns, B, OUT, MSE: tl.constexpr):
    """Of outputs [M, N]: each row's loss, the mean loss's gradient, and whether the first largest is at the label."""
    there, real = (rows < B)[:, None] & (columns < OUT)[None, :], (columns < OUT)[None, :]
    target = columns[None, :] == label[:, None]
    masked = tl.where(real, outputs, -float("inf"))
    right = (tl.argmax(masked, 1) == label) & (rows < B)
    if MSE:
        residual = tl.where(there, outputs - target.to(tl.float32), 0.0)
        return 0.5 * tl.sum(residual * residual, 1), residual / B, right
    shifted = masked - tl.max(masked, 1)[:, None]
    exponentials = tl.exp(shifted)
    total = tl.sum(exponentials, 1)
    loss = tl.log(total) - tl.sum(tl.where(target, shifted, 0.0), 1)
    grad = (exponentials / total[:, None] - target.to(tl.float32)) / B
    return tl.where(rows < B, loss, 0.0), tl.where(there, grad, 0.0), right


@triton.jit
def loss(
    z, flat, grads, P, bias_at, y, y_trial, delta, loss_sum, correct, B, OUT,
    BIAS: tl.constexpr, MSE: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """After the last product z [T, B, OUT]: bias and loss, its gradient ``delta``, and that at the bias.

    Adds the samples' losses, and how many are right, to ``loss_sum`` float64 [T] and ``correct`` int64 [T].
    """
    trial = tl.program_id(0).to(tl.int64)
    rows, columns = tl.arange(0, M), tl.arange(0, N)
    inside = (rows < B)[:, None] & (columns < OUT)[None, :]
    at = (trial * B + rows)[:, None] * OUT + columns[None, :]
    outputs = tl.load(z + at, mask=inside, other=0.0)
    if BIAS:
        outputs += tl.load(flat + trial * P + bias_at + columns, mask=columns < OUT, other=0.0)[None, :]
    label = tl.load(y + trial * y_trial + rows, mask=rows < B, other=0)
    value, grad, right = loss_of(outputs, label, rows, columns, B, OUT, MSE)
    tl.store(delta + at, grad, mask=inside)
    if BIAS:
        tl.store(grads + trial * P + bias_at + columns, tl.sum(grad, 0), mask=columns < OUT)
    tl.store(loss_sum + trial, tl.load(loss_sum + trial) + tl.sum(value.to(tl.float64), 0))
    tl.store(correct + trial, tl.load(correct + trial) + tl.sum(right.to(tl.int64), 0))


@triton.jit
def backward(
    grad_of, flat, grads, P, bias_at, gamma_at, beta_at, activated, mean_of, inverse_std_of, B, C, slope,
    BIAS: tl.constexpr, NORM: tl.constexpr, AFFINE: tl.constexpr, M: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Back through BatchNorm and activation, in place in ``grad_of`` [T, B, C]; writes bias, gamma and beta's grads."""
    trial = tl.program_id(1).to(tl.int64)
    rows, columns = tl.arange(0, M), tl.program_id(0) * N + tl.arange(0, N)
    there = columns < C
    inside = (rows < B)[:, None] & there[None, :]
    at = (trial * B + rows)[:, None] * C + columns[None, :]
    grad = tl.load(grad_of + at, mask=inside, other=0.0)
    value = tl.load(activated + at, mask=inside, other=0.0)
    of = grads + trial * P + columns
    if NORM:
        channel = trial * C + columns
        inverse_std = tl.load(inverse_std_of + channel, mask=there, other=0.0)
        mean = tl.load(mean_of + channel, mask=there, other=0.0)
        normalised = (value - mean[None, :]) * inverse_std[None, :]
        along_beta, along_gamma = tl.sum(grad, 0), tl.sum(grad * normalised, 0)
        scale = inverse_std
        if AFFINE:
            tl.store(of + gamma_at, along_gamma, mask=there)
            tl.store(of + beta_at, along_beta, mask=there)
            scale *= tl.load(flat + trial * P + gamma_at + columns, mask=there, other=0.0)
        grad = (grad - (along_beta / B)[None, :] - normalised * (along_gamma / B)[None, :]) * scale[None, :]
    grad = tl.where(inside, tl.where(value > 0, grad, slope * grad), 0.0)
    tl.store(grad_of + at, grad, mask=inside)
    if BIAS:
        tl.store(of + bias_at, tl.sum(grad, 0), mask=there)


@triton.jit
def descend_at(flat, buffer, at, mask, grad, lr, momentum, decay):
    """One step of torch's SGD on the parameters at ``at``."""
    value = tl.load(flat + at, mask=mask, other=0.0)
    velocity = momentum * tl.load(buffer + at, mask=mask, other=0.0) + (grad + decay * value)
    tl.store(buffer + at, velocity, mask=mask)
    tl.store(flat + at, value - lr * velocity, mask=mask)


@triton.jit
def descend(flat, grads, buffer, P, lrs, momenta, decays, decay_trial, decay_parameter, N: tl.constexpr):
    """SGD on all parameters [T, P] at once; ``decays`` has an entry a trial, or one a parameter (by its strides)."""
    trial = tl.program_id(1).to(tl.int64)
    at = tl.program_id(0) * N + tl.arange(0, N)
    there = at < P
    decay = tl.load(decays + trial * decay_trial + at * decay_parameter, mask=there, other=0.0)
    grad = tl.load(grads + trial * P + at, mask=there, other=0.0)
    descend_at(
        flat + trial * P, buffer + trial * P, at, there, grad, tl.load(lrs + trial), tl.load(momenta + trial), decay
    )
