"""Losses of a stack: the value of each trial and the gradient at its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from nc_runner.config.choices import LossName


class Loss(NamedTuple):
    """Each trial's loss [T], its gradient at the outputs [T, B, K], and the number of samples it gets right [T]."""

    value: Tensor
    grad: Tensor
    correct: Tensor


def cross_entropy(outputs: Tensor, targets: Tensor) -> Loss:
    """Mean cross-entropy over the batch of logits ``outputs [T, B, K]`` against one-hot ``targets [T, B, K]``."""
    log_p = torch.log_softmax(outputs, -1)
    grad = log_p.exp().sub_(targets).div_(outputs.shape[1])
    log_p_label = (log_p * targets).sum(-1)
    return Loss(-log_p_label.mean(1), grad, correct(outputs, targets))


def mse(outputs: Tensor, targets: Tensor) -> Loss:
    """``sum_i ||f_i - y_i||^2 / (2B)`` of ``outputs [T, B, K]`` against one-hot ``targets [T, B, K]``."""
    batch = outputs.shape[1]
    residual = outputs - targets
    value = residual.square().sum((1, 2)).div_(2 * batch)
    return Loss(value, residual.div_(batch), correct(outputs, targets))


def correct(outputs: Tensor, targets: Tensor) -> Tensor:
    """The number of samples [T] whose largest output, the first of equal ones, is at their label."""
    return targets.gather(2, outputs.argmax(-1, keepdim=True)).count_nonzero((1, 2))


LOSSES: Mapping[LossName, Callable[[Tensor, Tensor], Loss]] = {
    LossName.cross_entropy: cross_entropy,
    LossName.mse: mse,
}
