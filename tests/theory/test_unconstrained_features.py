"""The closed form under two weight decays against a minimiser that knows nothing of it."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nc_runner.theory import layer_peeled_optimum, ufm_optimum

CLASSES, PER_CLASS, WIDTH = 3, 2, 4
LABELS = torch.arange(CLASSES).repeat(PER_CLASS)


def least(on_weight, on_features, seed):
    """Least total, and (W, H) there, by L-BFGS from a random start."""

    def split(flat):
        return flat[: CLASSES * WIDTH].view(CLASSES, WIDTH), flat[CLASSES * WIDTH :].view(len(LABELS), WIDTH)

    def objective(values):
        flat = torch.from_numpy(values).requires_grad_()
        weight, features = split(flat)
        value = torch.nn.functional.cross_entropy(features @ weight.T, LABELS)
        value = value + on_weight / 2 * weight.square().sum() + on_features / 2 * features.square().sum()
        value.backward()
        return value.item(), flat.grad.numpy().copy()

    start = np.random.default_rng(seed).standard_normal((CLASSES + len(LABELS)) * WIDTH)
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000}
    solution = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return solution.fun, *split(torch.from_numpy(solution.x))


@pytest.mark.parametrize(
    ("on_weight", "on_features"), [(1e-3, 1e-3), (0.05, 0.01), (0.01, 0.3), (0.5, 0.08), (0.5, 0.15), (0.1, 2.0)]
)
def test_ufm_optimum_is_the_least_regularised_loss(on_weight, on_features):
    found, weight, features = least(on_weight, on_features, seed=0)
    optimum = ufm_optimum(CLASSES, PER_CLASS, on_weight, on_features)
    assert (float(optimum.logit_gap) > 0) == (math.sqrt(PER_CLASS * on_weight * on_features) < 1 / CLASSES)
    assert float(optimum.total) == pytest.approx(found, rel=1e-8)
    logits = features @ weight.T
    assert float(optimum.cross_entropy) == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, LABELS)), rel=1e-4
    )
    assert float(optimum.weight_norm_squared) == pytest.approx(float(weight.square().sum()), rel=1e-3, abs=1e-6)
    assert float(optimum.feature_norm_squared) == pytest.approx(float(features.square().sum()), rel=1e-3, abs=1e-6)
    wrong = torch.ones_like(logits, dtype=torch.bool).scatter(1, LABELS[:, None], False)
    gaps = (logits.gather(1, LABELS[:, None]) - logits)[wrong]
    assert gaps.numpy() == pytest.approx(float(optimum.logit_gap), rel=2e-3, abs=1e-3)


def test_ufm_optimum_is_by_its_formulas():
    classes, per_class = torch.tensor([2, 5, 100])[:, None], 7
    on_weight, on_features = 3e-4, torch.tensor([1e-9, 1e-6, 1e-3], dtype=torch.float64)
    optimum = ufm_optimum(classes, per_class, on_weight, on_features)
    k, r = classes.double(), (per_class * on_weight * on_features).sqrt()
    z = torch.log(1 / r - k + 1)
    expected = (
        z,
        (k - 1) * (per_class * on_features / on_weight).sqrt() * z,
        (k - 1) * (per_class * on_weight / on_features).sqrt() * z,
        -torch.log(1 - (k - 1) * r) + 0 * z,
        -torch.log(1 - (k - 1) * r) + (k - 1) * r * z,
    )
    for field, value in zip(optimum, expected, strict=True):
        torch.testing.assert_close(field, value, rtol=1e-10, atol=0)


@pytest.mark.parametrize("decay", [1e-4, 0.02, 0.3, 0.6])
def test_ufm_optimum_with_the_decay_of_a_mean_square_is_layer_peeled(decay):
    """lambda mean ||h||^2 is lH ||H||^2 with lH = lambda/(K n)."""
    samples = CLASSES * PER_CLASS
    optimum, peeled = ufm_optimum(CLASSES, PER_CLASS, decay, decay / samples), layer_peeled_optimum(decay, CLASSES)
    torch.testing.assert_close(optimum.logit_gap, peeled.logit_gap, rtol=1e-12, atol=0)
    torch.testing.assert_close(optimum.weight_norm_squared, peeled.norm_squared, rtol=1e-12, atol=0)
    torch.testing.assert_close(optimum.feature_norm_squared / samples, peeled.norm_squared, rtol=1e-12, atol=0)
    torch.testing.assert_close(optimum.cross_entropy, peeled.cross_entropy, rtol=1e-12, atol=0)
    torch.testing.assert_close(optimum.total, peeled.total, rtol=1e-12, atol=0)


def test_ufm_optimum_near_where_it_collapses():
    """r = 1/K at lW = 1/4, lH = 1/16, n = 4, K = 4: powers of two, so that the threshold is exact."""
    below = ufm_optimum(4, 4, 0.25, (1 - 2.0**-30) ** 2 / 16)
    assert float(below.logit_gap) == pytest.approx(4 * 2.0**-30, rel=1e-5)
    assert float(below.cross_entropy) == pytest.approx(math.log(4), rel=1e-8)
    beyond = ufm_optimum(4, 4, torch.tensor([0.25, 0.26, 30.0, math.nan]), 1 / 16)
    for field in beyond[:3]:
        assert field[:3].tolist() == [0, 0, 0]
    for field in beyond[3:]:
        assert field[:3].tolist() == pytest.approx(3 * [math.log(4)], rel=1e-14)
    assert all(field[3].isnan() for field in beyond)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"num_classes is 1; it must be at least 2\."):
        ufm_optimum(1, 2, 0.1, 0.1)
    with pytest.raises(ValueError, match=r"per_class is 0; it must be at least 1\."):
        ufm_optimum(3, 0, 0.1, 0.1)
    with pytest.raises(ValueError, match=r"weight_decay_weight is 0; it must be greater than 0\."):
        ufm_optimum(3, 2, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"weight_decay_features is -1; it must be greater than 0\."):
        ufm_optimum(3, 2, 0.1, torch.tensor([0.1, -1.0]))
