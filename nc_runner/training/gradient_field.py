"""Gradient flow of the unconstrained layer-peeled model in a clock of one's choice, and its derivative.

The state x stacks the features H^T [N, D] on the weight W [K, D]; the flow is (Ji et al., 2022)

    dW/dt = s (Y - P)^T H^T,   dH^T/dt = s (Y - P) W,   P = softmax(H^T W^T) [N, K] by rows.

Three things let float64 follow it to t = e^1000000:

- The clock u may be t, log(1 + t) or log(1 + log(1 + t)), all 0 at t = 0.
- (Y - P) s dt/du is formed from logarithms: exp(log p + log(s dt/du)) off the label, minus their sum on it. So the
  product is right however small 1 - p and however large dt/du.
- The solver sees y = x / sqrt(1 + log(1 + t)), which stays of order 1, as ||x||^2 grows like log t. In x itself, an
  entry that is 0 would be held to the absolute tolerance while the rounding of the other entries grows past it.

The derivative is written out, as at logits of 1e6 a difference quotient of exp is rounding: docs/gradient-flow.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from nc_runner.config.choices import Clock

Array = NDArray[np.float64]

# On the flow (Y - P) dt/du is of order 1. At a solver's guess it can be off by any factor. Capped at e^30 it is finite,
# and still so far off that the solver rejects the guess.
LARGEST_EXPONENT = 30.0


def clock_at(clock: Clock, log1p_time: float) -> float:
    """The clock's reading u at a time given by log(1 + t)."""
    if clock is Clock.t:
        return math.expm1(log1p_time)
    return math.log1p(log1p_time) if clock is Clock.log_log_t else log1p_time


def time_at(clock: Clock, u: float) -> tuple[float, float]:
    """log(1 + t) and log(dt/du) at the clock's reading u."""
    if clock is Clock.t:
        return math.log1p(u), 0.0
    if clock is Clock.log_t:
        return u, u
    return math.expm1(u), math.expm1(u) + u


class Linearised(NamedTuple):
    """What the derivative of the field at a point is made of."""

    features: Array  # [N, D]
    weight: Array  # [K, D]
    residual: Array  # (Y - P) s dt/du [N, K]
    curvature: Array  # (diag p - p p^T) s dt/du of each sample [N, K, K]
    shrinking: float  # d log sqrt(1 + log(1 + t)) / du, the rate at which y = x / scale shrinks where x stands still
    overshoot: float  # largest log of an entry of residual off the label


@dataclass(frozen=True)
class Field:
    """The flow of one model.

    Attributes:
        labels: int64 [N].
        classes: K.
        width: D.
        loss_scale: s, 1 for the summed cross-entropy and 1/N for the mean.
        clock: u as a function of t.
    """

    labels: NDArray[np.int64]
    classes: int
    width: int
    loss_scale: float
    clock: Clock

    @staticmethod
    def of_summed_loss(labels: Tensor, classes: int, width: int) -> Field:
        """The flow of the summed cross-entropy in t itself."""
        return Field(labels.numpy(), classes, width, 1.0, Clock.t)

    @property
    def size(self) -> int:
        """Unknowns, (N + K) D."""
        return (len(self.labels) + self.classes) * self.width

    def scale(self, u: float) -> float:
        """What the solver's y is multiplied by to give x."""
        return math.sqrt(1 + time_at(self.clock, u)[0])

    def split(self, x: Array) -> tuple[Array, Array]:
        """Features [N, D] and weight [K, D]."""
        both = x.reshape(-1, self.width)
        return both[: len(self.labels)], both[len(self.labels) :]

    def residual(self, logits: Array, log_rate: float) -> tuple[Array, Array, float]:
        """(Y - P) s dt/du [N, K], log P, and the largest exponent there was."""
        log_p = log_softmax(logits, axis=1)
        label = np.arange(len(logits)), self.labels
        exponent = log_p + (log_rate + math.log(self.loss_scale))
        exponent[label] = -np.inf
        overshoot = float(exponent.max())
        residual = -np.exp(np.minimum(exponent, LARGEST_EXPONENT))
        residual[label] = -residual.sum(1)
        return residual, log_p, overshoot

    def __call__(self, u: float, y: Array) -> Array:
        """dy/du."""
        log1p_time, log_rate = time_at(self.clock, u)
        scale = math.sqrt(1 + log1p_time)
        return np.asarray(self.velocity(y * scale, log_rate) / scale - _shrinking(log1p_time, log_rate) * y)

    def velocity(self, x: Array, log_rate: float = 0.0) -> Array:
        """dx/du; with dt/du = 1 the negative gradient of the loss."""
        features, weight = self.split(x)
        residual, _, _ = self.residual(features @ weight.T, log_rate)
        return np.concatenate([residual @ weight, residual.T @ features]).ravel()

    def linearise(self, u: float, y: Array) -> Linearised:
        """The parts of the derivative at (u, y)."""
        log1p_time, log_rate = time_at(self.clock, u)
        features, weight = self.split(y * math.sqrt(1 + log1p_time))
        residual, log_p, overshoot = self.residual(features @ weight.T, log_rate)
        p, label = np.exp(log_p), (np.arange(len(residual)), self.labels)
        off_label = -residual
        off_label[label] = 0
        curvature = -off_label[:, :, None] * p[:, None, :]
        towards_label = -off_label * p[label][:, None]  # by the label's p, near 1, and not by its rounded 1 - p
        curvature[label[0], self.labels, :] = towards_label
        curvature[label[0], :, self.labels] = towards_label
        diagonal = off_label * (1 - p)
        diagonal[label] = -towards_label.sum(1)
        curvature[:, range(self.classes), range(self.classes)] = diagonal
        return Linearised(features, weight, residual, curvature, _shrinking(log1p_time, log_rate), overshoot)


def _shrinking(log1p_time: float, log_rate: float) -> float:
    """d log(scale) / du."""
    return 0.5 * math.exp(log_rate - log1p_time) / (1 + log1p_time)


def dense_jacobian(at: Linearised) -> Array:
    """d(dy/du)/dy [P, P]; symmetric, as the field is a gradient."""
    features, weight, residual, curvature, shrinking, _ = at
    samples, classes, width = len(features), len(weight), features.shape[1]
    split = samples * width
    jacobian = np.zeros((split + classes * width,) * 2)
    towards = curvature @ weight  # [N, K, D]
    across = -features[:, None, :, None] * towards[:, :, None, :]  # d(dW/du) by d features: [N, K, D, D]
    across += residual[:, :, None, None] * np.eye(width)
    jacobian[split:, :split] = across.transpose(1, 2, 0, 3).reshape(classes * width, split)
    jacobian[:split, split:] = jacobian[split:, :split].T
    own = jacobian[:split, :split].reshape(samples, width, samples, width)
    own[range(samples), :, range(samples), :] = -np.einsum("ka,ikb->iab", weight, towards)
    pairs = (features[:, :, None] * features[:, None, :]).reshape(samples, -1)
    of_weight = (curvature.reshape(samples, -1).T @ pairs).reshape(classes, classes, width, width)
    jacobian[split:, split:] = -of_weight.transpose(0, 2, 1, 3).reshape(classes * width, -1)
    jacobian[np.diag_indices_from(jacobian)] -= shrinking
    return jacobian
