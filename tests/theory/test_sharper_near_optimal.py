"""The sharper bounds under Theorem 2.3.1: true of random and of adversarial features, and their rates in eps."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from nc_runner.theory import min_cross_entropy, near_optimal_bounds, sharper_near_optimal_bounds
from nc_runner.theory.sharper_near_optimal import class_means_between

ROUNDING = 1e-14


def near_simplex(seed, classes, noise, size, per_class=3):
    """Features and rows off a simplex: (alpha, beta, loss, intra cosines ascending, largest inter cosine), by numpy."""
    rng = np.random.default_rng(seed)
    frame = np.eye(classes, classes + 1) - np.pad(np.full((classes, classes), 1 / classes), ((0, 0), (0, 1)))
    frame = frame / np.linalg.norm(frame[0]) * math.sqrt(size)
    one_bad = rng.random() < 0.5  # all of the noise in one class, which costs least
    of_class = np.where(np.arange(classes) > 0, 1 - one_bad, 1.0)
    labels = np.repeat(np.arange(classes), per_class)
    weight = frame + noise * rng.random() * of_class[:, None] * rng.standard_normal(frame.shape)
    h = frame[labels] + noise * of_class[labels, None] * rng.standard_normal((len(labels), classes + 1))
    logits = h @ weight.T
    loss = np.log(np.exp(logits - logits[np.arange(len(labels)), labels, None]).sum(1)).mean()
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    means = np.stack([unit[labels == c].mean(0) for c in range(classes)])
    gram = means @ means.T
    inter = gram[~np.eye(classes, dtype=bool)].max()
    alpha, beta = math.sqrt(np.square(h).sum(1).mean()), np.linalg.norm(weight) / math.sqrt(classes)
    return alpha, beta, loss, np.sort(np.diag(gram)), inter


@pytest.mark.parametrize("classes", [2, 3, 4, 7])
def test_they_hold_of_every_share_of_the_classes_and_of_every_pair(classes):
    says = 0
    share = torch.arange(1, classes + 1) / classes
    for seed in range(300):
        rng = np.random.default_rng(seed + 10_000)
        noise, size = 10 ** rng.uniform(-4, 0.3), 10 ** rng.uniform(-0.5, 0.8)
        alpha, beta, loss, intra, inter = near_simplex(seed, classes, noise, size)
        bounds = sharper_near_optimal_bounds(alpha, beta, loss + ROUNDING, classes, share)
        assert (intra >= bounds.intra_class_lower_bound.numpy() - 1e-12).all(), (seed, noise, size)
        assert inter <= bounds.inter_class_upper_bound[0] + 1e-12, (seed, noise, size)
        says += 0 < bounds.intra_class_lower_bound[0] < 1
    assert says > 150


@pytest.mark.parametrize("norms", [0.5, 2.0, 6.0])
def test_distances_fall_as_eps_of_classes_and_as_its_root_of_pairs(norms):
    eps = torch.tensor([1e-6, 1e-8], dtype=torch.float64) * math.exp(-norms)
    bounds = sharper_near_optimal_bounds(norms, 1.0, min_cross_entropy(norms, 1.0, 4) + eps, 4, 0.25)
    intra = (1 - bounds.intra_class_lower_bound).log10()
    inter = (bounds.inter_class_upper_bound + 1 / 3).log10()
    assert float(intra[0] - intra[1]) == pytest.approx(2, abs=0.02)
    assert float(inter[0] - inter[1]) == pytest.approx(1, abs=0.02)


def test_more_is_said_than_by_the_theorem_wherever_that_says_something():
    norms = torch.logspace(-2, 1, 40, dtype=torch.float64)[:, None, None]
    delta = torch.arange(1, 4) / 4
    for eps in torch.logspace(-14, 0, 60, dtype=torch.float64):
        loss = min_cross_entropy(norms, 1.0, 4) + eps
        theirs, ours = (
            near_optimal_bounds(norms, 1.0, loss, 4, delta),
            sharper_near_optimal_bounds(norms, 1.0, loss, 4, delta),
        )
        better = ours.intra_class_lower_bound >= theirs.intra_class_lower_bound - 1e-12
        assert (better | theirs.vacuous).all()


def test_a_class_s_mean_lies_where_the_loss_allows_it():
    """Both ends by another root finder, of the loss itself."""
    norms, classes, eps = 1.7, 4, 0.01

    def loss(q):
        return math.log1p((classes - 1) * math.exp(-q * classes / (classes - 1)))

    def excess(q):
        others = (classes * norms - q) / (classes - 1)
        return (loss(q) + (classes - 1) * loss(others)) / classes - loss(norms) - eps

    low, high = class_means_between(
        *(torch.tensor(value, dtype=torch.float64) for value in (norms, eps, float(classes)))
    )
    assert float(low) == pytest.approx(brentq(excess, -10, norms), rel=1e-9)
    assert float(high) == pytest.approx(brentq(excess, norms, 20), rel=1e-9)


def test_the_bound_by_hand():
    """alpha beta = 2, C = 4, eps = 0.01: every step from the docstring."""
    classes, norms, eps, delta = 4, 2.0, 0.01, 0.5
    least = float(min_cross_entropy(norms, 1.0, classes))
    c = 0.75 * math.log(3 / math.expm1(least + eps))
    low, high = (
        float(end) for end in class_means_between(*(torch.tensor(v, dtype=torch.float64) for v in (norms, eps, 4.0)))
    )
    odds = 3 * math.exp(-4 * norms / 3)
    slope = 4 / 3 * odds / (1 + odds)
    cost = math.log(4) - least - slope * norms
    t, against = low / (low + (norms - c) / delta), eps / (delta * cost)
    bounds = sharper_near_optimal_bounds(norms, 1.0, least + eps, classes, delta)
    assert float(bounds.intra_class_lower_bound) == pytest.approx((t**2 - against) ** 2, rel=1e-9)
    least_eps = 1e-5
    loss = least + least_eps
    c = 0.75 * math.log(3 / math.expm1(loss))
    ends = class_means_between(*(torch.tensor(v, dtype=torch.float64) for v in (norms, least_eps, 4.0)))
    low, high = (float(end) for end in ends)
    t, against = low / (low + 4 * (norms - c)), 4 * least_eps / cost
    off = 2 * (1 - t**2 + against)
    logit = -low / 3 + math.sqrt(2 * (math.exp(4 * high / 3) + 3) * math.expm1(4 * least_eps))
    expected = logit / (high if logit < 0 else low) + math.sqrt(t**-2 - 1) + 2 * math.sqrt(off) + off
    found = sharper_near_optimal_bounds(norms, 1.0, loss, classes, delta).inter_class_upper_bound
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_the_least_loss_promises_collapse_and_a_lower_one_is_undefined():
    least = min_cross_entropy(1.5, 1.0, 4)
    bounds = sharper_near_optimal_bounds(1.5, 1.0, torch.stack([least, least - 1e-3, torch.tensor(torch.nan)]), 4, 0.25)
    assert float(bounds.intra_class_lower_bound[0]) == pytest.approx(1)
    assert float(bounds.inter_class_upper_bound[0]) == pytest.approx(-1 / 3)
    assert all(field[1:].isnan().all() for field in bounds)


def test_far_from_the_least_nothing_is_said_and_nothing_overflows():
    for norms, loss in ((3.0, 2.0), (30.0, 1.0), (300.0, 1e-3)):
        bounds = sharper_near_optimal_bounds(norms, 1.0, loss, 4, 0.25)
        assert 0 <= float(bounds.intra_class_lower_bound) < 0.01
        assert float(bounds.inter_class_upper_bound) == 1


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"num_classes is 1; it must be at least 2\."):
        sharper_near_optimal_bounds(1.0, 1.0, 1.0, 1, 0.5)
    with pytest.raises(ValueError, match=r"delta is 0; it must be greater than 0 and at most 1\."):
        sharper_near_optimal_bounds(1.0, 1.0, 1.0, 4, 0.0)
