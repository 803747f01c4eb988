"""The imbalance of consecutive layers under gradient descent with weight decay, step by step and in the long run."""

from itertools import pairwise

import pytest
import torch

from nc_runner.theory import imbalance_decay, imbalance_step

RATE, DECAY = 0.05, 0.02


def normal(draw, *shape):
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def imbalance(following, weight):
    return following.T @ following - weight @ weight.T


def descend(steps, *, momentum=0.0, relu_first=2):
    """Gradient descent of two ReLU layers and three linear ones on a new batch each step.

    Yields for each step the weights before it, the gradients of the loss without the penalty, the weights after it.
    """
    draw = torch.Generator().manual_seed(4)
    sizes = [4, 6, 6, 5, 5, 3]
    weights = [normal(draw, b, a) / a**0.5 for a, b in pairwise(sizes)]
    target, velocities = normal(draw, 3, 4), [torch.zeros_like(w) for w in weights]
    for _ in range(steps):
        x = normal(draw, 4, 7)
        y = target @ x.abs()
        leaves = [w.clone().requires_grad_() for w in weights]
        z = x
        for i, w in enumerate(leaves):
            z = (w @ z).clamp(min=0) if i < relu_first else w @ z
        gradients = torch.autograd.grad((z - y).square().sum() / 14, leaves)
        velocities = [momentum * v + g + DECAY * w for v, g, w in zip(velocities, gradients, weights, strict=True)]
        moved = [w - RATE * v for w, v in zip(weights, velocities, strict=True)]
        yield weights, gradients, moved
        weights = moved


def steps_of(layer, **options):
    """(imbalance predicted, imbalance found) after each step, of a layer and the next."""
    for weights, gradients, moved in descend(30, **options):
        before = imbalance(weights[layer + 1], weights[layer])
        predicted = imbalance_step(before, gradients[layer + 1], gradients[layer], RATE, DECAY)
        yield predicted, imbalance(moved[layer + 1], moved[layer])


@pytest.mark.parametrize("layer", [2, 3])
def test_a_step_of_gradient_descent_is_predicted_to_rounding(layer):
    for predicted, found in steps_of(layer):
        torch.testing.assert_close(predicted, found, rtol=0, atol=1e-14)


def test_behind_a_relu_the_diagonal_is():
    for layer in (0, 1):
        for predicted, found in steps_of(layer):
            torch.testing.assert_close(predicted.diagonal(), found.diagonal(), rtol=0, atol=1e-14)
        assert (predicted - found).abs().max() > 1e-5


def test_with_momentum_it_is_not():
    assert max(float((predicted - found).abs().max()) for predicted, found in steps_of(2, momentum=0.9)) > 1e-3


def test_a_step_by_double_loop():
    draw = torch.Generator().manual_seed(0)
    before, following, gradient = normal(draw, 3, 3), normal(draw, 2, 3), normal(draw, 3, 4)
    stepped = imbalance_step(before, following, gradient, 0.3, 0.7)
    for a in range(3):
        for b in range(3):
            change = sum(following[p, a] * following[p, b] for p in range(2))
            change -= sum(gradient[a, d] * gradient[b, d] for d in range(4))
            expected = (1 - 0.21) ** 2 * before[a, b] + 0.09 * change
            assert float(stepped[a, b]) == pytest.approx(float(expected), rel=1e-12)
    rates = torch.tensor([0.3, 0.1])
    batched = imbalance_step(before, following.expand(2, 2, 3), gradient, rates, 0.7)
    torch.testing.assert_close(batched[0], stepped, rtol=1e-6, atol=0)
    torch.testing.assert_close(batched[1], imbalance_step(before, following, gradient, rates[1], 0.7))


def test_the_curve_bounds_the_norm_and_its_average_the_trace():
    norms, driven, traces = [], [], []
    for weights, gradients, moved in descend(3000):
        if not norms:
            norms, traces = ([f(imbalance(weights[4], weights[3]))] for f in (largest, torch.trace))
        driven.append(imbalance(gradients[4], gradients[3]))
        norms.append(largest(imbalance(moved[4], moved[3])))
        traces.append(imbalance(moved[4], moved[3]).trace())
    times = torch.arange(3001)
    curve = imbalance_decay(times, norms[0], max(largest(q) for q in driven), RATE, DECAY)
    assert (torch.tensor(norms) <= curve.imbalance * (1 + 1e-12)).all()
    q = torch.stack(driven).diagonal(dim1=1, dim2=2).sum(dim=-1)
    # The mean of D follows from that of q, up to what the two ends differ by.
    mean = torch.stack(traces[1000:-1]).mean()
    plateau = imbalance_decay(0, 0.0, q[1000:].mean(), RATE, DECAY).plateau
    ends = (traces[1000] - traces[-1]) / 2000 / (1 - (1 - RATE * DECAY) ** 2)
    assert float(mean) == pytest.approx(float(plateau + ends), rel=1e-9)
    assert abs(float(ends)) < 0.5 * abs(float(plateau))


def largest(matrix):
    return float(torch.linalg.svdvals(matrix)[0])


def test_a_descent_that_settles_leaves_no_plateau():
    """Two numbers, w2 w1 -> 1: at the critical point q = lambda^2 D, of which nothing remains."""
    w1, w2 = 1.5, 0.4
    start = w2**2 - w1**2
    for _ in range(20_000):
        residual = w2 * w1 - 1
        w1, w2 = w1 - RATE * (residual * w2 + DECAY * w1), w2 - RATE * (residual * w1 + DECAY * w2)
    assert abs(w2**2 - w1**2) < 1e-12 * abs(start)
    assert w2 * w1 == pytest.approx(1 - DECAY, rel=1e-12)


@pytest.mark.parametrize(("rate", "decay"), [(0.05, 0.02), (1e-3, 1e-4), (0.9, 1.1)])
def test_the_curve_is_the_recursion_with_a_constant_drive(rate, decay):
    start, driving = 2.0, -0.3
    value, steps = start, 200
    for _ in range(steps):
        value = (1 - rate * decay) ** 2 * value + rate**2 * driving
    curve = imbalance_decay(steps, start, driving, rate, decay)
    assert float(curve.imbalance) == pytest.approx(value, rel=1e-10)
    assert float(curve.kept) == pytest.approx((1 - rate * decay) ** (2 * steps), rel=1e-10)
    plateau = float(curve.plateau)
    assert (1 - rate * decay) ** 2 * plateau + rate**2 * driving == pytest.approx(plateau, rel=1e-12)
    assert float(imbalance_decay(0, start, driving, rate, decay).imbalance) == start


def test_the_plateau_goes_with_rate_over_decay():
    plateau = imbalance_decay(1, 0.0, 0.6, torch.tensor([1e-3, 2e-3]), torch.tensor([[1e-4], [3e-4]])).plateau
    expected = torch.tensor([[3.0, 6.0], [1.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(plateau, expected, rtol=1e-6, atol=0)


def test_shapes_and_nan():
    decay = imbalance_decay(torch.arange(3), torch.tensor([[1.0], [torch.nan]]), 0.1, 0.1, 0.1)
    assert all(field.shape == (2, 3) and field.dtype == torch.float64 for field in decay)
    assert decay.imbalance.isnan().tolist() == [[False] * 3, [True] * 3]


def test_bad_arguments_are_named():
    square, wide = torch.ones(3, 3), torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"imbalance has shape \(3, 4\); its last two axes must be of equal length"):
        imbalance_step(wide, square, square, 0.1, 0.1)
    with pytest.raises(ValueError, match=r"gradient_next has shape \(3, 4\); its last two axes must be \(P, 3\)"):
        imbalance_step(square, wide, square, 0.1, 0.1)
    with pytest.raises(ValueError, match=r"gradient has shape \(4, 3\); its last two axes must be \(3, D\)"):
        imbalance_step(square, square, wide.T, 0.1, 0.1)
    with pytest.raises(ValueError, match=r"learning_rate is 0; it must be greater than 0\."):
        imbalance_step(square, square, square, 0.0, 0.1)
    with pytest.raises(ValueError, match=r"weight_decay is 0; it must be greater than 0\."):
        imbalance_decay(1, 1.0, 0.1, 0.1, 0.0)
    with pytest.raises(ValueError, match=r"learning_rate \* weight_decay is 2; it must be less than 1\."):
        imbalance_decay(1, 1.0, 0.1, 4.0, 0.5)
    with pytest.raises(ValueError, match=r"steps is -1; it must be at least 0\."):
        imbalance_decay(-1, 1.0, 0.1, 0.1, 0.1)
