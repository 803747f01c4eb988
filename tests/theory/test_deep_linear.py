"""The optima of deep linear networks against minimisers that know nothing of them: whole matrices, grids."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from nc_runner.theory import (
    feedforward_singular_values,
    first_layer_delta_limit,
    first_layer_delta_singular_values,
    resnet_singular_values,
)

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


# Free features


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


# The reduction to one singular value, by brute force


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


def splits(parts):
    """Squared norms of orthogonal parts of Z, as shares: the corners, the middle, and a grid between them."""
    steps = 12
    for counts in itertools.combinations_with_replacement(range(steps + 1), parts):
        if sum(counts) == steps:
            yield [count / steps for count in counts]


MODES = {
    "feedforward": (feedforward_mode, feedforward_singular_values),
    "resnet": (resnet_mode, resnet_singular_values),
}


@every_draw
@given(st.sampled_from(list(MODES)), st.integers(2, 3), st.integers(1, 6), st.floats(-3.5, 0.5), st.floats(-0.7, 0.7))
def test_no_unequal_singular_values_are_better(name, classes, layers, log_decay, log_bound):
    mode, predict = MODES[name]
    weight_decay, bound = 10**log_decay, 10**log_bound
    cache = {}

    def value(share):
        if share not in cache:
            zero = share == 0
            cache[share] = 1 if zero else mode(bound * math.sqrt(classes * share), weight_decay * classes, layers)
        return cache[share]

    found = min(sum(value(share) for share in split) for split in splits(classes)) / (2 * classes)
    predicted = float(predict(weight_decay, classes, layers, bound).objective)
    assert predicted <= found * (1 + 1e-12)
    assert predicted == pytest.approx(found, rel=1e-4, abs=1e-6)


def test_unequal_singular_values_are_unstable_for_two_matrices():
    """In u = lambda K / x the least value has slope (u^4 - u^3)/2 and curvature u^5 (3/4 - u), up to scale, in x^2:
    two modes of equal slope, one of negative curvature, gain from growing apart."""
    for u in np.linspace(1e-3, 0.749, 200):
        other = brentq(lambda v, u=u: v**3 * (1 - v) - u**3 * (1 - u), 0.75, 1)
        assert u**5 * (0.75 - u) + other**5 * (0.75 - other) < 0


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


# Closed forms, reference values, edges


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


def test_numbers_of_classes_broadcast():
    """At these penalties a rank above the smaller number of classes would be better, were there one."""
    classes = torch.tensor([2, 9, 4])
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        for weight_decay in (0, 1e-3):
            together = zip(*predict(weight_decay, classes, 3, 1.0), strict=True)
            for fields, number in zip(together, (2, 9, 4), strict=True):
                alone = predict(weight_decay, number, 3, 1.0)
                assert [float(f) for f in fields] == pytest.approx([float(f) for f in alone], rel=1e-12, abs=1e-50)


def test_a_nan_argument_gives_nan_and_spoils_no_neighbour():
    nan = torch.tensor([torch.nan, 0.01], dtype=torch.float64)
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        alone = predict(0.01, 4, 3, 1.0)
        for arguments in ((nan, 4, 3, 1.0), (0.01, nan + 3.99, 3, 1.0), (0.01, 4, nan + 2.99, 1.0)):
            for field, expected in zip(predict(*arguments), alone, strict=True):
                assert field.shape == (2,)
                assert field[0].isnan()
                assert float(field[1]) == pytest.approx(float(expected), rel=1e-12)
    hidden, first = first_layer_delta_limit(nan, 3, 1.0)
    assert hidden.isnan().tolist() == first.isnan().tolist() == [True, False]


def test_bad_arguments_are_named():
    for predict in (feedforward_singular_values, first_layer_delta_singular_values, resnet_singular_values):
        with pytest.raises(ValueError, match=r"weight_decay is -0\.1; it must be at least 0\."):
            predict(-0.1, 4, 3, 1.0)
        with pytest.raises(ValueError, match=r"num_classes is 0; it must be at least 1\."):
            predict(0.1, 0, 3, 1.0)
    with pytest.raises(ValueError, match=r"matrices is 0; it must be at least 1\."):
        feedforward_singular_values(0.1, 4, 0)
    with pytest.raises(ValueError, match=r"blocks is 0; it must be at least 1\."):
        resnet_singular_values(0.1, 4, 0)
    with pytest.raises(ValueError, match=r"feature_bound is 0; it must be greater than 0\."):
        resnet_singular_values(0.1, 4, 2, 0.0)
    with pytest.raises(ValueError, match=r"feature_bound is -1; it must be greater than 0\."):
        feedforward_singular_values(0.1, 4, 2, -1.0)
    with pytest.raises(ValueError, match=r"delta is 0; it must be greater than 0\."):
        first_layer_delta_singular_values(0.1, 4, 2, 0.0)
    with pytest.raises(ValueError, match=r"target is -1; it must be at least 0\."):
        first_layer_delta_limit(-1.0, 2, 1.0)
