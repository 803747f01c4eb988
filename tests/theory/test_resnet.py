"""Linear residual networks on free features: the optimum against whole matrices, reference values, two minima."""

import numpy as np
import pytest
import torch
from theory.minimisers import CLASSES, assert_singular_values, bounded, least, resnet_mode, squared_loss

from nc_runner.theory import resnet_singular_values


@pytest.mark.parametrize(
    ("weight_decay", "blocks", "bound", "rank"),
    [(0.01, 2, 1.0, 3), (0.003, 3, 0.5, 3), (0.5, 8, 0.3, 2), (1.0, 8, 0.3, 1), (2.0, 1, 1.0, 3)],
)
def test_resnet_optimum_is_the_least_over_whole_matrices(weight_decay, blocks, bound, rank):
    def objective(parameters):
        outputs = bounded(parameters[0], bound)
        for weight in parameters[2:]:
            outputs = outputs + weight @ outputs
        return squared_loss(parameters[1] @ outputs) + weight_decay / 2 * parameters[1:].square().sum()

    found, parameters = least(objective, blocks + 2, starts=8, scale=0.8)
    optimum = resnet_singular_values(weight_decay, CLASSES, blocks, bound)
    assert int(optimum.rank) == rank
    assert float(optimum.objective) == pytest.approx(found, rel=1e-6)
    assert_singular_values(parameters[1], optimum.head, rank)
    for weight in parameters[2:]:
        assert_singular_values(weight, optimum.block, rank)


def test_resnet_reference_values():
    """Gradient descent found the first of these."""
    optimum = resnet_singular_values(0.01, 4, torch.tensor([2, 4]), torch.tensor([1.0, 0.5]))
    assert optimum.block.tolist() == pytest.approx([0.2812, 0.3192], abs=5e-5)
    assert optimum.head.tolist() == pytest.approx([0.6003, 0.6490], abs=5e-5)
    assert optimum.rank.tolist() == [4, 4]


@pytest.mark.parametrize("weight_decay", [0, 1e-3, 0.02, 0.4, 30])
def test_resnet_values_are_stationary(weight_decay):
    blocks = torch.tensor([1, 2, 9]).double()
    optimum = resnet_singular_values(weight_decay, 4, blocks, 0.7)
    w, s = optimum.block, optimum.head
    torch.testing.assert_close(w * (1 + w), s.square(), rtol=1e-12, atol=0)
    fitted = 0.7 * (4 / optimum.rank).sqrt() * s * (1 + w) ** blocks
    torch.testing.assert_close(fitted * (1 - fitted), 4 * weight_decay * s.square(), rtol=1e-9, atol=1e-14)
    assert (w > 0).all()


def test_resnet_values_are_stationary_wherever_there_may_be_two_minima():
    penalty = torch.logspace(-2.5, 1, 80, dtype=torch.float64)
    bound = torch.logspace(-2.5, 0.5, 80, dtype=torch.float64)[:, None]
    optimum = resnet_singular_values(penalty, 1, torch.arange(1, 9)[:, None, None], bound)
    w, s = optimum.block, optimum.head
    torch.testing.assert_close(w * (1 + w), s.square(), rtol=1e-10, atol=0)


def test_resnet_takes_the_better_of_two_minima():
    """One class and eight blocks: on the way up the penalty the blocks go from much to little in one step."""
    penalties = torch.linspace(0.2, 0.5, 100, dtype=torch.float64)
    optimum = resnet_singular_values(penalties, 1, 8, 0.03)
    expected = [resnet_mode(0.03, float(k), 8) / 2 for k in penalties]
    np.testing.assert_allclose(optimum.objective, expected, rtol=1e-5)
    assert (optimum.block.diff() < -0.05).tolist().count(True) == 1
