"""Measures beside NC1 to NC4 against loops over samples, classes and pairs, in numpy's float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from metrics.clustered import (
    CENTRES,
    CLASSES,
    FEATURES,
    LABELS,
    SAMPLES,
    SIMPLEX,
    WEIGHT,
    WIDTH,
    H,
    W,
    Y,
    centred,
    covariances,
    means_of,
)

from nc_runner import metrics


def cdnv(features: np.ndarray, _: np.ndarray) -> float:
    means, total = means_of(features), 0.0
    variance = [np.mean([np.sum((h - means[c]) ** 2) for h in features[c == LABELS]]) for c in range(CLASSES)]
    pairs = list(itertools.combinations(range(CLASSES), 2))
    for i, j in pairs:
        total += (variance[i] + variance[j]) / (2 * np.sum((means[i] - means[j]) ** 2))
    return total / len(pairs)


def to_simplex(product: np.ndarray) -> float:
    product, total = product / np.sqrt((product**2).sum()), 0.0
    for i in range(CLASSES):
        for j in range(CLASSES):
            total += (product[i, j] - ((i == j) - 1 / CLASSES) / math.sqrt(CLASSES - 1)) ** 2
    return math.sqrt(total)


def frobenius(features: np.ndarray, weight: np.ndarray) -> float:
    means = centred(means_of(features))
    return float(np.sum((weight / np.sqrt(np.sum(weight**2)) - means / np.sqrt(np.sum(means**2))) ** 2))


def uniform_duality(features: np.ndarray, weight: np.ndarray) -> float:
    means = centred(means_of(features))
    cosines = [w @ m / math.sqrt((w @ w) * (m @ m)) for w, m in zip(weight, means, strict=True)]
    return float(np.mean([(c - np.mean(cosines)) ** 2 for c in cosines]))


def vci(features: np.ndarray, _: np.ndarray) -> float:
    within, between = covariances(features)
    return 1 - np.trace(np.linalg.pinv(within + between) @ between) / (CLASSES - 1)


def decodability(features: np.ndarray, _: np.ndarray) -> float:
    """By least squares with a constant, and the residual."""
    inputs, targets = np.column_stack([features, np.ones(SAMPLES)]), np.eye(CLASSES)[LABELS]
    residual = targets - inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    return float(1 - np.sum(residual**2) / np.sum((targets - targets.mean(0)) ** 2))


def probe_accuracy(features: np.ndarray, _: np.ndarray) -> float:
    inputs, targets = np.column_stack([features, np.ones(SAMPLES)]), np.eye(CLASSES)[LABELS]
    outputs = inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    return float(np.mean([np.argmax(output) == y for output, y in zip(outputs, LABELS, strict=True)]))


def class_balanced(features: np.ndarray, _: np.ndarray) -> float:
    means = means_of(features)
    within = [np.mean([np.sum((h - means[c]) ** 2) for h in features[c == LABELS]]) for c in range(CLASSES)]
    return float(np.mean(within) / np.trace(covariances(features)[1]))


def other_means(features: np.ndarray, _: np.ndarray) -> float:
    right = [np.argmin([np.sum((h - c) ** 2) for c in CENTRES]) == y for h, y in zip(features, LABELS, strict=True)]
    return float(np.mean(right))


def ood(features: np.ndarray, weight: np.ndarray) -> float:
    """The rows of the weight stand for other features."""
    centre = weight.mean(0)
    return float(np.mean([abs(m @ centre) / math.sqrt((m @ m) * (centre @ centre)) for m in means_of(features)]))


CASES = {
    "cdnv": (lambda h, y, w: metrics.class_distance_normalized_variance(h, y), cdnv),
    "simplex of means": (
        lambda h, y, w: metrics.simplex_etf_distance(metrics.class_means(h, y), centred=True),
        lambda h, w: to_simplex(centred(means_of(h)) @ centred(means_of(h)).T),
    ),
    "simplex of rows": (
        lambda h, y, w: metrics.simplex_etf_distance(w, centred=False),
        lambda h, w: to_simplex(w @ w.T),
    ),
    "simplex of both": (metrics.simplex_etf_duality_distance, lambda h, w: to_simplex(w @ centred(means_of(h)).T)),
    "frobenius": (metrics.self_duality_frobenius, frobenius),
    "uniform duality": (metrics.uniform_duality_variance, uniform_duality),
    "vci": (lambda h, y, w: metrics.variability_collapse_index(h, y), vci),
    "decodability": (lambda h, y, w: metrics.linear_decodability(h, y), decodability),
    "probe": (lambda h, y, w: metrics.linear_probe_accuracy(h, y), probe_accuracy),
    "class-balanced": (lambda h, y, w: metrics.within_between_trace_ratio_class_balanced(h, y), class_balanced),
    "other means": (lambda h, y, w: metrics.ncc_accuracy_by_means(h, y, torch.from_numpy(CENTRES)), other_means),
    "ood": (metrics.out_of_distribution_cosine, ood),
}
AT_COLLAPSE = {"probe": 1.0, "other means": 1.0, "decodability": 1.0, "ood": None}


@pytest.mark.parametrize("name", CASES)
def test_each_is_that_of_a_loop_and_batch_axes_do_not_mix(name: str) -> None:
    measure, loop = CASES[name]
    found = measure(H, Y, W)
    expected = [loop(h, w) for h, w in zip(FEATURES, WEIGHT, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert found.dtype == torch.float64
    torch.testing.assert_close(measure(H[1], Y, W[1]), found[1], rtol=1e-12, atol=0)
    torch.testing.assert_close(measure(H[:, None], Y, W[:, None]), found[:, None], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"other means", "simplex of rows"}))
def test_at_collapse_and_where_nothing_is_defined(name: str) -> None:
    measure = CASES[name][0]
    if (value := AT_COLLAPSE.get(name, 0.0)) is not None:
        assert float(measure(3 * SIMPLEX[Y] + 1.5, Y, 2 * SIMPLEX)) == pytest.approx(value, abs=1e-12)
    equal = torch.full((SAMPLES, WIDTH), 0.1, dtype=torch.float64)
    if name == "ood":
        equal = 0 * equal
    else:
        assert measure(H, torch.zeros_like(Y), W[:, :1]).isnan().all()
    assert measure(equal, Y, W[0]).isnan()
    spoilt = H.clone()
    spoilt[1, 3, 2] = torch.inf
    assert measure(spoilt, Y, W).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["simplex of both", "simplex of rows", "frobenius", "uniform duality"])
def test_a_weight_of_zeros_is_undefined(name: str) -> None:
    assert CASES[name][0](H[0], Y, 0 * W[0]).isnan()


def test_pairs_and_simplex_by_small_tiles_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("cdnv", "simplex of means", "simplex of both")
    whole = [CASES[name][0](H, Y, W) for name in names]
    etf = metrics.etf_cosine_deviation(W, centred=False)
    for module in ("_pairs", "simplex"):
        monkeypatch.setattr(f"nc_runner.metrics.{module}.TILE", 3)
    for name, expected in zip(names, whole, strict=True):
        torch.testing.assert_close(CASES[name][0](H, Y, W), expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(metrics.etf_cosine_deviation(W, centred=False), etf, rtol=1e-12, atol=0)


def test_near_means_far_from_the_others_keep_their_digits() -> None:
    far = H[0].clone()
    far[Y >= 2] = 100 + 1e-3 * H[0][Y >= 2]
    found = metrics.class_distance_normalized_variance(far, Y)
    assert float(found) == pytest.approx(cdnv(far.numpy(), WEIGHT[0]), rel=1e-9)


def test_two_means_that_coincide_leave_cdnv_undefined() -> None:
    same = H[0] - metrics.class_means(H[0], Y)[Y] * (Y < 2)[:, None]
    assert metrics.class_distance_normalized_variance(same, Y).isnan()
