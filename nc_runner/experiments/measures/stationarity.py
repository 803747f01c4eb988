"""How far from a stationary point a network is, by a measure that is right on the kinks where minimisers of ReLU sit.

The objective is the mean loss plus sum (lambda/2) ||theta||^2. Where a pre-activation is 0 the ReLU has no derivative,
and the gradient that backpropagation writes down, with slope 0 there, need not vanish at a minimiser. With some slope
in [0, 1] at each such place it does: these gradients are elements of a conservative field of the objective, and at a
local minimiser one of them is 0 (Bolte and Pauwels 2021, "Conservative set valued fields, automatic differentiation,
stochastic gradient methods and deep learning"). So the measure is the least norm of the backpropagated gradient over
these slopes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from nc_runner.experiments.base import Measurement
from nc_runner.models import MLP, ResidualMLP

WITHIN = 1e-4  # [choice] of the layer's mean |z|: pre-activations nearer to 0 count as on the kink
STEPS = 300  # [choice] of projected gradient at most
PATIENCE, GAIN = 20, 0.01  # [choice] it ends when so many steps lower no trial's squared norm by this share
FAR = 10.0  # [choice] of a network in training the loss's gradient is far larger than the penalty's; no kink's doing


@dataclass(frozen=True)
class Stationarity:
    """Of each trial [T], gradients in units of the penalty's: ||grad|| / ||lambda theta||, all parameters together."""

    plain: Tensor
    """With the slope that backpropagation takes: that of the negative side at 0."""
    least: Tensor
    """The least found over the slopes at kinks; at most ``plain``, from which the search starts."""
    kinks: Tensor
    """How many pre-activations are on a kink, those of units that are off for every sample left out."""


def measured(network: MLP, x: Tensor, y: Tensor) -> Iterator[Measurement]:
    """``relative_gradient`` and ``least_relative_gradient`` of the whole network, and its number of ``kinks``."""
    outputs = network.params[f"{network.depth}.weight"].shape[1]
    found = stationarity(network, x, one_hot(y, outputs).to(x.dtype))
    yield None, "relative_gradient", found.plain
    yield None, "least_relative_gradient", found.least
    yield None, "kinks", found.kinks


def stationarity(
    network: MLP, x: Tensor, targets: Tensor, *, within: float = WITHIN, steps: int = STEPS, far: float = FAR
) -> Stationarity:
    """The relative gradient of each trial, as it is and the least over slopes at kinks, in float64.

    The gradient is affine in the slopes of each layer and multilinear in those of all; its squared norm is minimised by
    projected gradient with Barzilai and Borwein's step sizes, each trial with its own. What is found is a good local
    minimum, so an upper bound of the least: it can only make a trial look less stationary than it is.

    Args:
        network: a stack of mlp or residual_mlp without BatchNorm, its ``weight_decay`` set.
        x: inputs [N, D]; targets: [N, K].
        within: of the mean |z| of a layer, the distance from 0 up to which a pre-activation counts as on the kink.
        steps: of the search, at most.
        far: trials whose plain gradient is larger are not searched; their least is the plain one.

    Returns:
        NaN for a trial without a penalty, or with parameters or inputs that are not finite.
    """
    backward = _Backward(network, x, targets)
    slopes, free, kinks = backward.slopes(within)
    value = backward.squared_gradient(slopes)
    plain = value.sqrt()
    sought = (plain <= far) & free.any(1)
    least = value.where(~sought, _search(backward, slopes, free, network.slope, steps)) if sought.any() else value
    return Stationarity(plain, least.sqrt(), kinks.double().where(plain.isfinite(), torch.nan))


def _search(backward: _Backward, slopes: Tensor, free: Tensor, negative: float, steps: int) -> Tensor:
    """The least squared gradient [T] met on the way of projected gradient from ``slopes``, the free ones moving."""

    def value_and_gradient(slopes: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            slopes = slopes.detach().requires_grad_()
            value = backward.squared_gradient(slopes)
            (gradient,) = torch.autograd.grad(value.sum(), slopes)
        return value.detach(), gradient.where(free, 0.0)

    best, gradient = value_and_gradient(slopes)
    rate = 1 / gradient.abs().amax(1, keepdim=True)  # the first step moves the steepest slope from end to end
    before = best
    for done in range(1, steps + 1):
        moved = slopes - rate.nan_to_num(0.0, 0.0, 0.0) * gradient
        moved = moved.clamp(negative, 1.0).where(free, slopes)
        value, new = value_and_gradient(moved)
        step, change = moved - slopes, new - gradient
        curvature = (step * change).sum(1, keepdim=True)
        rate = torch.where(curvature > 0, step.square().sum(1, keepdim=True) / curvature, 2 * rate)
        best, slopes, gradient = torch.minimum(best, value), moved, new
        if done % PATIENCE == 0:
            if not (best < (1 - GAIN) * before).any():
                break
            before = best
    return best


class _Backward:
    """The backward pass of a stack as a function of the slopes of its activations, all in float64.

    Slopes are [T, P]: those of every hidden layer's [N, C] pre-activations, one layer after the other.
    """

    def __init__(self, network: MLP, x: Tensor, targets: Tensor) -> None:
        self.residual, self.depth, self.samples = isinstance(network, ResidualMLP), network.depth, len(x)
        self.inputs: dict[int, Tensor] = {}
        self.weights: dict[int, Tensor] = {}
        self.decayed: dict[int, Tensor] = {}
        self.activated: dict[int, tuple[Tensor, float]] = {}  # pre-activations, and the slope below 0, NaN if curved
        self.pointwise = network.pointwise
        for layer, inputs, signals in network.backpropagated(x, targets):  # from the last
            inputs, weight = inputs.double(), network.params[f"{layer}.weight"].double()
            decayed = network.weight_decay[f"{layer}.weight"].double()[:, None, None] * weight
            z = inputs @ weight.mT
            if (bias := network.params.get(f"{layer}.bias")) is not None:  # the weight of an input that is always 1
                z = z + bias.double()[:, None]
                inputs = pad(inputs, (0, 1), value=1.0)
                of_bias = network.weight_decay[f"{layer}.bias"].double()[:, None] * bias.double()
                decayed = torch.cat([decayed, of_bias[..., None]], -1)
            self.inputs[layer], self.weights[layer], self.decayed[layer] = inputs, weight, decayed
            if layer == network.depth:
                self.at_output = signals.double()
            elif not (self.residual and layer == 1):
                self.activated[layer] = z, network.slope_after(layer)
        self.penalty = torch.stack([of.square().sum((-2, -1)) for of in self.decayed.values()]).sum(0)

    def slopes(self, within: float) -> tuple[Tensor, Tensor, Tensor]:
        """The slopes as backpropagation has them [T, P], which of them are free, and the number of kinks [T]."""
        slopes, free = (
            [self.penalty.new_empty(len(self.penalty), 0)],
            [self.penalty.new_empty(len(self.penalty), 0) > 0],
        )
        kinks = torch.zeros_like(self.penalty)
        for layer, (z, negative) in self.activated.items():
            if math.isnan(negative):
                slopes.append(self.pointwise[layer].derivative(z).flatten(1))
                free.append(torch.zeros_like(slopes[-1], dtype=torch.bool))
                continue
            near = (z.abs() <= within * z.abs().mean((1, 2), keepdim=True)) & (negative < 1)
            kinks = kinks + (near & ~near.all(1, keepdim=True)).sum((1, 2))
            slopes.append(torch.ones_like(z).where(z > 0, negative).flatten(1))
            free.append(near.flatten(1))
        return torch.cat(slopes, 1), torch.cat(free, 1), kinks

    def squared_gradient(self, slopes: Tensor) -> Tensor:
        """||grad of the objective||^2 / ||grad of the penalty||^2 of each trial [T] with these slopes."""
        sizes = [z.shape[1:] for z, _ in self.activated.values()]
        parts = slopes.split([size.numel() for size in sizes], 1)
        by_layer = {
            layer: part.unflatten(1, size) for layer, part, size in zip(self.activated, parts, sizes, strict=True)
        }
        total, arriving = torch.zeros_like(self.penalty), self.at_output
        for layer, weight in self.weights.items():
            signals = arriving * by_layer[layer] if layer in by_layer else arriving
            gradient = signals.mT @ self.inputs[layer] / self.samples + self.decayed[layer]
            total = total + gradient.square().sum((-2, -1))
            passed = signals @ weight
            arriving = arriving + passed if self.residual and 1 < layer < self.depth else passed
        return total / self.penalty
