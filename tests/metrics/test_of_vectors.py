"""Measures of vectors alone, class means or rows of a weight, against loops over pairs and a general minimiser."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from metrics.clustered import CLASSES, SIMPLEX, WEIGHT, W, centred
from scipy.optimize import minimize

from nc_runner import metrics

RNG = np.random.default_rng(3)

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
