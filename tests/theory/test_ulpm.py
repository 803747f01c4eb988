"""Exact solutions of the unregularised flow against integrators, and far out against 60 decimal digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expi

from nc_runner.theory import ulpm, ulpm_saddle_gap, ulpm_symmetric_gap

SADDLE = np.array([[1.0, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]])


def flow(weight, features, labels, scale, times):
    """(W, H) at the given times, by an eighth-order Runge-Kutta method on the gradient of the loss."""
    split = weight.size

    def velocity(_, x):
        w, h = x[:split].reshape(weight.shape), x[split:].reshape(features.shape)
        error = -np.exp(h @ w.T)
        error /= -error.sum(axis=1, keepdims=True)
        error[np.arange(len(labels)), labels] += 1
        return scale * np.concatenate([(error.T @ h).ravel(), (error @ w).ravel()])

    start = np.concatenate([weight.ravel(), features.ravel()])
    states = solve_ivp(velocity, (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=1e-13).y.T
    return [(x[:split].reshape(weight.shape), x[split:].reshape(features.shape)) for x in states]


def loss(weight, features, labels):
    logits = features @ weight.T
    return np.log(np.exp(logits - logits[np.arange(len(labels)), labels, None]).sum(axis=1)).sum()


@pytest.mark.parametrize(("classes", "per_class", "mean"), [(2, 1, False), (3, 2, False), (3, 2, True)])
def test_symmetric_gap_is_that_of_the_whole_flow(classes, per_class, mean):
    labels, gap0 = np.tile(np.arange(classes), per_class), 0.3
    scale = 1 / (classes * per_class) if mean else 1.0
    unit = math.sqrt(classes / (classes - 1)) * (np.eye(classes) - 1 / classes)
    b = math.sqrt(gap0 * (classes - 1) / classes / math.sqrt(per_class))
    times = [0.0, 0.5, 2.0, 20.0]
    states = flow(math.sqrt(per_class) * b * unit, b * unit[labels], labels, scale, times)
    gaps = ulpm_symmetric_gap(torch.tensor(times), classes, per_class, gap0, scale)
    assert gaps[-1] > 1
    for (weight, features), z in zip(states, gaps.tolist(), strict=True):
        logits = features @ weight.T
        margins = logits[np.arange(len(labels)), labels, None] - logits
        assert margins[np.arange(classes)[None] != labels[:, None]] == pytest.approx(z, rel=1e-9)
        expected = classes * per_class * math.log1p((classes - 1) * math.exp(-z))
        assert loss(weight, features, labels) == pytest.approx(expected, rel=1e-9)
        for norm in (np.square(weight).sum(), np.square(features).sum()):
            assert norm == pytest.approx((classes - 1) * math.sqrt(per_class) * z, rel=1e-9)


def test_saddle_gap_is_that_of_the_whole_flow():
    labels, gap0, scale, times = np.arange(4), 0.5, 0.7, [0.0, 1.0, 5.0]
    r = math.sqrt(gap0 / 2)
    gaps = ulpm_saddle_gap(torch.tensor(times), gap0, scale)
    assert gaps[-1] > 2
    for (weight, features), y in zip(flow(r * SADDLE, r * SADDLE, labels, scale, times), gaps.tolist(), strict=True):
        np.testing.assert_allclose(weight, math.sqrt(y / 2) * SADDLE, rtol=1e-8, atol=1e-9)
        assert scale * loss(weight, features, labels) == pytest.approx(8 * scale * math.log1p(math.exp(-y)), rel=1e-8)
        assert np.square(weight).sum() == pytest.approx(4 * y, rel=1e-8)
        assert np.sort((weight @ features.T)[0]) == pytest.approx([-y, 0, 0, y], abs=1e-8)


@pytest.mark.parametrize("gap0", [1e-8, 0.1, 0.372507410781, 3.0])
@pytest.mark.parametrize(("classes", "per_class", "scale"), [(2, 1, 1.0), (4, 10, 1.0), (10, 100, 1e-3)])
def test_symmetric_gap_solves_its_differential_equation(gap0, classes, per_class, scale):
    rate = 2 * scale * classes * math.sqrt(per_class)
    times = np.array([0.0, 0.1, 1.0, 10.0, 100.0]) / rate
    solution = solve_ivp(
        lambda _, z: rate * z / (np.exp(z) + classes - 1), (0, times[-1]), [gap0], "DOP853", times, rtol=1e-12, atol=0
    )
    measured = ulpm_symmetric_gap(torch.from_numpy(times), classes, per_class, gap0, scale)
    np.testing.assert_allclose(measured, solution.y[0], rtol=1e-10)


def test_symmetric_gap_solves_the_implicit_equation():
    times = torch.logspace(-3, 30, 12, dtype=torch.float64)
    classes, starts = torch.tensor([2, 4, 100])[:, None], torch.tensor([0.05, 1.0, 9.0], dtype=torch.float64)
    z = ulpm_symmetric_gap(times, classes[:, None], 7, starts[:, None], 0.2).numpy()
    assert z.shape == (3, 3, 12)
    k, z0 = classes[:, None].numpy(), starts[:, None].numpy()
    left = expi(z) - expi(z0) + (k - 1) * np.log(z / z0)
    right = 2 * 0.2 * k * math.sqrt(7) * times.numpy()
    # What an error in z of 1e-13 makes of it.
    assert (np.abs(left - right) <= 1e-13 * (np.exp(z) + k - 1) + 1e-14 * np.abs(left)).all()


def ein(z):
    """sum z^k/(k k!) to 60 digits, for z <= 200 by itself, beyond by e^z/z sum k!/z^k."""
    total, term, k = Decimal(0), Decimal(1), 0
    if z > 200:
        while term > Decimal("1e-60"):
            total, k = total + term, k + 1
            term *= k / z
        return z.exp() / z * total - z.ln() - Decimal("0.5772156649015328606065120900824024310421593359399235988057672")
    while k < z or term > Decimal("1e-70"):
        k += 1
        term *= z / k
        total += term / k
    return total


@pytest.mark.parametrize("gap0", [1e-100, 1e-12, 1e-3, 0.3725, 1.0, 49.9, 50.1, 1e3])
@pytest.mark.parametrize("log_time", [-40.0, -1.0, 2.0, 12.0, 51.0, 1e3, 1e6, 1e9])
def test_symmetric_gap_to_sixty_digits(gap0, log_time):
    """One Newton step in decimals from the answer is how far the answer is off."""
    classes, per_class = 4, 10
    z = float(ulpm_symmetric_gap(log_time, classes, per_class, gap0, 1.0, log_time=True))
    with localcontext() as context:
        context.prec = 80
        context.Emax, context.Emin = 10**15, -(10**15)
        exact, start, k = Decimal(z), Decimal(gap0), Decimal(classes)
        tau = 2 * k * Decimal(per_class).sqrt() * Decimal(log_time).exp()
        excess = k * (exact / start).ln() + ein(exact) - ein(start) - tau
        error = float(excess / (exact.exp() + k - 1))
    assert abs(error) <= (2e-14 if gap0 < 1e-3 else 4e-15)


def test_symmetric_gap_far_out_is_log_tau_plus_log_log_tau():
    log_tau = np.array([1e3, 1e6, 1e9, 1e15])
    log_time = torch.from_numpy(log_tau - math.log(2 * 3 * math.sqrt(5)))
    z = ulpm_symmetric_gap(log_time, 3, 5, 0.7, 1.0, log_time=True).numpy()
    correction = z - log_tau - np.log(log_tau)
    assert (np.abs(correction[:3]) <= 1.01 * np.log(log_tau[:3]) / log_tau[:3] + 4e-16 * log_tau[:3]).all()
    assert correction[0] == pytest.approx((math.log(1e3) - 1) / 1e3, rel=0.02)
    np.testing.assert_allclose(z, log_tau, rtol=0.01)


def test_time_may_be_given_as_its_logarithm():
    times = torch.tensor([0.0, 1e-300, 1e-3, 1.0, 1e10, 1e300], dtype=torch.float64)
    for gap in (
        lambda t, **log: ulpm_symmetric_gap(t, 4, 10, 0.2, 1.0, **log),
        lambda t, **log: ulpm_saddle_gap(t, 0.2, 1.0, **log),
    ):
        torch.testing.assert_close(gap(times.log(), log_time=True), gap(times), rtol=1e-14, atol=0)
        assert gap(times)[:2].tolist() == pytest.approx([0.2, 0.2], rel=1e-15)
        dense = gap(torch.linspace(-40, 2000, 5001, dtype=torch.float64), log_time=True)
        assert (dense.diff() >= -1e-15 * dense[1:]).all()


def test_extreme_starts_and_undefined_arguments():
    times = torch.tensor([1e9, -math.inf, math.inf, math.nan], dtype=torch.float64)
    from_tiny = ulpm_symmetric_gap(times, 2, 1, 1e-300, 1.0, log_time=True)
    assert from_tiny[:2].tolist() == pytest.approx([1e9 + math.log(4) + math.log(1e9), 1e-300], rel=1e-15)
    assert from_tiny[2:].isinf().tolist() == [True, False]
    assert from_tiny[3].isnan()
    assert float(ulpm_symmetric_gap(1.0, 2, 1, 1e6, 1.0)) == 1e6
    assert ulpm_saddle_gap(torch.tensor([1.0, math.nan]), 1.0, 1.0).isnan().tolist() == [False, True]


def test_a_dozen_steps_suffice_from_any_start(monkeypatch):
    starts = torch.tensor([1e-300, 1e-100, 1e-12, 1e-3, 0.3725, 1, 49.9, 50.1, 1e3], dtype=torch.float64)
    log_times = torch.cat([torch.linspace(-40, 60, 101), torch.logspace(2, 9, 15)]).double()[:, None]
    classes = torch.tensor([2, 10, 1000])[:, None, None]
    monkeypatch.setattr(ulpm, "_MAX_STEPS", 200)
    z = ulpm_symmetric_gap(log_times, classes, 10, starts, 1.0, log_time=True)
    assert (z >= starts * (1 - 1e-13)).all()
    monkeypatch.setattr(ulpm, "_MAX_STEPS", 12)
    torch.testing.assert_close(
        ulpm_symmetric_gap(log_times, classes, 10, starts, 1.0, log_time=True), z, rtol=1e-13, atol=0
    )


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"t is -1; it must be at least 0\."):
        ulpm_symmetric_gap(torch.tensor([0.0, -1.0]), 4, 10, 0.2, 1.0)
    with pytest.raises(ValueError, match=r"num_classes is 1; it must be at least 2\."):
        ulpm_symmetric_gap(1.0, 1, 10, 0.2, 1.0)
    with pytest.raises(ValueError, match=r"per_class is 0; it must be at least 1\."):
        ulpm_symmetric_gap(1.0, 4, 0, 0.2, 1.0)
    with pytest.raises(ValueError, match=r"gap0 is 0; it must be greater than 0\."):
        ulpm_saddle_gap(1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"scale is -2; it must be greater than 0\."):
        ulpm_saddle_gap(1.0, 1.0, -2.0)
