"""Losses of a stack: the value of each trial and the gradient at its outputs."""

from __future__ import annotations

from collections.abc import Callable
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


LossFunction = Callable[[Tensor, Tensor], Loss]


def loss_of(name: LossName, label_smoothing: float = 0.0) -> LossFunction:
    """The loss of a name; the cross-entropy with the share ``label_smoothing`` of each label spread over all classes.

    As torch's ``CrossEntropyLoss`` has it (Szegedy et al. 2016): the label gets 1 - s + s/K, each other class s/K.
    """
    if name is LossName.mse:
        return mse
    if not label_smoothing:
        return cross_entropy

    def smoothed(outputs: Tensor, targets: Tensor) -> Loss:
        spread = targets * (1 - label_smoothing) + label_smoothing / targets.shape[-1]
        return cross_entropy(outputs, spread)._replace(correct=correct(outputs, targets))

    return smoothed
