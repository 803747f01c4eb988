"""Training steps of stacks of MLPs on a CPU as a list of operations on memory that is made once.

It is the step of :meth:`nc_runner.training.sgd.SGD.update`, to the same bits. A step of these networks is some sixty
short operations. To find their tensors, make views and take memory for results costs up to a fifth of the time, and
nothing of it changes from step to step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from nc_runner.config.choices import BATCH_NORMS, Norm
from nc_runner.models.activations import SLOPES
from nc_runner.models.layers import enter, leave, side_by_side
from nc_runner.models.mlp import MLP
from nc_runner.models.norms import BatchNorm
from nc_runner.training import operations as op
from nc_runner.training.fused import Stack
from nc_runner.training.optimizers import clip


def planned_step(training: Stack) -> Callable[[Tensor], None] | None:
    """What takes a batch int64 [B, T] of sample numbers and changes the training's state; None where none applies.

    It is for MLPs with activations that are linear by parts, with BatchNorm or no norm, and without dropout.
    """
    model = training.config.model
    normed = model.norm is Norm.none or model.norm in BATCH_NORMS
    if type(training.network) is MLP and normed and model.activation in SLOPES and not model.dropout:
        return PlannedStep(training)
    return None


class PlannedStep:
    """A list of operations for each number of rows of a batch, made at the first such batch."""

    def __init__(self, training: Stack) -> None:
        self.training = training
        self.plans: dict[int, tuple[Tensor, op.Operations]] = {}

    def __call__(self, batch: Tensor) -> None:
        """One step of every trial."""
        if len(batch) not in self.plans:
            self.plans[len(batch)] = plan(self.training, len(batch))
        samples, operations = self.plans[len(batch)]
        samples.copy_(batch.t())
        for operation in operations:
            operation()


def plan(training: Stack, rows: int) -> tuple[Tensor, op.Operations]:
    """The operations of a step on so many rows, and where to write each trial's sample numbers, int64 [T, B]."""
    network: MLP = training.network
    samples = torch.empty(network.trials, rows, dtype=torch.int64)
    (x, of_x), (targets, of_targets) = (op.batch_of(data, samples) for data in (training.x, training.targets))
    steps: op.Operations = [*of_x, *of_targets]
    inputs, hidden, statistics = [enter(x)], [x], {}  # of each layer, its inputs, and its outputs before the norm
    for i, layer in network.linear.items():
        out = op.memory(layer, rows)
        steps += op.forward(layer, inputs[-1], out)
        hidden.append(out)
        if i < network.depth:
            steps += op.activate(network.slope_after(i), out)
        if isinstance(norm := network.norms.get(i), BatchNorm):
            out = op.memory(layer, rows)
            statistics[i] = torch.empty_like(norm.running_mean), torch.empty_like(norm.running_mean)
            steps += op.normalise(norm, hidden[-1], out, *statistics[i])
        inputs.append(out)
    grad = op.memory(layer, rows)
    steps += op.lose(training, leave(hidden[-1]), targets, leave(grad))
    gradients: dict[tuple[int, int, bool], Tensor] = {}  # two of a kind, each written from the other
    for i in range(network.depth, 0, -1):
        steps += op.gradient(network.linear[i], grad, inputs[i - 1])
        if i == 1:
            break
        kind = (i % 2, network.linear[i].weight.shape[2], network.linear[i].inputs_beside)
        below = gradients.setdefault(kind, op.memory(network.linear[i - 1], rows))
        steps += op.to_input(network.linear[i], grad, below)
        slope, out = network.slope_after(i - 1), hidden[i - 1]
        if isinstance(norm := network.norms.get(i - 1), BatchNorm):
            steps.append(
                partial(op.back_through_norm, norm, slope, side_by_side(below), side_by_side(out), *statistics[i - 1])
            )
        else:
            steps.append(partial(op.activate_backward, slope, below, out, below))
        grad = below
    if (largest := training.config.train.gradient_clip) is not None:
        steps.append(partial(clip, network.flat_grad, largest))
    return samples, [*steps, training.optimizer.step]
