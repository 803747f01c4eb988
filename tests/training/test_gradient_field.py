import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_runner.config.choices import Clock
from nc_runner.training.gradient_field import Field, clock_at, dense_jacobian, time_at

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
RANDOM = np.random.RandomState(0)


def field(clock: Clock = Clock.t, loss_scale: float = 1.0) -> Field:
    return Field(LABELS.numpy(), 3, 4, loss_scale, clock)


def summed_loss(x: Tensor) -> Tensor:
    features, weight = x.view(9, 4).split([6, 3])
    return torch.nn.functional.cross_entropy(features @ weight.T, LABELS, reduction="sum")


@pytest.mark.parametrize("clock", list(Clock))
@pytest.mark.parametrize("log1p_time", [0.0, 1e-3, 1.0, 30.0])
def test_the_clock_and_the_time_are_inverse(clock: Clock, log1p_time: float) -> None:
    u = clock_at(clock, log1p_time)
    back, log_rate = time_at(clock, u)
    assert back == pytest.approx(log1p_time, rel=1e-12, abs=1e-15)
    if log1p_time < 5:
        step = 1e-6
        t = [math.expm1(time_at(clock, u + s)[0]) for s in (step, 3 * step)]
        assert (t[1] - t[0]) / (2 * step) == pytest.approx(math.exp(time_at(clock, u + 2 * step)[1]), rel=1e-6)
    assert log_rate >= 0


@pytest.mark.parametrize("loss_scale", [1.0, 1 / 6])
def test_the_velocity_is_minus_the_gradient(loss_scale: float) -> None:
    x = torch.tensor(RANDOM.randn(36), requires_grad=True)
    (loss_scale * summed_loss(x)).backward()
    velocity = field(loss_scale=loss_scale).velocity(x.detach().numpy())
    np.testing.assert_allclose(velocity, -x.grad.numpy(), rtol=1e-12, atol=1e-14)  # type: ignore[union-attr]


def test_the_residual_meets_the_time_before_either_is_rounded() -> None:
    logits = np.array([[1e6, 3.0, -20.0]] * 6)  # 1 - p is e^-999997, dt/du e^1000000
    residual, _, overshoot = field().residual(logits, 1e6)
    correct = residual[LABELS.numpy() == 0]
    np.testing.assert_allclose(correct, [[math.exp(3) + math.exp(-20), -math.exp(3), -math.exp(-20)]] * 2, rtol=1e-9)
    assert overshoot > 1e5  # the other classes are predicted wrongly, and held to a finite number
    assert np.isfinite(residual).all()


@pytest.mark.parametrize("clock", list(Clock))
def test_the_field_is_that_of_x_in_the_clock(clock: Clock) -> None:
    of, u, y = field(clock), 1.1, RANDOM.randn(36)
    step, x = 1e-6, lambda u, y: of.scale(u) * y
    moved = (x(u + step, y + step * of(u, y)) - x(u - step, y - step * of(u, y))) / (2 * step)
    np.testing.assert_allclose(moved, of.velocity(x(u, y), time_at(clock, u)[1]), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("clock", list(Clock))
@pytest.mark.parametrize("size", [0.3, 3.0])
def test_the_jacobian_against_finite_differences(clock: Clock, size: float) -> None:
    of, u, y, step = field(clock), 1.1, size * RANDOM.randn(36), 1e-6
    jacobian = dense_jacobian(of.linearise(u, y))
    columns = [(of(u, y + step * e) - of(u, y - step * e)) / (2 * step) for e in np.eye(36)]
    scale = abs(jacobian).max()
    np.testing.assert_allclose(jacobian, np.stack(columns, 1), atol=1e-7 * scale)
    np.testing.assert_allclose(jacobian, jacobian.T, atol=1e-14 * scale)
