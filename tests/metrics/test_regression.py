"""Collapse of regression against loops over samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from metrics.clustered import FEATURES, SAMPLES, WIDTH, H, centred

from nc_runner import metrics

RNG = np.random.default_rng(3)


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
