"""Dropout: drawn alike in a stack and alone, anew for each step, off where networks are measured."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from nc_runner.config.choices import Norm
from nc_runner.config.schema import Config, ModelConfig
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.models import MLP
from nc_runner.models.dropout import Dropout
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")


def factors(seed: int, *, steps: int = 1, layer: int = 1, p: float = 0.3, shape: tuple[int, int] = (200, 50)) -> list:
    dropout = Dropout(p, [seed], CPU)
    return [dropout.factors(dropout.begin(), layer, torch.empty(1, *shape, dtype=torch.float64)) for _ in range(steps)]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_p_is_dropped_and_the_others_keep_the_mean(p: float) -> None:
    drawn = torch.stack(factors(3, steps=20, p=p))
    assert drawn.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    n = drawn.numel()
    assert (drawn == 0).double().mean() == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5)
    for axis in (0, 2, 3):  # no step, sample or channel is dropped more than others
        share = (drawn == 0).double().mean([a for a in range(4) if a != axis])
        assert (share - p).abs().max() < 5 * (p * (1 - p) * drawn.shape[axis] / n) ** 0.5


def test_seeds_steps_layers_samples_and_channels_are_drawn_independently() -> None:
    def kept(*of: torch.Tensor) -> list[torch.Tensor]:
        return [(x > 0).double() - 0.5 for x in of]

    first, second = factors(3, steps=2, p=0.5)
    others = [second, *factors(4, p=0.5), *factors(3, layer=2, p=0.5)]
    a, *rest = kept(first, *others)
    for b in rest:
        assert abs(float((a * b).mean())) < 5 * 0.25 / a.numel() ** 0.5
    for lag in (1, 2, 7):
        assert abs(float((a[0, lag:] * a[0, :-lag]).mean())) < 5 * 0.25 / a.numel() ** 0.5
        assert abs(float((a[0, :, lag:] * a[0, :, :-lag]).mean())) < 5 * 0.25 / a.numel() ** 0.5
    assert torch.equal(first, factors(3, p=0.5)[0])


def test_a_stack_drops_as_its_trials_alone() -> None:
    stack, alone = Dropout(0.5, [3, 8], CPU), Dropout(0.5, [8], CPU)
    h = torch.empty(2, 9, 4)
    for layer in (1, 2):
        both, one = stack.factors(stack.begin(), layer, h), alone.factors(alone.begin(), layer, h[0])
        assert torch.equal(both[1], one)
        assert not torch.equal(both[0], one)


@pytest.mark.parametrize("norm", [Norm.affine, Norm.layer, Norm.none])
@pytest.mark.parametrize("trials", [1, 2])
def test_gradients_are_autograd_s_through_the_same_masks(norm: Norm, trials: int) -> None:
    config = ModelConfig(depth=4, width=6, norm=norm, dropout=0.4, linear_layers=2 if norm is Norm.none else 1)
    network = MLP(config, 5, 3, range(trials), device=CPU, dtype=torch.float64)
    twin = Dropout(0.4, range(trials), CPU)
    x, y = torch.randn(11, trials, 5, dtype=torch.float64), torch.randint(3, (11, trials))
    hidden = range(1, 4 - config.linear_layers + 1)
    for _ in range(2):
        loss = network.loss_and_gradient(x, nn.functional.one_hot(y, 3).double())
        step = twin.begin()
        masks = {i: twin.factors(step, i, torch.empty(trials, 11, 6, dtype=torch.float64)) for i in hidden}
        for t in range(trials):
            params = {n: p[t].clone().requires_grad_() for n, p in network.params.items()}
            h = x[:, t]
            for i in range(1, 4):
                h = nn.functional.linear(h, params[f"{i}.weight"], params[f"{i}.bias"])
                h = torch.relu(h) if i in hidden else h
                affine = params.get(f"{i}.gamma"), params.get(f"{i}.beta")
                if norm is Norm.affine:
                    h = nn.functional.batch_norm(h, None, None, *affine, training=True)
                elif norm is Norm.layer:
                    h = nn.functional.layer_norm(h, (6,), *affine)
                h = h * masks[i][t] if i in hidden else h
            logits = nn.functional.linear(h, params["4.weight"], params["4.bias"])
            expected = nn.functional.cross_entropy(logits, y[:, t])
            torch.testing.assert_close(loss.value[t], expected.detach(), rtol=1e-10, atol=1e-12)
            for name, gradient in zip(params, torch.autograd.grad(expected, list(params.values())), strict=True):
                torch.testing.assert_close(network.grads[name][t], gradient, rtol=1e-9, atol=1e-12)
    assert network.buffers["dropout.steps"].tolist() == [2] * trials


def test_where_a_network_is_measured_nothing_is_dropped() -> None:
    config = ModelConfig(depth=3, width=6, norm=Norm.none, dropout=0.9)
    network = MLP(config, 5, 3, [0, 1], device=CPU, dtype=torch.float64)
    without = MLP(dataclasses.replace(config, dropout=0.0), 5, 3, [0, 1], device=CPU, dtype=torch.float64)
    x, targets = torch.randn(9, 5, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[torch.arange(9) % 3]
    for (_, dropped), (_, kept) in zip(network.features(x), without.features(x), strict=True):
        assert torch.equal(dropped, kept)
    passed = zip(network.backpropagated(x, targets), without.backpropagated(x, targets), strict=True)
    for (_, inputs, signals), (_, plain_inputs, plain_signals) in passed:
        assert torch.equal(inputs, plain_inputs)
        assert torch.equal(signals, plain_signals)
    assert network.buffers["dropout.steps"].tolist() == [0, 0]


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_a_stack_is_its_trials_and_goes_on_bit_for_bit(small: Config, stop: int, tmp_path: Path) -> None:
    small.model.dropout, small.seeds = 0.3, 2
    trials, data = make_trials(small), load(small.data)

    def training(*of: int) -> SGD:
        return SGD([trials[t] for t in of], *data, device=CPU, dtype=torch.float64)

    whole, first, second, alone = training(0, 1), training(0, 1), training(0, 1), training(1)
    for _ in range(stop):
        first.advance()
    second.load({name: tensor.clone() for name, tensor in first.state().items()}, first.step)
    for stack in (whole, second, alone):
        while not stack.finished:
            stack.advance()
    assert torch.equal(whole.network.flat, second.network.flat)
    torch.testing.assert_close(whole.network.flat[1], alone.network.flat[0], rtol=1e-9, atol=1e-12)
