"""The least representation cost of a network: sum ||W_l||^2 of the layers after a free first one, where it fits.

The first layer is free where the inputs are independent: it takes N samples to any N pre-activations. So these are
searched for in its place, one a sample, or one a class: then no layer has any cluster variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

ROUNDS = 12  # [choice] of multipliers, after each of which the residual is smaller
ITERATIONS = 400  # [choice] of L-BFGS in a round, at most
WEIGHT = 100.0  # [choice] of the squared residual at first; so heavy that no network is better at 0 than where it fits
FITS = 1e-6  # [choice] residual of each output up to which a network fits


@dataclass(frozen=True)
class Network:
    """Layers after a first one: z_1 = a(v) cut to norm c, then a(W z) or z + a(W z), then a linear head; no biases.

    Attributes:
        residual: whether the layers between are blocks z + a(W z), and the first one is linear.
        activation: a, positively homogeneous.
        width, outputs: of the features and the head. layers: L, the first one and the head among them.
        bound: c.
    """

    residual: bool
    activation: Callable[[Tensor], Tensor]
    width: int
    outputs: int
    layers: int
    bound: float

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of the weights that cost: W_2 to W_L."""
        return [(self.width, self.width)] * (self.layers - 2) + [(self.outputs, self.width)]

    def first(self, v: Tensor) -> Tensor:
        """z_1 [N, D] of pre-activations v [N, D]."""
        z = v if self.residual else self.activation(v)
        size = (z.square().sum(1, keepdim=True) + 1e-300).sqrt()
        return z * self.bound / size.clamp(min=self.bound)

    def features(self, weights: list[Tensor], z: Tensor) -> list[Tensor]:
        """z_1 to z_{L-1}, and the outputs, from z_1 [N, D]."""
        found = [z]
        for weight in weights[:-1]:
            added = self.activation(found[-1] @ weight.mT)
            found.append(found[-1] + added if self.residual else added)
        return [*found, found[-1] @ weights[-1].mT]

    def parts(self, flat: Tensor) -> tuple[list[Tensor], Tensor]:
        """The weights and the pre-activations v [N, D] in a vector of all of them."""
        sizes = [rows * columns for rows, columns in self.shapes]
        *weights, v = flat.split([*sizes, len(flat) - sum(sizes)])
        shaped = [weight.view(shape) for weight, shape in zip(weights, self.shapes, strict=True)]
        return shaped, v.view(-1, self.width)


@dataclass(frozen=True)
class Found:
    """Where a search ended."""

    cost: float
    """sum ||W_l||^2 over l >= 2."""
    residual: float
    """The largest of an output's distances from its target."""
    features: list[Tensor]
    """z_1 to z_{L-1}, [N, D] each."""


def least_cost(network: Network, targets: Tensor, start: Tensor) -> Found:
    """The least cost of fitting ``targets [N, K]``, as found from ``start``: a local minimum.

    By multipliers: each round L-BFGS minimises cost + <m, f - y> + (w/2) ||f - y||^2, then m grows by w (f - y), and w
    by 4 where the residual has not fallen to a quarter.
    """

    def lagrangian(flat: Tensor, multiplier: Tensor, weight: float) -> Tensor:
        weights, v = network.parts(flat)
        residual = network.features(weights, network.first(v))[-1] - targets
        cost = flat[: -v.numel()].square().sum()
        return cost + (multiplier * residual).sum() + weight / 2 * residual.square().sum()

    flat, multiplier, weight = start.double(), torch.zeros_like(targets), WEIGHT
    before = np.inf
    for _ in range(ROUNDS):

        def value(
            numbers: np.ndarray, multiplier: Tensor = multiplier, weight: float = weight
        ) -> tuple[float, np.ndarray]:
            with torch.enable_grad():
                at = torch.from_numpy(numbers).requires_grad_()
                cost = lagrangian(at, multiplier, weight)
                (gradient,) = torch.autograd.grad(cost, at)
            return cost.item(), gradient.numpy()

        options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "maxcor": 20, "ftol": 1e-15, "gtol": 1e-9}
        ended = minimize(value, flat.numpy(), jac=True, method="L-BFGS-B", options=options)
        flat = torch.from_numpy(ended.x)
        weights, v = network.parts(flat)
        *features, outputs = network.features(weights, network.first(v))
        residual = outputs - targets
        now = residual.abs().max().item()
        if now <= FITS / 10:
            break
        multiplier = multiplier + weight * residual
        weight = weight if now <= before / 4 else 4 * weight
        before = now
    return Found(sum(of.square().sum().item() for of in weights), now, features)
