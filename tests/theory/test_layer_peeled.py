"""The closed forms against a minimiser that knows nothing of them: free features, free weight, random starts."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize

from nc_runner.theory import (
    batchnorm_second_moment,
    layer_peeled_optimum,
    min_cross_entropy,
    plain_batchnorm_gap,
)

CLASSES, PER_CLASS, WIDTH = 3, 2, 4
LABELS = torch.arange(CLASSES).repeat(PER_CLASS)


def least(objective, seed):
    """Minimum over features [N, D] and weight [C, D] by L-BFGS; gradients by autograd."""
    samples = CLASSES * PER_CLASS

    def value_and_gradient(flat):
        parameters = torch.from_numpy(flat).requires_grad_()
        features, weight = parameters[: samples * WIDTH], parameters[samples * WIDTH :]
        value = objective(features.view(samples, WIDTH), weight.view(CLASSES, WIDTH))
        value.backward()
        return value.item(), parameters.grad.numpy().copy()

    start = np.random.default_rng(seed).standard_normal((samples + CLASSES) * WIDTH)
    solution = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    features = torch.from_numpy(solution.x[: samples * WIDTH]).view(samples, WIDTH)
    return solution.fun, features, torch.from_numpy(solution.x[samples * WIDTH :]).view(CLASSES, WIDTH)


def cross_entropy(features, weight):
    return torch.nn.functional.cross_entropy(features @ weight.T, LABELS)


@pytest.mark.parametrize("weight_decay", [0.01, 0.2, 0.5, 0.6])
@pytest.mark.parametrize("seed", [0, 1])
def test_layer_peeled_optimum_is_the_least_regularised_loss(weight_decay, seed):
    def objective(features, weight):
        second_moment = features.square().sum(dim=1).mean()
        return cross_entropy(features, weight) + weight_decay / 2 * (second_moment + weight.square().sum())

    found, features, weight = least(objective, seed)
    optimum = layer_peeled_optimum(weight_decay, CLASSES)
    assert float(optimum.total) == pytest.approx(found, rel=1e-8)
    assert float(optimum.cross_entropy) == pytest.approx(float(cross_entropy(features, weight)), rel=1e-4)
    assert float(optimum.norm_squared) == pytest.approx(float(weight.square().sum()), rel=1e-3, abs=1e-6)
    assert float(optimum.norm_squared) == pytest.approx(float(features.square().sum(1).mean()), rel=1e-3, abs=1e-6)
    logits = features @ weight.T
    gaps = logits.gather(1, LABELS[:, None]) - logits
    wrong = torch.ones_like(gaps, dtype=torch.bool).scatter(1, LABELS[:, None], False)
    assert gaps[wrong].numpy() == pytest.approx(float(optimum.logit_gap), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("weight_decay", [1e-3, 0.05, 2.0])
def test_plain_batchnorm_gap_is_that_of_the_least_loss_at_fixed_feature_norm(weight_decay):
    def objective(features, weight):
        scaled = features * (WIDTH / features.square().sum(dim=1).mean()).sqrt()
        return cross_entropy(scaled, weight) + weight_decay / 2 * weight.square().sum()

    found, _, _ = least(objective, seed=0)
    gap = plain_batchnorm_gap(weight_decay, CLASSES, WIDTH)
    beta = (CLASSES - 1) / CLASSES * gap / math.sqrt(WIDTH)
    expected = min_cross_entropy(math.sqrt(WIDTH), beta, CLASSES) + weight_decay / 2 * CLASSES * beta**2
    assert float(expected) == pytest.approx(found, rel=1e-7)


def test_plain_batchnorm_gap_against_bisection_and_at_extremes():
    decays = torch.tensor([1e-300, 1e-12, 1e-4, 1e-2, 1.0, 1e6, 1e200], dtype=torch.float64)
    widths = torch.tensor([[1], [200], [4096]])
    gaps = plain_batchnorm_gap(decays, 10, widths)
    assert gaps.shape == (3, 7)
    for (i, j), gap in np.ndenumerate(gaps.numpy()):
        target = math.log(10 * widths[i].item() / (9 * decays[j].item()))
        root = brentq(lambda y, t=target: y + np.logaddexp(np.exp(y), np.log(9)) - t, -600, 8, xtol=1e-14, rtol=1e-14)
        assert gap == pytest.approx(math.exp(root), rel=1e-11)


def test_layer_peeled_optimum_is_continuous_where_it_collapses():
    threshold = 1 / math.sqrt(CLASSES)
    optimum = layer_peeled_optimum(torch.tensor([threshold * (1 - 1e-12), threshold, 3.0]), CLASSES)
    torch.testing.assert_close(optimum.cross_entropy, torch.full((3,), math.log(3), dtype=torch.float64))
    torch.testing.assert_close(optimum.total, torch.full((3,), math.log(3), dtype=torch.float64))
    assert optimum.logit_gap[1:].tolist() == pytest.approx([0, 0], abs=1e-7)
    assert float(optimum.logit_gap[2]) == float(optimum.norm_squared[2]) == 0
    below = layer_peeled_optimum(threshold * (1 - 1e-9), CLASSES)
    assert float(below.logit_gap) == pytest.approx(CLASSES * 1e-9, rel=1e-5)


def test_layer_peeled_optimum_agrees_with_min_cross_entropy():
    """At alpha^2 = ||gamma||^2 and beta^2 = ||W||^2 / C, on a grid that broadcasts."""
    classes = torch.tensor([[2], [4], [1000]])
    optimum = layer_peeled_optimum(torch.tensor([1e-5, 1e-3, 1e-2]).double(), classes)
    assert optimum.total.shape == (3, 3)
    alpha, beta = optimum.norm_squared.sqrt(), (optimum.norm_squared / classes).sqrt()
    torch.testing.assert_close(optimum.cross_entropy, min_cross_entropy(alpha, beta, classes), rtol=1e-9, atol=0)


def test_min_cross_entropy_of_a_simplex_and_at_extremes():
    simplex = torch.eye(4, dtype=torch.float64) - 0.25
    loss = torch.nn.functional.cross_entropy(3 * simplex @ (2 * simplex).T, torch.arange(4))
    norm = simplex[0].norm()
    assert float(min_cross_entropy(3 * norm, 2 * norm, 4)) == pytest.approx(float(loss), rel=1e-12)
    assert float(min_cross_entropy(0, 5, 7)) == pytest.approx(math.log(7))
    assert float(min_cross_entropy(100, 1, 2)) == pytest.approx(math.exp(-200), rel=1e-12)
    assert min_cross_entropy(torch.tensor([1e200, torch.nan]), 1e200, 2).nan_to_num(-1).tolist() == [0, -1]


def test_batchnorm_second_moment_is_that_of_a_training_batch():
    torch.manual_seed(0)
    norm = torch.nn.BatchNorm1d(5, eps=1e-30, dtype=torch.float64)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    outputs = norm(torch.randn(64, 5, dtype=torch.float64).relu())
    moment = batchnorm_second_moment(norm.weight, norm.bias)
    assert not moment.requires_grad
    assert float(moment) == pytest.approx(outputs.square().sum(dim=1).mean().item(), rel=1e-12)
    assert batchnorm_second_moment(torch.ones(3, 5), torch.zeros(5)).tolist() == [5, 5, 5]


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"weight_decay is -0\.1; it must be greater than 0\."):
        layer_peeled_optimum(torch.tensor([0.1, -0.1]), 4)
    with pytest.raises(ValueError, match=r"num_classes is 1; it must be at least 2\."):
        layer_peeled_optimum(0.1, 1)
    with pytest.raises(ValueError, match=r"width is 0; it must be at least 1\."):
        plain_batchnorm_gap(0.1, 4, 0)
    with pytest.raises(ValueError, match=r"alpha is -1; it must be at least 0\."):
        min_cross_entropy(-1.0, 1.0, 4)
    with pytest.raises(ValueError, match=r"gamma and beta have shapes \(3,\) and \(4,\)"):
        batchnorm_second_moment(torch.ones(3), torch.ones(4))
