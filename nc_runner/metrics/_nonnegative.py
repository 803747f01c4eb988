"""Convex quadratic programmes over the non-negative numbers, without ever forming the matrix."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_TOLERANCE = 1e-12
_MAX_STEPS = 20_000


def nonnegative_minimiser(product: Callable[[Tensor], Tensor], linear: Tensor, norm_bound: float) -> Tensor | None:
    """The x >= 0 that minimises x . Qx / 2 - c . x, for a positive semidefinite Q that may be singular.

    The algorithm MPRGP of Dostal & Schoberl (2005): conjugate gradients on the positive entries; a projected gradient
    step of fixed length where an entry would turn negative; and a step along the gradient of the zero entries once
    that promises more. Unlike an active-set method it frees and binds many entries in a step.

    Args:
        product: x -> Qx, for x of any sign.
        linear: c, of any shape.
        norm_bound: at least the largest eigenvalue of Q, greater than 0.

    Returns:
        x of the shape of c, with a projected gradient of norm at most 1e-12 ||c||; None if 20 000 steps do not get
        there, or if the objective falls without bound along a direction.
    """
    step = 1.95 / norm_bound  # the method converges for less than 2
    x, gradient = torch.zeros_like(linear), -linear
    free, chopped = _projected(x, gradient)
    direction = free
    target = _TOLERANCE * _norm(linear)
    for _ in range(_MAX_STEPS):
        if _norm(free + chopped) <= target:
            return x
        if _dot(chopped, chopped) > _dot(torch.minimum(x / step, free), free):
            bent = product(chopped)
            curvature = _dot(chopped, bent)
            if not curvature > 0:
                return None
            length = _dot(chopped, chopped) / curvature
            x, gradient = x - length * chopped, gradient - length * bent
            free, chopped = _projected(x, gradient)
            direction = free
            continue
        bent = product(direction)
        curvature = _dot(direction, bent)
        length = _dot(gradient, direction) / curvature if curvature > 0 else math.inf
        room = float(torch.where(direction > 0, x / direction, torch.inf).min())
        if math.isinf(length) and math.isinf(room):
            return None
        if length <= room:
            x, gradient = x - length * direction, gradient - length * bent
            free, chopped = _projected(x, gradient)
            direction = free - _dot(free, bent) / curvature * direction
        else:
            x, gradient = (x - room * direction).clamp(min=0), gradient - room * bent
            x = (x - step * _projected(x, gradient)[0]).clamp(min=0)
            gradient = product(x) - linear
            free, chopped = _projected(x, gradient)
            direction = free
    return None


def _projected(x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient at the positive entries; and at those zero entries where an increase would lower the objective."""
    positive = x > 0
    return torch.where(positive, gradient, 0), torch.where(positive, 0, gradient.clamp(max=0))


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum())


def _norm(a: Tensor) -> float:
    return math.sqrt(_dot(a, a))
