import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nc_runner.config.choices import ModelName
from nc_runner.config.schema import ModelConfig
from nc_runner.models import MLP, FreeFeatures, build
from nc_runner.theory import min_cross_entropy

CPU = torch.device("cpu")
Y = torch.arange(12) % 4


def free(seeds: list[int], alpha: float = 1.7, beta: float = 0.6, width: int = 5) -> FreeFeatures:
    config = ModelConfig(name=ModelName.free_features, width=width, feature_norm=alpha, weight_norm=beta)
    return FreeFeatures(config, len(Y), 4, seeds, device=CPU)


def targets(trials: int) -> Tensor:
    return nn.functional.one_hot(Y, 4).double()[:, None].expand(-1, trials, -1)


def written_out(features: Tensor, weight: Tensor, alpha: float, beta: float) -> Tensor:
    """The loss of one trial, from the model's definition, for autograd."""
    h = alpha * features / features.square().sum(1).mean().sqrt()
    w = beta * math.sqrt(len(weight)) * weight / weight.square().sum().sqrt()
    return nn.functional.cross_entropy(h @ w.T, Y)


def test_loss_and_gradients_are_autograd_s() -> None:
    model = free([0, 1, 2])
    model.flat.mul_(torch.tensor([[1.0], [3.0], [0.1]]))  # off the initial norm
    loss = model.loss_and_gradient(torch.empty(0), targets(3))
    for t in range(3):
        leaves = [model.params[name][t].clone().requires_grad_() for name in ("1.features", "2.weight")]
        expected = written_out(*leaves, 1.7, 0.6)
        expected.backward()
        torch.testing.assert_close(loss.value[t], expected.detach(), rtol=1e-12, atol=0)
        for name, leaf in zip(("1.features", "2.weight"), leaves, strict=True):
            torch.testing.assert_close(model.grads[name][t], leaf.grad, rtol=1e-10, atol=1e-14)
    logits = dict(model.features(torch.empty(0)))[2]
    assert torch.equal(loss.correct, (logits.argmax(-1) == Y).sum(-1))


def test_gradient_against_finite_differences() -> None:
    model, step = free([3]), 1e-6
    model.loss_and_gradient(torch.empty(0), targets(1))
    gradient = model.flat_grad.clone()
    for p in range(model.flat.shape[1]):
        model.flat[:, p] += step
        up = model.loss_and_gradient(torch.empty(0), targets(1)).value
        model.flat[:, p] -= 2 * step
        down = model.loss_and_gradient(torch.empty(0), targets(1)).value
        model.flat[:, p] += step
        torch.testing.assert_close(gradient[:, p], (up - down) / (2 * step), rtol=1e-5, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_norms_are_held_and_the_loss_is_never_below_the_least(
    alpha: float, beta: float, scale: float, seed: int
) -> None:
    model = free([seed], alpha, beta)
    model.flat.mul_(scale)
    outputs, (weight, bias) = dict(model.features(torch.empty(0))), model.output_layer()
    assert bias is None
    assert outputs[1].square().sum(-1).mean().sqrt().item() == pytest.approx(alpha, rel=1e-12)
    assert (weight.norm() / 2).item() == pytest.approx(beta, rel=1e-12)
    torch.testing.assert_close(outputs[model.depth], outputs[1] @ weight.mT)
    loss = nn.functional.cross_entropy(outputs[2][0], Y)
    assert loss >= min_cross_entropy(alpha, beta, 4) - 1e-13


def test_a_simplex_attains_the_least_loss_with_no_gradient_left() -> None:
    model = free([0])
    simplex = torch.eye(4, 5, dtype=torch.float64) - torch.tensor([[0.25] * 4 + [0.0]])
    model.params["1.features"].copy_(simplex[Y])
    model.params["2.weight"].copy_(simplex)
    loss = model.loss_and_gradient(torch.empty(0), targets(1))
    torch.testing.assert_close(loss.value[0], min_cross_entropy(1.7, 0.6, 4), rtol=1e-14, atol=0)
    assert model.flat_grad.abs().max() < 1e-15


def test_a_trial_starts_alike_alone_and_in_any_stack() -> None:
    stack = free([7, 3, 7])
    for t, seed in enumerate([7, 3, 7]):
        assert torch.equal(free([seed]).flat[0], stack.flat[t])
    assert not torch.equal(stack.flat[0], stack.flat[1])


def test_build_makes_what_the_config_names() -> None:
    x = torch.zeros(12, 3)
    for name, kind in ((ModelName.mlp, MLP), (ModelName.free_features, FreeFeatures)):
        network = build(ModelConfig(name=name, width=6), x, 4, [0], device=CPU, dtype=torch.float64)
        assert type(network) is kind
        assert network.flat.dtype is torch.float64
        outputs = dict(network.features(x.double()))
        weight, _ = network.output_layer()
        assert outputs[network.depth].shape == (1, 12, 4)
        assert outputs[network.depth - 1].shape == (1, 12, 6)
        assert weight.shape == (1, 4, 6)
