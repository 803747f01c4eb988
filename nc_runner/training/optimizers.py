"""Optimisers of a stack: torch's steps on all parameters [T, P] at once, each trial with its own numbers.

Nothing in a step waits for the device, and what changes from step to step is a tensor, so that a step can be captured
as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nc_runner.config.choices import ADAPTIVE, Optimizer
from nc_runner.config.schema import TrainConfig

_ONE_PASS_FROM = 20_000  # parameters of a trial


@dataclass(frozen=True)
class Rates:
    """The numbers of each trial, [T, 1]; a weight decay [T, P] where the first layer has its own."""

    lr: Tensor
    momentum: Tensor
    weight_decay: Tensor
    beta2: Tensor


class Stepping(Protocol):
    """What moves a stack's parameters."""

    def step(self) -> None:
        """Move the parameters by their gradients, which are used up."""

    def changed(self) -> None:
        """Take notice of other step sizes."""

    def state(self) -> dict[str, Tensor]:
        """The tensors that make up its state, by name."""


def optimizer(train: TrainConfig, flat: Tensor, grad: Tensor, rates: Rates) -> Stepping:
    """The optimiser of a config for parameters ``flat`` [T, P] with gradients ``grad``."""
    if train.optimizer in ADAPTIVE:
        return Adam(flat, grad, rates, eps=train.adam_eps, decoupled=train.optimizer is Optimizer.adamw)
    return Momentum(flat, grad, rates, nesterov=train.optimizer is Optimizer.nesterov)


class Momentum:
    """torch's ``SGD``: heavy-ball momentum, or Nesterov's as Sutskever et al. (2013) write it; coupled weight decay."""

    def __init__(self, flat: Tensor, grad: Tensor, rates: Rates, *, nesterov: bool) -> None:
        self.flat, self.grad, self.rates, self.nesterov = flat, grad, rates, nesterov
        self.buffer = torch.zeros_like(flat)
        # One pass over parameters, gradient and momentum takes half the time of three, but a call a trial.
        one_decay = rates.weight_decay.shape[1] == 1
        self.in_one_pass = flat.device.type == "cpu" and flat.shape[1] >= _ONE_PASS_FROM and one_decay
        self.changed()

    def changed(self) -> None:
        """Read the numbers of each trial that a pass over its parameters takes."""
        rates = self.rates
        self.scalars: Sequence[Sequence[float]] = (
            torch.cat([rates.lr, rates.momentum, rates.weight_decay], dim=1).tolist() if self.in_one_pass else []
        )

    def state(self) -> dict[str, Tensor]:
        """The momentum [T, P]."""
        return {"momentum": self.buffer}

    def step(self) -> None:
        """A step of all parameters."""
        flat, grad, rates = self.flat, self.grad, self.rates
        if self.in_one_pass:
            for t, (lr, momentum, decay) in enumerate(self.scalars):
                torch._fused_sgd_(
                    [flat[t]], [grad[t]], [self.buffer[t]] if momentum else [],  # it takes no buffer without
                    lr=lr, momentum=momentum, weight_decay=decay,
                    dampening=0.0, nesterov=self.nesterov, maximize=False, is_first_step=False,
                )  # fmt: skip
            return
        grad.addcmul_(flat, rates.weight_decay)
        self.buffer.mul_(rates.momentum).add_(grad)
        along = grad.addcmul_(self.buffer, rates.momentum) if self.nesterov else self.buffer
        flat.addcmul_(along, rates.lr, value=-1)


class Adam:
    """torch's ``Adam`` (Kingma and Ba 2015), and with ``decoupled`` weight decay its ``AdamW`` (Loshchilov and Hutter
    2019). The momentum is beta1."""

    def __init__(self, flat: Tensor, grad: Tensor, rates: Rates, *, eps: float, decoupled: bool) -> None:
        self.flat, self.grad, self.rates, self.eps, self.decoupled = flat, grad, rates, eps, decoupled
        self.mean, self.square = torch.zeros_like(flat), torch.zeros_like(flat)
        self.steps = torch.zeros(1, device=flat.device, dtype=torch.float64)
        # In float64, as torch has them: 1 - beta2 of float32 numbers is off by 1e-5.
        self.beta1, self.beta2 = rates.momentum.double(), rates.beta2.double()
        self.new1, self.new2 = ((1 - beta).to(flat.dtype) for beta in (self.beta1, self.beta2))
        self.kept2 = self.beta2.to(flat.dtype)

    def changed(self) -> None:
        """Nothing: the step reads the tensors."""

    def state(self) -> dict[str, Tensor]:
        """The two moments [T, P], and how many steps were taken."""
        return {"first_moment": self.mean, "second_moment": self.square, "steps": self.steps}

    def step(self) -> None:
        """A step of all parameters."""
        flat, grad, rates = self.flat, self.grad, self.rates
        if self.decoupled:
            flat.mul_(1 - rates.lr * rates.weight_decay)
        else:
            grad.addcmul_(flat, rates.weight_decay)
        self.steps.add_(1)
        self.mean.lerp_(grad, self.new1)
        self.square.mul_(self.kept2).addcmul_(grad * self.new2, grad)
        size = rates.lr / (1 - self.beta1**self.steps)
        correction = (1 - self.beta2**self.steps).sqrt()
        root = self.square.sqrt().div_(correction.to(flat.dtype)).add_(self.eps)
        flat.addcdiv_(self.mean * -size.to(flat.dtype), root)


def clip(grad: Tensor, largest: float) -> None:
    """Scale the gradient [T, P] of each trial whose norm is larger, as torch's ``clip_grad_norm_`` does of each."""
    norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    grad.mul_((largest / (norm + 1e-6)).clamp_(max=1.0))
