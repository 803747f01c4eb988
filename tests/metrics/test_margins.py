"""Margins by loops, and the bound on the least of them: true of every draw, and reached at neural collapse alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from nc_runner.metrics import margin_ratio, margins

every_draw = settings(max_examples=150, derandomize=True, deadline=None, database=None)


def collapsed(classes, per_class, width):
    """Neural collapse with ||W||_F = ||H||_F: rows of a turned simplex ETF, features the same over sqrt(n)."""
    turn = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)).Q
    rows = (torch.eye(classes, width, dtype=torch.float64) - torch.eye(classes, width).mean(dim=0)) @ turn
    labels = torch.arange(classes).repeat(per_class)
    return 1.7 * rows[labels] / math.sqrt(per_class), labels, 1.7 * rows


def ratio_by_loop(features, labels, weight):
    classes, per_class = len(weight), len(labels) // len(weight)
    least = min(
        (weight[y] - weight[j]) @ h for h, y in zip(features, labels, strict=True) for j in range(classes) if j != y
    )
    allowed = (np.square(weight).sum() + np.square(features).sum()) / (2 * (classes - 1) * math.sqrt(per_class))
    return least / allowed


def test_margins_by_loop():
    rng = np.random.default_rng(0)
    weight, features, labels = rng.standard_normal((4, 5)), rng.standard_normal((9, 5)), rng.integers(0, 4, 9)
    expected = []
    for h, y in zip(features, labels, strict=True):
        expected.append(weight[y] @ h - max(weight[j] @ h for j in range(4) if j != y))
    measured = margins(*map(torch.from_numpy, (features, labels, weight)))
    np.testing.assert_allclose(measured, expected, rtol=1e-12)
    assert min(expected) < 0 < max(expected)


@pytest.mark.parametrize(("classes", "per_class", "width"), [(2, 1, 3), (3, 7, 3), (5, 10, 8)])
def test_margins_and_ratio_at_neural_collapse(classes, per_class, width):
    features, labels, weight = collapsed(classes, per_class, width)
    assert margins(features, labels, weight).numpy() == pytest.approx(1.7**2 / math.sqrt(per_class), rel=1e-12)
    assert float(margin_ratio(features, labels, weight)) == pytest.approx(1, rel=1e-13)
    # Norms that differ: 2 a b / (a^2 + b^2).
    assert float(margin_ratio(features, labels, 2 * weight)) == pytest.approx(4 / 5, rel=1e-12)
    noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(margin_ratio(features + 0.01 * noise, labels, weight)) < 1 - 1e-3


def test_ratio_at_the_saddle_of_example_3_1():
    saddle = torch.tensor([[1.0, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]])
    assert float(margin_ratio(3 * saddle, torch.arange(4), 3 * saddle)) == pytest.approx((1 / 8) / (1 / 6), rel=1e-12)


@every_draw
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 4), st.integers(1, 6), st.floats(-3, 0.5))
def test_margin_ratio_is_by_its_definition_and_at_most_one(seed, classes, per_class, width, log_noise):
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(classes), per_class)
    rows = np.eye(classes, width) - np.eye(classes, width).mean(axis=0)
    weight = rows + 10**log_noise * rng.standard_normal(rows.shape)
    features = rows[labels] / math.sqrt(per_class) + 10**log_noise * rng.standard_normal((len(labels), width))
    measured = float(margin_ratio(*map(torch.from_numpy, (features, labels, weight))))
    assert measured == pytest.approx(ratio_by_loop(features, labels, weight), rel=1e-9, abs=1e-12)
    assert measured <= 1 + 1e-12


@pytest.mark.parametrize(("classes", "per_class", "width"), [(3, 2, 3), (4, 1, 3), (4, 3, 2)])
def test_no_ascent_gets_past_a_margin_ratio_of_one(classes, per_class, width):
    """A smooth least margin, sharpened in stages; it comes up to 1 where a simplex ETF fits into the width."""
    labels = torch.arange(classes).repeat(per_class)
    wrong = torch.ones(len(labels), classes, dtype=torch.bool).scatter(1, labels[:, None], False)

    def split(flat):
        return flat[: classes * width].view(classes, width), flat[classes * width :].view(len(labels), width)

    def loss(values, sharpness):
        flat = torch.from_numpy(values).requires_grad_()
        weight, features = split(flat / flat.norm())
        logits = features @ weight.T
        gaps = (logits.gather(1, labels[:, None]) - logits)[wrong]
        value = torch.logsumexp(-sharpness * gaps, dim=0) / sharpness
        value.backward()
        return value.item(), flat.grad.numpy().copy()

    x = np.random.default_rng(1).standard_normal((classes + len(labels)) * width)
    for sharpness in (10, 100, 1e3, 1e4):
        x = minimize(loss, x, args=(sharpness,), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    found = float(margin_ratio(split(torch.from_numpy(x))[1], labels, split(torch.from_numpy(x))[0]))
    assert found <= 1 + 1e-12
    assert (found > 0.99) == (width >= classes - 1)


def test_margins_without_a_rival_and_ratio_of_nothing_are_undefined():
    one = torch.ones(5, 3), torch.zeros(5, dtype=torch.int64), torch.ones(1, 3)
    assert margins(*one).isnan().tolist() == 5 * [True]
    assert margin_ratio(*one).isnan()
    assert margin_ratio(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1]), torch.zeros(2, 3)).isnan()
    assert float(margin_ratio(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), torch.zeros(2, 3))) == 0
