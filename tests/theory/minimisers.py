"""Minima of deep linear networks found without knowing the optimum: over whole matrices, over grids."""

import numpy as np
import pytest
import torch
from hypothesis import settings
from scipy.optimize import minimize

CLASSES = 3
OPTIONS = {"ftol": 1e-16, "gtol": 1e-9, "maxiter": 3000, "maxfun": 4000}
every_draw = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def least(objective, matrices, *, starts, scale):
    """Minimum over that many CLASSES x CLASSES matrices by L-BFGS from random starts; gradients by autograd."""

    def value_and_gradient(flat):
        parameters = torch.from_numpy(flat).requires_grad_()
        value = objective(parameters.view(matrices, CLASSES, CLASSES))
        value.backward()
        return value.item(), parameters.grad.numpy().copy()

    found = []
    for seed in range(starts):
        start = scale * np.random.default_rng(seed).standard_normal(matrices * CLASSES**2)
        found.append(minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options=OPTIONS))
    best = min(found, key=lambda solution: solution.fun)
    return best.fun, torch.from_numpy(best.x).view(matrices, CLASSES, CLASSES)


def squared_loss(outputs):
    return (outputs - torch.eye(CLASSES, dtype=torch.float64)).square().sum() / (2 * CLASSES)


def bounded(features, bound):
    """Columns, one a class, scaled back to norm `bound` if they are longer."""
    return features * (bound / features.norm(dim=0)).clamp(max=1)


def assert_singular_values(matrix, value, rank, tolerance=1e-3):
    expected = [float(value)] * int(rank) + [0.0] * (CLASSES - int(rank))
    assert torch.linalg.svdvals(matrix).tolist() == pytest.approx(expected, abs=tolerance)


def feedforward_mode(reach, penalty, matrices):
    """Least of (1 - x s^m)^2 + k m s^2 over s >= 0; 1 is that of s = 0."""
    s = np.linspace(0, 1.1 * reach ** (-1 / matrices), 4001)
    return ((1 - reach * s**matrices) ** 2 + penalty * matrices * s**2).min()


def resnet_mode(reach, penalty, blocks):
    """Least of (1 - x s (1+w)^B)^2 + k (s^2 + B w^2), over w on a grid, with the best s by least squares."""
    w = np.concatenate([[0], np.geomspace(1e-6, 1e3, 6000)])
    slope = reach * (1 + w) ** blocks
    s = slope / (slope**2 + penalty)
    return ((1 - slope * s) ** 2 + penalty * (s**2 + blocks * w**2)).min()
