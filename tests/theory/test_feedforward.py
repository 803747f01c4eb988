"""Linear networks on free features: the optimum against whole matrices, its closed form and its edges."""

import numpy as np
import pytest
import torch
from theory.minimisers import CLASSES, assert_singular_values, bounded, least, squared_loss

from nc_runner.theory import feedforward_singular_values


@pytest.mark.parametrize(
    ("weight_decay", "matrices", "bound", "rank"),
    [
        (0.02, 1, 0.7, 3),
        (0.1, 2, 1.3, 3),
        (0.2, 2, 1.0, 2),
        (0.02, 3, 1.0, 3),
        (0.09, 3, 1.0, 3),
        (0.11, 3, 1.0, 2),
        (0.15, 3, 1.0, 1),
        (0.2, 3, 1.0, 0),
        (0.01, 4, 0.6, 3),
    ],
)
def test_feedforward_optimum_is_the_least_over_whole_matrices(weight_decay, matrices, bound, rank):
    def objective(parameters):
        outputs = bounded(parameters[0], bound)
        for weight in parameters[1:]:
            outputs = weight @ outputs
        return squared_loss(outputs) + weight_decay / 2 * parameters[1:].square().sum()

    found, parameters = least(objective, matrices + 1, starts=8, scale=0.8)
    optimum = feedforward_singular_values(weight_decay, CLASSES, matrices, bound)
    assert int(optimum.rank) == rank
    assert float(optimum.objective) == pytest.approx(found, rel=1e-6)
    for weight in parameters[1:]:
        assert_singular_values(weight, optimum.singular_value, rank)


@pytest.mark.parametrize(("matrices", "weight_decay", "bound"), [(2, 0.03, 0.8), (3, 0.02, 1.0), (5, 0.004, 2.0)])
def test_feedforward_satisfies_its_equation_at_the_largest_root(matrices, weight_decay, bound):
    s = float(feedforward_singular_values(weight_decay, 4, matrices, bound).singular_value)
    assert bound * s ** (matrices - 2) * (1 - bound * s**matrices) == pytest.approx(weight_decay * 4, rel=1e-12)
    beyond = np.linspace(s * (1 + 1e-6), bound ** (-1 / matrices), 1000)
    assert (bound * beyond ** (matrices - 2) * (1 - bound * beyond**matrices) < weight_decay * 4).all()


def test_feedforward_without_weight_decay_is_its_limit():
    bound = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    matrices = torch.tensor([[1], [2], [5]])
    limit = feedforward_singular_values(0, 4, matrices, bound)
    torch.testing.assert_close(limit.singular_value, bound ** (-1 / matrices.double()), rtol=1e-14, atol=0)
    assert limit.rank.tolist() == 3 * [3 * [4]]
    assert not limit.objective.any()
    near = feedforward_singular_values(1e-9, 4, matrices, bound)
    torch.testing.assert_close(near.singular_value, limit.singular_value, rtol=1e-7, atol=0)


def test_feedforward_of_one_matrix_is_ridge_regression_at_any_penalty():
    optimum = feedforward_singular_values(torch.tensor([1e-3, 0.5, 1e3], dtype=torch.float64), 4, 1, 2.0)
    assert optimum.singular_value.tolist() == pytest.approx([2 / (4 + 4 * x) for x in (1e-3, 0.5, 1e3)], rel=1e-12)
    assert optimum.rank.tolist() == [4, 4, 4]


@pytest.mark.parametrize("matrices", [2, 3, 6])
def test_full_rank_is_sure_to_be_best_only_up_to_where_the_text_says(matrices):
    classes = 1000  # the ranks are nearly a continuum
    t = (matrices - 1) / matrices
    edge = t ** (1 - 2 / matrices) * (1 - t) / classes
    assert float(feedforward_singular_values(edge * (1 - 1e-9), classes, matrices).rank) == classes
    assert float(feedforward_singular_values(edge * 1.01, classes, matrices).rank) < classes
    # Of a single class there is no lower rank but zero.
    t = (matrices - 2) / (matrices - 1)
    edge = t ** (1 - 2 / matrices) * (1 - t)
    assert float(feedforward_singular_values(edge * (1 - 1e-9), 1, matrices).rank) == 1
    zero = feedforward_singular_values(edge * (1 + 1e-9), 1, matrices)
    assert [float(field) for field in zero] == [0, 0, 0.5]
