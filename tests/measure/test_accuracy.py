"""Digits where they are hardest to keep: against loops in float64, sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nc_runner import metrics
from nc_runner.measure import Accumulator, SecondPass

CLASSES, WIDTH, EACH = 6, 10, 40
LABELS = np.tile(np.arange(CLASSES), EACH)


def low_rank(rng: np.random.Generator) -> np.ndarray:
    """Class means whose singular values go from 1 to 1e-5."""
    left = np.linalg.qr(np.column_stack([np.ones(CLASSES), rng.standard_normal((CLASSES, CLASSES - 1))]))[0][:, 1:]
    right = np.linalg.qr(rng.standard_normal((WIDTH, CLASSES - 1)))[0]
    return (left * np.logspace(0, -5, CLASSES - 1)) @ right.T


def drawn(name: str) -> torch.Tensor:
    rng = np.random.default_rng(1)
    means, noise = rng.standard_normal((CLASSES, WIDTH)), rng.standard_normal((len(LABELS), WIDTH))
    if name.startswith("low rank"):
        return torch.from_numpy(low_rank(rng)[LABELS] + (1e-6 if name.endswith("narrow") else 1) * noise).float()
    if name == "offset":
        return torch.from_numpy(1e4 + means[LABELS] + 0.1 * noise).float()
    if name == "collapsed":
        return torch.from_numpy(means[LABELS] + 1e-5 * noise)  # float32 has no such features about 1
    if name == "collapsed float32":
        return torch.from_numpy(means[LABELS] + 1e-5 * noise).float()
    if name == "one class 1,000 times larger":
        return torch.from_numpy((means[LABELS] + noise) * np.where(LABELS == 2, 1000, 1)[:, None]).float()
    return torch.from_numpy(means[LABELS] + 0.01 * noise).half()


NAMES = (
    "low rank", "low rank, narrow", "offset", "collapsed", "collapsed float32",
    "one class 1,000 times larger", "float16",
)  # fmt: skip


def by_loops(features: np.ndarray) -> dict[str, float]:
    """Sums in Python's exact fsum."""
    samples = {c: features[c == LABELS] for c in range(CLASSES)}
    means = np.array([[math.fsum(column) / EACH for column in samples[c].T] for c in range(CLASSES)])
    variance = [math.fsum(math.fsum((h - means[c]) ** 2) for h in samples[c]) / EACH for c in range(CLASSES)]
    centred = means - np.array([math.fsum(column) / CLASSES for column in means.T])
    pairs = [(i, j) for i in range(CLASSES) for j in range(i)]
    _, singular, right = np.linalg.svd(centred, full_matrices=False)
    scaled = (right / singular[:, None])[: CLASSES - 1]
    parts = [((scaled @ (h - means[c])) ** 2).sum() for c in range(CLASSES) for h in samples[c]]
    return {
        "class_distance_normalized_variance": math.fsum(
            (variance[i] + variance[j]) / (2 * math.fsum((means[i] - means[j]) ** 2)) for i, j in pairs
        ) / len(pairs),
        "total_cluster_variation_mean": math.fsum(variance) / CLASSES,
        "within_between_trace_ratio": math.fsum(variance) / math.fsum(math.fsum(m**2) for m in centred),
        "within_between_pinv_trace": math.fsum(parts) / len(LABELS),
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_against_loops(name: str) -> None:
    features, labels = drawn(name), torch.from_numpy(LABELS)
    expected = by_loops(features.double().numpy())
    seen = Accumulator(covariance=True)
    for some in torch.arange(len(labels)).split(50):
        seen.update(features[some], labels[some])
    second = SecondPass(seen)
    second.update(features, labels)
    found = {of: float(value) for of, value in seen.compute().items()}
    of_covariance = found.pop("within_between_pinv_trace")
    exact = expected.pop("within_between_pinv_trace")
    assert of_covariance == pytest.approx(exact, rel=1e-6)
    assert float(second.compute()["within_between_pinv_trace"]) == pytest.approx(exact, rel=1e-9)
    assert float(metrics.within_between_pinv_trace(features, labels)) == pytest.approx(exact, rel=1e-9)
    for of, value in expected.items():
        assert found[of] == pytest.approx(value, rel=1e-9), of
    whole = metrics.within_between_trace_ratio(features, labels)
    assert float(whole) == pytest.approx(expected["within_between_trace_ratio"], rel=1e-9)
    if name == "collapsed":
        assert 1e-11 < value < 1e-9


def test_one_sample_far_from_all_costs_no_digits() -> None:
    """The first, about which means alone could be summed."""
    features, labels = drawn("offset").double(), torch.from_numpy(LABELS)
    expected = metrics.etf_cosine_deviation(metrics.class_means(features, labels)[1:], centred=True)
    features[0] = 1e14
    found = metrics.etf_cosine_deviation(metrics.class_means(features, labels)[1:], centred=True)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_weighting_is_in_the_name() -> None:
    """1,000 samples of a narrow class, 10 of a wide one."""
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(np.repeat([0, 1], [1000, 10]))
    noise = rng.standard_normal((1010, 4)) * np.repeat([0.1, 3.0], [1000, 10])[:, None]
    features = torch.from_numpy(np.eye(2, 4)[labels.numpy()] + noise)
    seen = Accumulator()
    seen.update(features, labels)
    found = seen.compute()
    by_sample = float(found["within_between_trace_ratio"])
    balanced = float(found["within_between_trace_ratio_class_balanced"])
    assert balanced > 10 * by_sample
    assert by_sample == pytest.approx(float(metrics.within_between_trace_ratio(features, labels)), rel=1e-12)
    assert balanced == pytest.approx(
        float(metrics.within_between_trace_ratio_class_balanced(features, labels)), rel=1e-12
    )


@pytest.mark.parametrize("margin", [1e-3, 1e-7, 1e-9])
def test_a_nearest_mean_that_float32_cannot_tell_is_told_in_float64(margin: float) -> None:
    """Held-out samples on either side of the middle between two means, by less than float32's rounding."""
    rng = np.random.default_rng(0)
    means = 3 + rng.standard_normal((2, 50))
    seen = Accumulator()
    seen.update(np.repeat(means, 2, axis=0), [0, 0, 1, 1])
    side = rng.choice([-1.0, 1.0], 400)
    across = means[1] - means[0]
    beside = rng.standard_normal((400, 50))
    beside -= np.outer(beside @ across, across) / (across @ across)
    features = means.mean(0) + side[:, None] * margin * across + beside
    own = seen.means.numpy()
    right = [np.sum((h - own[0]) ** 2) < np.sum((h - own[1]) ** 2) for h in features]
    assert 0.3 < np.mean(right) < 0.7
    second = SecondPass(seen)
    second.update(features, np.zeros(400, int))
    assert float(second.compute()["ncc_accuracy"]) == np.mean(right)
