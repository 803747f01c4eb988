"""The KKT residual against the constraints written out one by one, and at points where the answer is known."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from nc_runner.metrics import _nonnegative, kkt_residual
from nc_runner.metrics._nonnegative import nonnegative_minimiser

SADDLE = torch.tensor([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]], dtype=torch.float64)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def around_collapse(classes, per_class, width, noise, counts=None, weight_scale=1):
    """Neural collapse with ||W||_F = ||H||_F, and noise on W and H; a shadow of it in less than K-1 dimensions."""
    basis = torch.linalg.eigh(torch.eye(classes, dtype=torch.float64) - 1 / classes).eigenvectors[:, 1:]
    rows = basis @ torch.linalg.qr(randn(max(width, classes - 1), classes - 1, seed=7)).Q.T[:, :width]
    labels = torch.arange(classes).repeat_interleave(torch.tensor(counts or classes * [per_class]))
    weight = weight_scale * (rows + noise * randn(*rows.shape))
    return (rows[labels] + noise * randn(len(labels), width, seed=1)) / math.sqrt(per_class), labels, weight


def gradients_and_gaps(features, labels, weight):
    """Of every constraint (w_y - w_j) . h_i as a function of (W, H): columns, and values."""
    weight, features = weight.numpy(), features.numpy()
    columns, gaps = [], []
    for i, y in enumerate(labels.tolist()):
        for j in range(len(weight)):
            if j != y:
                on_weight, on_features = np.zeros_like(weight), np.zeros_like(features)
                on_weight[y], on_weight[j] = features[i], -features[i]
                on_features[i] = weight[y] - weight[j]
                columns.append(np.concatenate([on_weight.ravel(), on_features.ravel()]))
                gaps.append((weight[y] - weight[j]) @ features[i])
    return np.stack(columns, axis=1), np.array(gaps)


def residual_by_least_distance(features, labels, weight):
    """Least-distance programming by an active set (Lawson & Hanson, 1974, ch. 23), with the whole matrix."""
    columns, gaps = gradients_and_gaps(features, labels, weight)
    assert gaps.min() > 0
    point = torch.cat([weight.flatten(), features.flatten()]).numpy()
    unit = np.zeros(len(point) + 1)
    unit[-1] = 1
    matrix = np.vstack([columns, gaps + gaps.min()])
    residual = matrix @ nnls(matrix, unit)[0] - unit
    shortest = -residual[:-1] / residual[-1]
    assert (columns.T @ shortest >= gaps + gaps.min() - 1e-9).all()
    return np.linalg.norm(point - shortest) / np.linalg.norm(point)


CASES = {
    "near": around_collapse(3, 2, 4, 1e-4),
    "far": around_collapse(3, 2, 4, 0.2),
    "fig2": around_collapse(4, 10, 20, 0.1),
    "narrow": around_collapse(5, 2, 3, 0.02),
    "unequal": around_collapse(3, 2, 5, 0.1, counts=[1, 4, 2]),
    "heavy": around_collapse(3, 3, 4, 0.1, weight_scale=30),
    "light": around_collapse(3, 3, 4, 0.1, weight_scale=1 / 30),
    "saddle": (SADDLE + 0.1 * randn(4, 4, seed=1), torch.arange(4), SADDLE + 0.1 * randn(4, 4)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_kkt_residual_is_that_of_an_active_set_method(case):
    expected = residual_by_least_distance(*case)
    assert 1e-5 < expected < 1
    assert float(kkt_residual(*case)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("classes", "per_class", "width"), [(2, 3, 2), (4, 10, 20), (5, 7, 4)])
def test_neural_collapse_with_equal_norms_is_a_kkt_point(classes, per_class, width):
    features, labels, weight = around_collapse(classes, per_class, width, 0)
    assert float(kkt_residual(features, labels, weight)) < 1e-13
    assert float(kkt_residual(1e5 * features, labels, 1e5 * weight)) < 1e-13
    assert float(kkt_residual(features, labels, 1.1 * weight)) > 0.01


def test_the_saddle_of_example_3_1_is_a_kkt_point_where_multipliers_are_not_unique():
    labels = torch.arange(4)
    columns, _ = gradients_and_gaps(SADDLE, labels, SADDLE)
    assert np.linalg.matrix_rank(columns) < columns.shape[1]
    assert float(kkt_residual(SADDLE, labels, SADDLE)) < 1e-13
    assert float(kkt_residual(SADDLE, labels, SADDLE + 1e-3 * randn(4, 4))) > 1e-4


def test_stationarity_with_slack_constraints_is_not_enough():
    """Two classes on a line: each h its multiplier times w_1 - w_2, of lengths that differ."""
    multipliers, labels = torch.tensor([0.4, 0.3, 0.3, 0.4], dtype=torch.float64), torch.tensor([0, 0, 1, 1])
    weight = torch.tensor([[0.5, 0.0], [-0.5, 0.0]], dtype=torch.float64)
    features = multipliers[:, None] * (weight[labels] - weight[1 - labels])
    columns, _ = gradients_and_gaps(features, labels, weight)
    point = torch.cat([weight.flatten(), features.flatten()]).numpy()
    assert nnls(columns, point)[1] < 1e-14
    residual = float(kkt_residual(features, labels, weight))
    assert residual > 0.05
    assert residual == pytest.approx(residual_by_least_distance(features, labels, weight), rel=1e-9)


def test_kkt_residual_is_of_first_order_down_to_rounding():
    ratios = [float(kkt_residual(*around_collapse(4, 3, 6, noise))) / noise for noise in (1e-5, 1e-8, 1e-10)]
    assert ratios == pytest.approx(3 * [ratios[0]], rel=2e-3)
    assert ratios[0] > 0.1


def test_kkt_residual_of_many_samples_is_that_of_the_few_they_repeat(monkeypatch):
    """m copies of each h over sqrt(m): the same problem, here of 9000 multipliers, in a few dozen steps."""
    monkeypatch.setattr(_nonnegative, "_MAX_STEPS", 50)
    features, labels, weight = around_collapse(10, 5, 64, 0.05)
    once = float(kkt_residual(features, labels, weight))
    many = kkt_residual(features.repeat(20, 1) / math.sqrt(20), labels.repeat(20), weight)
    assert float(many) == pytest.approx(once, rel=1e-9)


def test_kkt_residual_where_no_multiple_is_feasible_is_undefined():
    features, labels, weight = around_collapse(3, 2, 4, 0)
    wrong = labels.roll(1)
    assert kkt_residual(features, labels, torch.stack([weight, -weight, 0 * weight])).isnan().tolist() == [0, 1, 1]
    assert kkt_residual(features, wrong, weight).isnan()
    touching = torch.cat([features[:-1], 0 * features[:1]])
    assert kkt_residual(touching, labels, weight).isnan()
    assert kkt_residual(0 * features, labels, weight).isnan()
    ulps = torch.tensor([[1 + 2.0**-50], [1.0]], dtype=torch.float64)
    assert kkt_residual(torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]), ulps).isnan()


@pytest.mark.parametrize("rank", [3, 8])
def test_nonnegative_minimiser_against_an_active_set_method(rank):
    rng = np.random.default_rng(rank)
    matrix, target = rng.standard_normal((rank, 8)) + 0.5, rng.standard_normal(rank)
    quadratic, linear = torch.from_numpy(matrix.T @ matrix), torch.from_numpy(matrix.T @ target)
    norm = float(torch.linalg.matrix_norm(quadratic, 2))
    x = nonnegative_minimiser(lambda v: quadratic @ v, linear, norm)
    expected, distance = nnls(matrix, target)
    assert np.linalg.norm(matrix @ x.numpy() - target) == pytest.approx(distance, rel=1e-9)
    assert (expected == 0).any()
    if rank == 8:
        np.testing.assert_allclose(x, expected, atol=1e-9)


def test_no_answer_rather_than_a_wrong_one(monkeypatch):
    ones = torch.ones(3, dtype=torch.float64)
    assert nonnegative_minimiser(lambda v: v, ones * torch.nan, 1.0) is None
    assert nonnegative_minimiser(lambda v: 0 * v, ones, 1.0) is None
    assert nonnegative_minimiser(lambda v: v, -ones, 1.0).tolist() == [0, 0, 0]
    case = around_collapse(3, 2, 4, 0.2)
    assert kkt_residual(*case).isfinite()
    monkeypatch.setattr(_nonnegative, "_MAX_STEPS", 5)
    assert kkt_residual(*case).isnan()
