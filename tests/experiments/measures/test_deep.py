"""What is measured of regularised networks, against autograd and double loops; and the warning of a run too short."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from nc_runner.config.choices import DataName, LossName, ModelName, Norm, Precision
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.experiments.measures import deep
from nc_runner.training.sgd import SGD

DECAYS = [[1e-2, 2e-2], [3e-2, 0.0]]  # of all layers and of the first


@pytest.fixture(params=[ModelName.mlp, ModelName.residual_mlp])
def training(request: pytest.FixtureRequest) -> SGD:
    config = Config(
        experiment="rank_tcv",
        data=DataConfig(name=DataName.gaussian_mixture, samples=12, classes=3, dim=5),
        model=ModelConfig(name=request.param, depth=4, width=6, norm=Norm.none, bias=False),
        train=TrainConfig(batch_size=None, loss=LossName.mse, precision=Precision.float64, learning_rate=0.1),
        grid={"train.weight_decay,train.weight_decay_first": DECAYS},
    )
    made = SGD(make_trials(config), *load(config.data), device=torch.device("cpu"))
    for _ in range(5):
        made.advance()
    return made


def objectives(training: SGD) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Objective [T] and its gradient at each weight, by autograd."""
    network, y = training.network, training.y
    weights = {name: tensor.clone().requires_grad_() for name, tensor in network.params.items()}
    h = training.x.expand(network.trials, -1, -1) @ weights["1.weight"].mT
    residual = training.config.model.name is ModelName.residual_mlp
    h = h if residual else h.relu()
    for layer in (2, 3):
        out = (h @ weights[f"{layer}.weight"].mT).relu()
        h = h + out if residual else out
    loss = (h @ weights["4.weight"].mT - one_hot(y, 3)).square().sum(-1).mean(-1) / 2
    penalty = torch.zeros(2, dtype=torch.float64)
    for name, weight in weights.items():
        decays = torch.tensor([first if name.startswith("1.") else rest for rest, first in DECAYS], dtype=torch.float64)
        penalty = penalty + decays / 2 * weight.square().sum((-2, -1))
    (loss + penalty).sum().backward()
    return (loss + penalty).detach(), {name: weight.grad for name, weight in weights.items() if weight.grad is not None}


def test_objective_and_gradient_are_autograd_s(training: SGD) -> None:
    expected, gradients = objectives(training)
    network, config = training.network, training.config
    logits = dict(network.features(training.x))[4]
    fit = {name: value for _, name, value in deep.fit(network, logits, training.y, config)}
    torch.testing.assert_close(fit["objective"], expected)
    found = {(layer, name): v for layer, name, v in deep.layers(network, training.x, training.y, config)}
    squared = sum(gradient.square().sum((-2, -1)) for gradient in gradients.values())
    penalties = torch.zeros(2, dtype=torch.float64)
    for name, weight in network.params.items():
        decays = torch.tensor([first if name.startswith("1.") else rest for rest, first in DECAYS])
        penalties += (decays[:, None, None] * weight).square().sum((-2, -1))
    torch.testing.assert_close(found[None, "relative_gradient"], (squared / penalties).sqrt(), rtol=1e-6, atol=0)


def test_the_bound_holds_and_is_infinite_without_weight_decay(training: SGD) -> None:
    rows = list(deep.layers(training.network, training.x, training.y, training.config))
    found = {(layer, name): value for layer, name, value in rows}
    for layer in range(1, 5):
        assert (found[layer, "rank_distance"] <= found[layer, "rank_distance_bound"] + 1e-12).all()
        values = torch.linalg.svdvals(training.network.params[f"{layer}.weight"])
        torch.testing.assert_close(found[layer, "rank_distance"], values[:, 3:].norm(dim=-1), rtol=1e-6, atol=1e-9)
    assert found[1, "rank_distance_bound"].isinf().tolist() == [False, True]
    assert found[2, "rank_distance_bound"].isfinite().all()


def test_cluster_variation_is_that_of_a_double_loop(training: SGD) -> None:
    outputs = dict(training.network.features(training.x))
    found = {(layer, name): v for layer, name, v in deep.cluster_variations(training.network, training.x, training.y)}
    inputs = {
        (layer, name): v for layer, name, v in deep.layers(training.network, training.x, training.y, training.config)
    }
    for layer in range(1, 5):
        z, y = outputs[layer][1].numpy(), training.y.numpy()
        direct = sum(((z[i] - z[y == y[i]].mean(0)) ** 2).sum() for i in range(12)) / 12
        relative = direct / ((z**2).sum() / 12)
        assert found[layer, "cluster_variation"][1].item() == pytest.approx(direct)
        assert found[layer, "relative_cluster_variation"][1].item() == pytest.approx(relative)
        if layer < 4:  # what a layer puts out is what the next one takes in
            assert inputs[layer + 1, "input_cluster_variation"][1].item() == pytest.approx(direct)
            assert inputs[layer + 1, "relative_input_cluster_variation"][1].item() == pytest.approx(relative)


def test_singular_values_are_numbered_from_the_largest(training: SGD) -> None:
    found = {(layer, name): value for layer, name, value in deep.singular_values(training.network)}
    expected = np.linalg.svd(training.network.params["2.weight"][0].numpy())[1]
    np.testing.assert_allclose([found[2, f"singular_value_{j}"][0] for j in range(1, 7)], expected)


def test_a_diverged_trial_has_no_singular_values_and_leaves_the_others_alone(training: SGD) -> None:
    weight = training.network.params["2.weight"]
    expected = torch.linalg.svdvals(weight)
    weight[1, 0, 0] = torch.inf
    found = deep.spectrum(weight)
    assert torch.equal(found[0], expected[0])
    assert found[1].isnan().all()
