"""A first layer with a weight decay of its own: the optimum against whole matrices and a grid, and its limit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from theory.minimisers import CLASSES, assert_singular_values, every_draw, least, squared_loss

from nc_runner.theory import first_layer_delta_limit, first_layer_delta_singular_values


@pytest.mark.parametrize(("weight_decay", "matrices", "delta"), [(0.01, 1, 3.0), (0.02, 3, 10.0), (0.03, 2, 0.1)])
def test_first_layer_optimum_is_the_least_over_whole_matrices(weight_decay, matrices, delta):
    means = torch.linalg.qr(torch.randn(CLASSES, CLASSES, generator=torch.Generator().manual_seed(0)).double()).Q

    def objective(parameters):
        outputs = means
        for weight in parameters:
            outputs = weight @ outputs
        norms = parameters.square().sum(dim=(1, 2))
        return squared_loss(outputs) + weight_decay / 2 * (delta * norms[0] + norms[1:].sum())

    found, parameters = least(objective, matrices + 1, starts=8, scale=0.8)
    optimum = first_layer_delta_singular_values(weight_decay, CLASSES, matrices, delta)
    assert float(optimum.objective) == pytest.approx(found, rel=1e-6)
    assert_singular_values(parameters[0], optimum.first, CLASSES)
    for weight in parameters[1:]:
        assert_singular_values(weight, optimum.hidden, CLASSES)


@every_draw
@given(st.integers(1, 6), st.floats(-4, 0.5), st.floats(-2, 2), st.integers(2, 12))
def test_first_layer_optimum_is_the_least_over_a_grid(matrices, log_decay, log_delta, classes):
    weight_decay, delta = 10**log_decay, 10**log_delta
    optimum = first_layer_delta_singular_values(weight_decay, classes, matrices, delta)
    q = np.linspace(0, 1.5 * delta ** (-1 / 2 + 1 / (2 * matrices + 2)), 601)
    s = np.linspace(0, 1.5 * delta ** (1 / (2 * matrices + 2)), 601)[:, None]
    values = (s**matrices * q - 1) ** 2 / (2 * classes) + weight_decay / 2 * (matrices * s**2 + delta * q**2)

    def value(s, q):
        return (s**matrices * q - 1) ** 2 / (2 * classes) + weight_decay / 2 * (matrices * s**2 + delta * q**2)

    at_optimum = value(float(optimum.hidden), float(optimum.first))
    assert classes * at_optimum == pytest.approx(float(optimum.objective), rel=1e-12)
    assert at_optimum <= values.min() + 1e-15
    assert at_optimum == pytest.approx(values.min(), rel=5e-3)


def test_first_layer_reference_values():
    """Gradient descent on linear networks found these."""
    optimum = first_layer_delta_singular_values(1e-3, 4, 3, torch.tensor([10.0, 1.0]))
    assert optimum.hidden.tolist() == pytest.approx([1.3311, 0.9990], abs=5e-5)
    assert optimum.first.tolist() == pytest.approx([0.4209, 0.9990], abs=5e-5)


def test_first_layer_limit_is_that_of_the_optimum():
    delta = torch.tensor([0.01, 1.0, 10.0], dtype=torch.float64)
    hidden, first = first_layer_delta_limit(1.0, 3, delta)
    near = first_layer_delta_singular_values(1e-9, 4, 3, delta)
    torch.testing.assert_close(near.hidden, hidden, rtol=1e-6, atol=0)
    torch.testing.assert_close(near.first, first, rtol=1e-6, atol=0)
    torch.testing.assert_close(first_layer_delta_singular_values(0, 4, 3, delta).hidden, hidden, rtol=1e-14, atol=0)


def test_first_layer_limit_of_given_inputs_is_the_least_over_whole_matrices():
    """Inputs that are no orthonormal means, fitted exactly: least norm by Lagrange multipliers, from the optimum."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(CLASSES, 2, generator=generator, dtype=torch.float64)
    targets = torch.eye(CLASSES, 2, dtype=torch.float64)
    matrices, delta, weight_decay = 2, 4.0, 1e-4

    def objective(parameters):
        fitted = parameters[2] @ parameters[1] @ parameters[0] @ inputs
        norms = parameters.square().sum(dim=(1, 2))
        return (fitted - targets).square().sum() / 2 + weight_decay / 2 * (delta * norms[0] + norms[1:].sum())

    _, parameters = least(objective, matrices + 1, starts=6, scale=0.8)
    b = torch.linalg.svdvals(targets @ torch.linalg.pinv(inputs))
    hidden, first = first_layer_delta_limit(b, matrices, delta)
    assert torch.linalg.svdvals(parameters[0]).tolist() == pytest.approx(first.tolist(), abs=3e-3)
    for weight in parameters[1:]:
        assert torch.linalg.svdvals(weight).tolist() == pytest.approx(hidden.tolist(), abs=3e-3)
