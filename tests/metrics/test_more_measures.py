"""Measures beside NC1 to NC4 against loops over samples, classes and pairs, in numpy's float64."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nc_runner import metrics

CLASSES, WIDTH, SAMPLES = 4, 6, 50
RNG = np.random.default_rng(2)
LABELS = np.concatenate([np.arange(CLASSES), RNG.integers(0, CLASSES, SAMPLES - CLASSES)])
CENTRES = RNG.standard_normal((CLASSES, WIDTH)) + 0.5
FEATURES = CENTRES[LABELS] + 0.4 * RNG.standard_normal((3, SAMPLES, WIDTH))
WEIGHT = CENTRES + RNG.standard_normal((3, CLASSES, WIDTH))
H, Y, W = map(torch.from_numpy, (FEATURES, LABELS, WEIGHT))
SIMPLEX = torch.eye(CLASSES, WIDTH, dtype=torch.float64)
SIMPLEX = SIMPLEX - SIMPLEX.mean(dim=0)


def means_of(features: np.ndarray) -> np.ndarray:
    return np.stack([features[c == LABELS].mean(0) for c in range(CLASSES)])


def centred(vectors: np.ndarray) -> np.ndarray:
    return vectors - vectors.mean(0)


def covariances(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S_W by sample, S_B by class."""
    means, within, between = means_of(features), np.zeros((WIDTH, WIDTH)), np.zeros((WIDTH, WIDTH))
    for h, y in zip(features, LABELS, strict=True):
        within += np.outer(h - means[y], h - means[y]) / SAMPLES
    for m in centred(means):
        between += np.outer(m, m) / CLASSES
    return within, between


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


KERNELS = {"log": lambda d: -math.log(d), "riesz": lambda d: d**-1.5, "distance": lambda d: -d}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("centre", [False, True])
def test_hyperspherical_kernels_by_pairs(kernel: str, centre: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tiles of two and of one."""
    power = 1.5 if kernel == "riesz" else None
    asked = {"kernel": kernel, "centred": centre, "power": power}
    vectors = RNG.standard_normal((7, 3))
    units = centred(vectors) if centre else vectors
    units = units / np.sqrt(np.sum(units**2, axis=1, keepdims=True))
    values = [KERNELS[kernel](math.sqrt(np.sum((u - v) ** 2))) for u, v in itertools.combinations(units, 2)]
    for tile in (2, 100):
        monkeypatch.setattr("nc_runner.metrics._pairs.TILE", tile)
        energy = metrics.hyperspherical_energy(torch.from_numpy(vectors), **asked)
        variance = metrics.hyperspherical_variance(torch.from_numpy(vectors), **asked)
        assert float(energy) == pytest.approx(np.mean(values), rel=1e-11)
        assert float(variance) == pytest.approx(np.var(values), rel=1e-10)
    assert float(metrics.hyperspherical_variance(SIMPLEX, **asked)) < 1e-24
    least = KERNELS[kernel](math.sqrt(2 * CLASSES / (CLASSES - 1)))
    assert float(metrics.hyperspherical_energy(SIMPLEX, **asked)) == pytest.approx(least, rel=1e-12)
    assert float(metrics.hyperspherical_energy(W[0], **asked)) > least
    assert metrics.hyperspherical_energy(torch.zeros(3, 2), **asked).isnan()
    assert metrics.hyperspherical_energy(torch.ones(1, 2), **asked).isnan()


def test_hyperspherical_arguments_are_named() -> None:
    with pytest.raises(ValueError, match='kernel is \'exp\'; it must be "log", "riesz" or "distance"'):
        metrics.hyperspherical_energy(W, kernel="exp", centred=True)
    for kernel, power in (("riesz", None), ("riesz", -1.0), ("log", 2.0)):
        with pytest.raises(ValueError, match=f"power is {power}; it must be a number above 0"):
            metrics.hyperspherical_variance(W, kernel=kernel, centred=True, power=power)


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


def test_effective_rank_by_its_definition() -> None:
    matrix = RNG.standard_normal((2, 5, 3))
    for found, entry in zip(metrics.effective_rank(torch.from_numpy(matrix)), matrix, strict=True):
        share = np.linalg.svd(entry, compute_uv=False)
        share /= share.sum()
        assert float(found) == pytest.approx(math.exp(-sum(p * math.log(p) for p in share)), rel=1e-12)
    assert float(metrics.effective_rank(SIMPLEX)) == pytest.approx(CLASSES - 1)
    assert float(metrics.effective_rank(torch.ones(3, 4))) == pytest.approx(1)
    assert metrics.effective_rank(torch.zeros(3, 4)).isnan()


def test_minority_cosine_by_pairs() -> None:
    minority = [0, 3, 1]
    for found, weight in zip(metrics.minority_collapse_cosine(W, torch.tensor(minority)), WEIGHT, strict=True):
        pairs = itertools.combinations(minority, 2)
        cosines = [weight[i] @ weight[j] / np.sqrt(np.sum(weight[i] ** 2) * np.sum(weight[j] ** 2)) for i, j in pairs]
        assert float(found) == pytest.approx(np.mean(cosines), rel=1e-12)
    collapsed = torch.cat([W[0, :2], 2 * W[0, :1], 3 * W[0, :1]])
    assert float(metrics.minority_collapse_cosine(collapsed, torch.tensor([2, 3]))) == pytest.approx(1)
    assert float(metrics.minority_collapse_cosine(SIMPLEX, torch.arange(4))) == pytest.approx(-1 / 3)
    assert metrics.minority_collapse_cosine(0 * W[0], torch.tensor([0, 1])).isnan()
    with pytest.raises(ValueError, match=r"minority is \[1\]; it must name two classes at least"):
        metrics.minority_collapse_cosine(W, torch.tensor([1]))
    with pytest.raises(ValueError, match=r"minority is \[1, 4\]; its classes must be in 0\.\.3"):
        metrics.minority_collapse_cosine(W, torch.tensor([1, 4]))


def test_one_vs_rest_distance_is_that_of_a_general_minimiser() -> None:
    vectors = RNG.standard_normal((6, 3))
    units = vectors / np.sqrt(np.sum(vectors**2, axis=1, keepdims=True))
    found = metrics.one_vs_rest_distance(torch.from_numpy(vectors))
    for k in range(6):
        others = np.delete(units, k, axis=0)
        done = minimize(
            lambda a, others=others, k=k: np.sum((a @ others - units[k]) ** 2), np.full(5, 0.2), method="SLSQP",
            bounds=5 * [(0, 1)], constraints={"type": "eq", "fun": lambda a: a.sum() - 1}, options={"ftol": 1e-15},
        )  # fmt: skip
        assert float(found[k]) == pytest.approx(math.sqrt(done.fun), abs=1e-5)
    apart = CLASSES / (CLASSES - 1)
    np.testing.assert_allclose(metrics.one_vs_rest_distance(SIMPLEX), CLASSES * [apart], rtol=1e-9)
    assert metrics.one_vs_rest_distance(torch.ones(2, 3)).tolist() == [0, 0]
    assert metrics.one_vs_rest_distance(torch.ones(1, 3)).isnan().all()
    assert metrics.one_vs_rest_distance(torch.zeros(3, 3)).isnan().all()


def off_by_loop(features: np.ndarray, basis: np.ndarray) -> float:
    """Mean squared distance of unit features from the span of the rows of an orthonormal basis."""
    total = 0.0
    for h in features:
        u = h / math.sqrt(h @ h)
        total += np.sum((u - sum((u @ b) * b for b in basis)) ** 2)
    return total / len(features)


@pytest.mark.parametrize("centre", [False, True])
def test_regression_collapse_by_loops(centre: bool) -> None:
    targets = RNG.standard_normal((SAMPLES, 2)) @ np.array([[2.0, 0.3], [0.3, 0.5]])
    weight = RNG.standard_normal((3, 2, WIDTH))
    feature = metrics.regression_feature_collapse(H, torch.from_numpy(targets), centred=centre)
    duality = metrics.regression_self_duality(H, torch.from_numpy(targets), torch.from_numpy(weight), centred=centre)
    for i, features in enumerate(FEATURES):
        h = centred(features) if centre else features
        assert float(feature[i]) == pytest.approx(off_by_loop(h, np.linalg.svd(h)[2][:2]), rel=1e-11)
        assert float(duality[i]) == pytest.approx(off_by_loop(h, np.linalg.qr(weight[i].T)[0].T), rel=1e-11)
    root = np.linalg.cholesky(np.cov(targets.T, bias=True))
    values, vectors = np.linalg.eigh(root @ root.T)
    root = vectors * np.sqrt(values) @ vectors.T
    for found, w in zip(
        metrics.regression_weight_structure(*map(torch.from_numpy, (targets, weight))), weight, strict=True
    ):
        gram = w @ w.T / np.linalg.norm(w @ w.T)
        shifted = [root - c * np.eye(2) for c in np.linspace(0, math.sqrt(values[0]) * (1 - 1e-9), 20_001)]
        least = min(np.sum((gram - s / np.linalg.norm(s)) ** 2) for s in shifted)
        assert float(found) == pytest.approx(least, rel=1e-6)


def test_regression_at_collapse_and_undefined() -> None:
    targets = torch.from_numpy(RNG.standard_normal((SAMPLES, 2)))
    deviations = targets - targets.mean(0)
    values, vectors = torch.linalg.eigh(deviations.T @ deviations / SAMPLES)
    root = vectors * values.sqrt() @ vectors.T
    shifted = torch.linalg.cholesky(root - 0.3 * values[0].sqrt() * torch.eye(2))
    weight = shifted @ torch.linalg.qr(torch.from_numpy(RNG.standard_normal((WIDTH, 2)))).Q.T
    features = deviations @ weight
    assert float(metrics.regression_feature_collapse(features, targets, centred=True)) < 1e-20
    assert float(metrics.regression_self_duality(features, targets, weight, centred=True)) < 1e-20
    assert float(metrics.regression_weight_structure(targets, 7 * weight)) < 1e-20
    assert float(metrics.regression_weight_structure(targets[:, :1], weight[:1])) == pytest.approx(0, abs=1e-20)
    assert metrics.regression_weight_structure(targets, 0 * weight).isnan()
    assert metrics.regression_weight_structure(torch.ones(5, 2), weight).isnan()
    assert metrics.regression_feature_collapse(0 * features, targets, centred=False).isnan()
    with pytest.raises(ValueError, match=r"targets has shape \(7, 2\); it must be \[50, n\]"):
        metrics.regression_feature_collapse(features, targets[:7], centred=True)
    with pytest.raises(ValueError, match=r"weight has shape \(1, 6\); its last two axes must be \(2, 6\)"):
        metrics.regression_self_duality(features, targets, weight[:1], centred=True)
