"""Stationarity on kinks: minimisers known by hand, linear networks, points that are not stationary, stacks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nc_runner.config.choices import Activation, LossName, ModelName, Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.experiments.measures.stationarity import STEPS, Stationarity, stationarity
from nc_runner.models import MLP, ResidualMLP

DECAY, TARGET = 0.05, 0.4


def network(
    name: ModelName = ModelName.mlp,
    *,
    depth: int = 4,
    width: int = 6,
    activation: Activation = Activation.relu,
    inputs: int = 5,
    outputs: int = 3,
    trials: int = 2,
    bias: bool = False,
    decay: float = DECAY,
) -> MLP:
    config = ModelConfig(name=name, depth=depth, width=width, norm=Norm.none, bias=bias, activation=activation)
    kind = ResidualMLP if name is ModelName.residual_mlp else MLP
    made = kind(
        config,
        inputs,
        outputs,
        range(trials),
        device=torch.device("cpu"),
        dtype=torch.float64,
        loss=LossName.mse,
    )
    made.weight_decay = {key: torch.full((trials,), decay, dtype=torch.float64) for key in made.params}
    return made


def data(samples: int = 12) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(samples) % 3
    return torch.randn(samples, 5, generator=draw, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[y]


def neuron(a: float, b: float, v: float) -> MLP:
    """v relu(a x_1 + b x_2)."""
    made = network(depth=2, width=1, inputs=2, outputs=1, trials=1)
    made.params["1.weight"].copy_(torch.tensor([[[a, b]]], dtype=torch.float64))
    made.params["2.weight"].copy_(torch.tensor([[[v]]], dtype=torch.float64))
    return made


# Two samples, (1, 0) with target 1 and (1, 1) with target -TARGET: the second wants an output below 0, which is not to
# be had, so it holds a + b at 0 against the penalty, which wants b at 0. With a + b = 0 the gradients in v and in a
# vanish at v = sqrt(2) a, a^2 = (1 - 2 sqrt(2) lambda) / sqrt(2), that in b with slope sqrt(2) lambda / TARGET.
SIDE = math.sqrt((1 - 2 * math.sqrt(2) * DECAY) / math.sqrt(2))
X = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
Y = torch.tensor([[1.0], [-TARGET]], dtype=torch.float64)


def at(a: float, b: float, v: float, **options: float) -> Stationarity:
    return stationarity(neuron(a, b, v), X, Y, **options)  # type: ignore[arg-type]


def test_a_minimiser_on_a_kink_is_stationary_though_its_plain_gradient_is_not_0() -> None:
    found = at(SIDE, -SIDE, math.sqrt(2) * SIDE)
    assert found.plain.item() == pytest.approx(1 / math.sqrt(2), rel=1e-12)  # (a, a) over (a, a, sqrt(2) a)
    assert found.least.item() < 1e-12
    assert found.kinks.item() == 1


def test_it_is_a_minimiser_there() -> None:
    def objective(a: float, b: float, v: float) -> float:
        first, second = v * max(a, 0) - 1, v * max(a + b, 0) + TARGET
        return (first**2 + second**2) / 4 + DECAY / 2 * (a**2 + b**2 + v**2)

    draw = torch.Generator().manual_seed(1)
    best = objective(SIDE, -SIDE, math.sqrt(2) * SIDE)
    for da, db, dv in (1e-3 * torch.randn(1000, 3, generator=draw)).tolist():
        assert objective(SIDE + da, -SIDE + db, math.sqrt(2) * SIDE + dv) > best


@pytest.mark.parametrize("off", [1e-6, -1e-6])
def test_a_little_beside_the_kink_it_counts_as_on_it_and_further_away_it_does_not(off: float) -> None:
    near = at(SIDE, -SIDE + off, math.sqrt(2) * SIDE)
    assert near.least.item() < 1e-4 < 0.3 < near.plain.item()
    far = at(SIDE, -SIDE + off, math.sqrt(2) * SIDE, within=1e-7)
    assert far.least.item() == far.plain.item() > 0.3
    assert far.kinks.item() == 0


def test_a_point_on_the_kink_that_is_not_stationary_stays_large() -> None:
    """No slope at the kink does away with the gradient in v, which the other sample has."""
    found = at(SIDE, -SIDE, 1.5 * SIDE)
    slope = torch.linspace(0, 1, 10001).double()
    a, v = SIDE, 1.5 * SIDE
    of_a = (v * a - 1) * v / 2 + slope * v * TARGET / 2 + DECAY * a
    of_b, of_v = slope * v * TARGET / 2 - DECAY * a, (v * a - 1) * a / 2 + DECAY * v
    best = (of_a**2 + of_b**2 + of_v**2).min().sqrt().item() / (DECAY * math.sqrt(2 * a**2 + v**2))
    assert found.least.item() == pytest.approx(best, rel=1e-6)
    assert found.least.item() > 0.1


def test_slopes_stay_between_0_and_1() -> None:
    """With a smaller target the slope would have to be sqrt(2) lambda / target = 3.5; with 1, 0.28 of it is undone."""
    made = neuron(SIDE, -SIDE, math.sqrt(2) * SIDE)
    found = stationarity(made, X, torch.tensor([[1.0], [-0.02]], dtype=torch.float64))
    left = 1 - 0.02 / (math.sqrt(2) * DECAY)
    assert found.least.item() == pytest.approx(left / math.sqrt(2), rel=1e-9)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
@pytest.mark.parametrize("activation", [Activation.linear, Activation.relu, Activation.leaky_relu])
def test_the_plain_gradient_is_autograd_s(name: ModelName, activation: Activation, bias: bool) -> None:
    made, (x, targets) = network(name, activation=activation, bias=bias), data()
    act = {
        Activation.linear: lambda z: z,
        Activation.relu: torch.relu,
        Activation.leaky_relu: lambda z: torch.nn.functional.leaky_relu(z, 0.01),
    }[activation]
    parameters = {key: tensor.clone().requires_grad_() for key, tensor in made.params.items()}

    def layer(i: int, h: Tensor) -> Tensor:
        out = h @ parameters[f"{i}.weight"].mT
        return out + parameters[f"{i}.bias"][:, None] if bias else out

    h = layer(1, x)
    h = h if name is ModelName.residual_mlp else act(h)
    for i in (2, 3):
        h = h + act(layer(i, h)) if name is ModelName.residual_mlp else act(layer(i, h))
    loss = (layer(4, h) - targets).square().sum() / 2 / len(x)
    (loss + sum(DECAY / 2 * tensor.square().sum() for tensor in parameters.values())).backward()
    squared, penalty = (
        sum(of(tensor).flatten(1).square().sum(1) for tensor in parameters.values())
        for of in (lambda tensor: tensor.grad, lambda tensor: DECAY * tensor.detach())
    )
    found = stationarity(made, x, targets)
    torch.testing.assert_close(found.plain, (squared / penalty).sqrt(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
def test_of_a_linear_network_it_is_the_plain_gradient(name: ModelName) -> None:
    found = stationarity(network(name, activation=Activation.linear), *data(), within=math.inf, far=math.inf)
    assert torch.equal(found.least, found.plain)
    assert found.kinks.tolist() == [0, 0]


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
@pytest.mark.parametrize("within", [1e-3, 0.1, 1.0])
def test_it_is_never_above_the_plain_gradient_and_falls_with_more_freedom(name: ModelName, within: float) -> None:
    found = stationarity(network(name, trials=4), *data(), within=within, far=math.inf)
    assert (found.least <= found.plain).all()
    less = stationarity(network(name, trials=4), *data(), within=within / 10, far=math.inf)
    assert (found.least <= less.least * (1 + 1e-3)).all()


@pytest.mark.parametrize("steps", range(1, 8))
def test_a_search_that_ends_early_gives_the_least_on_its_way(steps: int) -> None:
    """Step sizes are not chosen to go down at every step."""
    made, (x, targets) = network(trials=8), data()
    found, longer = (
        stationarity(made, x, targets, within=1.0, far=math.inf, steps=n).least for n in (steps, steps + 1)
    )
    assert (longer <= found).all()
    assert (found <= stationarity(made, x, targets, within=1.0, far=math.inf).plain).all()


def test_with_slopes_free_in_several_layers_no_single_slope_improves_what_is_found() -> None:
    """It is a local minimum: more steps of the search find no less."""
    made, (x, targets) = network(trials=3), data()
    found = stationarity(made, x, targets, within=0.5, far=math.inf).least
    longer = stationarity(made, x, targets, within=0.5, far=math.inf, steps=10 * STEPS).least
    assert (found < stationarity(made, x, targets, within=0.5, far=math.inf).plain).all()
    torch.testing.assert_close(found, longer, rtol=1e-2, atol=0)


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
def test_a_trial_in_a_stack_is_as_it_is_alone(name: ModelName) -> None:
    stack, (x, targets) = network(name, trials=3), data()
    for value in stack.params.values():
        value[0] *= 0.01  # a neighbour far from the others
    together = stationarity(stack, x, targets, within=0.3, far=math.inf)
    for t in range(3):
        alone = network(name, trials=1)
        for key, value in stack.params.items():
            alone.params[key].copy_(value[t : t + 1])
        for found, of_stack in zip(
            vars(stationarity(alone, x, targets, within=0.3, far=math.inf)).values(),
            vars(together).values(),
            strict=True,
        ):
            torch.testing.assert_close(found[0], of_stack[t], rtol=1e-6, atol=0)


def test_units_that_are_off_for_every_sample_are_no_kinks() -> None:
    made, (x, targets) = network(trials=1), data()
    assert stationarity(made, x, targets, far=math.inf).kinks.item() == 0
    made.params["2.weight"][0, 3] = 0
    off = stationarity(made, x, targets, far=math.inf)
    assert off.kinks.item() == 0
    made.params["2.weight"][0, 3] = made.params["2.weight"][0, 2]
    z = (x @ made.params["1.weight"][0].T).relu()
    made.params["2.weight"][0, 3] -= z[0] * (made.params["2.weight"][0, 3] @ z[0]) / (z[0] @ z[0])  # 0 on one sample
    assert stationarity(made, x, targets, far=math.inf).kinks.item() == 1


def test_a_network_in_training_is_not_searched() -> None:
    made, (x, targets) = network(decay=1e-4), data()
    assert (stationarity(made, x, targets, within=0.5).plain > 10).all()
    assert torch.equal(*(vars(stationarity(made, x, targets, within=0.5))[of] for of in ("plain", "least")))


def test_a_diverged_trial_is_undefined_and_leaves_the_others_alone() -> None:
    made, (x, targets) = network(), data()
    expected = stationarity(made, x, targets, within=0.3, far=math.inf)
    made.params["2.weight"][1, 0, 0] = math.inf
    found = stationarity(made, x, targets, within=0.3, far=math.inf)
    assert torch.equal(found.least[0], expected.least[0])
    for value in vars(found).values():
        assert value[1].isnan()
    made.weight_decay = {key: torch.zeros(2).double() for key in made.params}
    assert not stationarity(made, x, targets).least.isfinite().any()
