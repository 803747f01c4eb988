"""The bounds of Theorem 2.3.1 and its lemmas: true of every draw, and equalities where the text says so."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nc_runner.theory import (
    mean_direction_norm_bound,
    min_cross_entropy,
    near_optimal_bounds,
    subset_mean_deviation_bound,
    subset_mean_excess_bound,
)

every_draw = settings(max_examples=150, derandomize=True, deadline=None, database=None)
seeds = st.integers(0, 2**32 - 1)


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


# Lemma 2.4.1


@every_draw
@given(seeds, st.integers(2, 12), st.floats(0.01, 5), st.integers(2, 6))
def test_subset_mean_deviation_bound_holds(seed, count, spread, classes):
    rng = np.random.default_rng(seed)
    x = spread * rng.standard_normal(count) - 1
    eps = np.log1p((classes - 1) * np.exp(x)).mean() - np.log1p((classes - 1) * np.exp(x.mean()))
    ends = 1 / (1 + np.exp(-np.array([x.min(), x.max()])) / (classes - 1))
    curvature = (ends * (1 - ends)).min()
    for size in range(1, count):
        bound = float(subset_mean_deviation_bound(max(eps, 0), size / count, curvature))
        worst = np.abs([np.sort(x)[:size].mean() - x.mean(), np.sort(x)[-size:].mean() - x.mean()]).max()
        assert worst <= bound * (1 + 1e-9) + 1e-7


@pytest.mark.parametrize("delta", [0.1, 0.5, 0.9])
def test_subset_mean_deviation_bound_is_an_equality_for_a_quadratic_and_two_values(delta):
    in_s, rest, curvature = 2.0, -0.5, 3.0
    mean = delta * in_s + (1 - delta) * rest
    eps = curvature / 2 * (delta * in_s**2 + (1 - delta) * rest**2 - mean**2)
    assert float(subset_mean_deviation_bound(eps, delta, curvature)) == pytest.approx(in_s - mean, rel=1e-12)


def test_subset_mean_deviation_bound_of_everything_is_zero():
    assert float(subset_mean_deviation_bound(0.3, 1, 2.0)) == 0


# Lemma 2.4.3


@every_draw
@given(seeds, st.integers(2, 12), st.floats(0.01, 5))
def test_subset_mean_excess_bound_holds(seed, count, spread):
    x = np.sort(spread * np.random.default_rng(seed).standard_normal(count) - 1)
    eps = max(np.exp(x).mean() - np.exp(x.mean()), 0)
    for size in range(1, count + 1):
        bound = float(subset_mean_excess_bound(eps, size / count, x.mean()))
        assert x[-size:].mean() - x.mean() <= bound * (1 + 1e-9) + 1e-7


@pytest.mark.parametrize("mean", [-3.0, 0.0, 2.0])
def test_subset_mean_excess_bound_is_nearly_an_equality_for_a_small_excess_of_a_few(mean):
    delta, excess = 1e-3, 1e-2
    deficit = -delta / (1 - delta) * excess
    eps = math.exp(mean) * (delta * math.expm1(excess) + (1 - delta) * math.expm1(deficit))
    bound = float(subset_mean_excess_bound(eps, delta, mean))
    assert excess <= bound <= 1.005 * excess


# Lemma 2.4.5


@every_draw
@given(seeds, st.integers(1, 12), st.floats(0, 3), st.floats(-8, 1))
def test_mean_direction_norm_bound_holds(seed, count, offset, log_spread):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(3)
    lengths = np.exp(log_spread * rng.standard_normal((count, 1)))
    v = lengths * (rng.standard_normal((count, 3)) + offset * w)
    alpha, beta = math.sqrt(np.square(v).sum(axis=1).mean()), np.linalg.norm(w)
    bound = float(mean_direction_norm_bound((v @ w).mean(), alpha, beta))
    assert np.linalg.norm(unit(v).mean(axis=0)) >= bound - 1e-9


@pytest.mark.parametrize("aligned", [5, 7, 9, 10])
def test_mean_direction_norm_bound_is_an_equality_with_short_vectors_against_w(aligned):
    v = np.zeros((10, 2))
    v[:aligned, 0], v[aligned:, 0] = 1.0, -1e-9
    bound = float(mean_direction_norm_bound(2 * v[:, 0].mean(), math.sqrt(np.square(v).sum(1).mean()), 2.0))
    assert np.linalg.norm(unit(v).mean(axis=0)) == pytest.approx(bound, abs=1e-8)
    # What one would prove were no vector against w.
    t = v[:, 0].mean() / math.sqrt(np.square(v).sum(1).mean())
    assert (t**2 > bound + 0.05) == (aligned < 10)


def test_mean_direction_norm_bound_of_impossible_norms_is_undefined():
    assert mean_direction_norm_bound(torch.tensor([1.01, -1.01, torch.nan]), 1.0, 1.0).isnan().all()
    assert mean_direction_norm_bound(torch.tensor([1 + 1e-15, -1.0, 0.0]), 1.0, 1.0).tolist() == [1, 1, -1]


# Theorem 2.3.1


def near_collapse(seed, classes, norms, noise, unequal):
    """A noisy simplex: (alpha, beta, loss, intra-class cosines), each from its definition."""
    rng = np.random.default_rng(seed)
    per_class, width = 4, classes + 1
    rows = np.eye(classes, width) - np.pad(np.full((classes, classes), 1 / classes), ((0, 0), (0, 1)))
    rows = unit(rows) * math.sqrt(norms)
    noises = noise * rng.random((2, classes)) ** unequal
    weight = rows * (1 + noises[0, :, None] * rng.standard_normal((classes, 1)))
    features = np.repeat(rows, per_class, axis=0)
    features = features + np.repeat(noises[1], per_class)[:, None] * rng.standard_normal(features.shape)
    labels = np.repeat(np.arange(classes), per_class)
    logits = features @ weight.T
    loss = np.log(np.exp(logits - logits[np.arange(len(labels)), labels, None]).sum(axis=1)).mean()
    intra = np.square(unit(features).reshape(classes, per_class, width).mean(axis=1)).sum(axis=1)
    return math.sqrt(np.square(features).sum(axis=1).mean()), np.linalg.norm(weight) / math.sqrt(classes), loss, intra


@every_draw
@given(seeds, st.integers(3, 6), st.floats(0.1, 3), st.floats(-5, -0.3), st.sampled_from([0, 4]))
def test_the_theorem_holds(seed, classes, norms, log_noise, unequal):
    alpha, beta, loss, intra = near_collapse(seed, classes, norms, 10**log_noise, unequal)
    rounding = 1e-15
    for given_up in (0.5, *range(1, classes)):
        bounds = near_optimal_bounds(alpha, beta, loss + rounding, classes, given_up / classes)
        kept = (intra >= float(bounds.intra_class_lower_bound) - 1e-12).sum()
        assert kept >= classes - given_up


def test_the_theorem_is_exercised_where_it_says_something():
    alpha, beta, loss, intra = near_collapse(0, 4, 0.5, 1e-3, 0)
    bounds = near_optimal_bounds(alpha, beta, loss, 4, 0.25)
    assert 0 < float(bounds.eps) < float(bounds.vacuous_eps)
    assert 0.5 < float(bounds.intra_class_lower_bound) < intra.min()
    assert not bounds.vacuous


@pytest.mark.parametrize(("classes", "norms"), [(3, 0.1), (3, 2.0), (4, 0.7), (10, 1.1)])
def test_curvature_is_the_least_over_the_interval(classes, norms):
    x = np.linspace(-classes * norms, classes * norms, 10_001)
    odds = (classes - 1) * np.exp(x)
    measured = near_optimal_bounds(norms, 1.0, 5.0, classes, 0.3).curvature
    assert float(measured) == pytest.approx((odds / (1 + odds) ** 2).min(), rel=1e-12)


@pytest.mark.parametrize("delta", [0.1, 0.5])
def test_the_theorem_is_its_lemmas_to_first_order(delta):
    """Margin of a class by Lemma 2.4.1, direction by 2.4.5, square by 2.4.4: the slope 8 is exact as eps -> 0."""
    alpha, beta, classes, eps = 0.9, 1.2, 4, 1e-15
    loss = float(min_cross_entropy(alpha, beta, classes))
    bounds = near_optimal_bounds(alpha, beta, loss + 1e-3, classes, delta)
    fall = (classes - 1) / classes * subset_mean_deviation_bound(eps, delta, bounds.curvature)
    chained = mean_direction_norm_bound(alpha * beta - fall, alpha, beta) ** 2
    direct = 1 - (1 - bounds.intra_class_lower_bound) * (eps / bounds.eps).sqrt()
    assert float(1 - direct) == pytest.approx(float(1 - chained), rel=1e-4)
    assert direct <= chained


def test_vacuous_exactly_from_vacuous_eps_on():
    alpha, beta, classes = torch.tensor([0.3, 0.8, 1.5]), 1.0, 4
    least = min_cross_entropy(alpha, beta, classes)
    edge = near_optimal_bounds(alpha, beta, least, classes, 0.25).vacuous_eps
    below = near_optimal_bounds(alpha, beta, least + 0.99 * edge, classes, 0.25)
    above = near_optimal_bounds(alpha, beta, least + 1.01 * edge, classes, 0.25)
    assert below.vacuous.tolist() == [False] * 3
    assert above.vacuous.tolist() == [True] * 3
    torch.testing.assert_close(below.intra_class_lower_bound, torch.full((3,), 1 - 0.99**0.5, dtype=torch.float64))


def test_the_least_loss_promises_collapse_and_large_norms_do_not_overflow():
    for norm in (1.0, 30.0):
        bounds = near_optimal_bounds(norm, 1.0, min_cross_entropy(norm, 1.0, 4), 4, 0.25)
        assert float(bounds.intra_class_lower_bound) == 1
    far = near_optimal_bounds(1000.0, 1.0, 1e-3, 4, 0.25)
    assert far.vacuous
    assert not far.intra_class_lower_bound.isnan()


def test_a_loss_below_the_least_is_undefined():
    bounds = near_optimal_bounds(1.0, 1.0, torch.tensor([0.1, torch.nan]), 4, torch.tensor([[0.1], [0.5]]))
    assert all(field.shape == (2, 2) for field in bounds)
    assert bounds.intra_class_lower_bound.isnan().all()
    assert bounds.vacuous.all()


def test_beyond_one_class_the_formula_would_be_false():
    """Every feature turned off its row by one small angle, two ways: the formula at delta -> 1 still promises 1."""
    classes, angle, delta = 3, 0.05, 1 - 1e-9
    rows = unit(np.eye(3, 4) - np.pad(np.full((3, 3), 1 / 3), ((0, 0), (0, 1))))
    off = np.array([0, 0, 0, 1.0])
    features = np.concatenate([math.cos(angle) * rows + sign * math.sin(angle) * off for sign in (1, -1)])
    logits = features @ rows.T
    loss = np.log(np.exp(logits - logits[np.arange(6), [0, 1, 2, 0, 1, 2], None]).sum(axis=1)).mean()
    allowed = near_optimal_bounds(1.0, 1.0, loss, classes, 1 - 1 / classes)
    deviation = subset_mean_deviation_bound(allowed.eps, delta, allowed.curvature)
    promised = 1 - 8 * (classes - 1) / classes * float(deviation)
    intra = math.cos(angle) ** 2
    assert float(allowed.intra_class_lower_bound) <= intra < promised
    with pytest.raises(ValueError, match=r"delta is 1; it must be at most 1 - 1/num_classes, 0\.66"):
        near_optimal_bounds(1.0, 1.0, loss, classes, delta)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"num_classes is 2; it must be at least 3\."):
        near_optimal_bounds(1.0, 1.0, 1.0, 2, 0.1)
    with pytest.raises(ValueError, match=r"delta is 1; it must be greater than 0 and less than 1\."):
        near_optimal_bounds(1.0, 1.0, 1.0, 4, 1.0)
    with pytest.raises(ValueError, match=r"eps is -1; it must be at least 0\."):
        subset_mean_deviation_bound(-1.0, 0.5, 1.0)
    with pytest.raises(ValueError, match=r"delta is 2; it must be greater than 0 and at most 1\."):
        subset_mean_excess_bound(1.0, torch.tensor([0.5, 2.0]), 0.0)
    with pytest.raises(ValueError, match=r"beta is 0; it must be greater than 0\."):
        mean_direction_norm_bound(1.0, 1.0, 0.0)
