"""Losses of a stack: the value of each trial and the gradient at its outputs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Loss(NamedTuple):
    """Per-trial loss [T], the gradient of each trial's loss at its outputs [B, T*K], and the count correct [T]."""

    value: Tensor
    grad: Tensor
    correct: Tensor


def cross_entropy(logits: Tensor, targets: Tensor) -> Loss:
    """Mean cross-entropy over the batch of ``logits [B, T*K]`` against one-hot ``targets [B, T, K]``."""
    log_p = torch.log_softmax(logits.view_as(targets), -1)
    grad = log_p.exp().sub_(targets).div_(len(logits))
    log_p_label = (log_p * targets).sum(-1)
    correct = (log_p_label >= log_p.amax(-1)).sum(0)
    return Loss(-log_p_label.mean(0), grad.view_as(logits), correct)
