"""The searches for the least cost, and the gradients of class means."""

import pytest
import torch
from scipy.optimize import brentq
from torch.nn.functional import relu

from nc_runner.config.check import check as check_config
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.data import load
from nc_runner.errors import UserError
from nc_runner.experiments.zangrando2026.representation_cost import Network, least_cost
from nc_runner.experiments.zangrando2026.zero_tcv.measure import (
    check,
    described,
    gradient,
    gradients,
    identity,
    measure,
    predicted,
    random_weights,
)
from nc_runner.models import MLP, ResidualMLP
from nc_runner.rng import generator

SETTING = {
    "data.name": "gaussian_mixture", "data.classes": 2, "data.samples": 4, "data.dim": 6, "data.sigma": 0.3,
    "model.depth": 4, "model.width": 4, "model.norm": "none", "model.bias": False, "model.feature_norm": 0.5,
    "train.method": "none", "train.epochs": 2,
}  # fmt: skip


def config_of(**changes: object) -> Config:
    return replace(Config(), SETTING | {key.replace("__", "."): value for key, value in changes.items()})


def test_the_predicted_cost_is_that_of_equal_singular_values() -> None:
    """Residual K (s^2 + B w^2), w(1+w) = s^2 and c s (1+w)^B = 1; feedforward m K c^(-2/m)."""
    of = predicted(config_of(model__name="residual_mlp", model__depth=6, data__classes=4, data__samples=4))
    w = brentq(lambda w: 0.5 * (w * (1 + w)) ** 0.5 * (1 + w) ** 4 - 1, 0, 1)
    assert of == pytest.approx(4 * (w * (1 + w) + 4 * w**2))
    assert predicted(config_of()) == pytest.approx(3 * 2 * 0.5 ** (-2 / 3))


@pytest.mark.parametrize("name", ["mlp", "residual_mlp"])
def test_searches_of_linear_networks_find_the_predicted_cost(name: str) -> None:
    config = config_of(model__name=name, model__activation="linear")
    x, y = load(config.data)
    of = {metric: value.item() for layer, metric, value in measure(None, x, y, config) if layer is None}
    assert of["predicted"] == pytest.approx(of["least_free"], rel=1e-4)
    assert of["predicted"] == pytest.approx(of["least_collapsed"], rel=1e-4)
    assert of["least_free"] == min(value for metric, value in of.items() if metric.startswith("free_0"))
    assert of["input_rank"] == 4
    assert of["free_variation"] <= 1e-2


@pytest.mark.parametrize(("residual", "kind", "activation"), [(False, MLP, "relu"), (True, ResidualMLP, "linear")])
def test_the_network_is_the_programs_own(residual: bool, kind: type[MLP], activation: str) -> None:
    config = config_of(model__name="residual_mlp" if residual else "mlp", model__activation=activation)
    x, _ = load(config.data)
    network = kind(config.model, 6, 2, [0], device=torch.device("cpu"), dtype=torch.float64)
    first, *weights = (weight[0] for weight in network.params.values())
    of = described(config)
    assert [tuple(weight.shape) for weight in weights] == of.shapes
    z = x.double() @ first.mT
    found = of.features(weights, z if residual else relu(z))
    for ours, (_, theirs) in zip(found, network.features(x.double()), strict=True):
        torch.testing.assert_close(ours, theirs[0])


def test_features_are_cut_to_the_bound_and_no_more() -> None:
    of = Network(True, identity, 2, 2, 3, 0.5)
    v = torch.tensor([[3.0, 4.0], [0.3, 0.0], [0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(of.first(v), torch.tensor([[0.3, 0.4], [0.3, 0.0], [0.0, 0.0]], dtype=torch.float64))


def test_what_cannot_fit_is_not_said_to() -> None:
    """Two samples without features, which have other targets."""
    of = Network(False, relu, 3, 2, 3, 1.0)
    weights = random_weights(of, generator(0, "test"))
    v = torch.zeros(2, 3, dtype=torch.float64)
    found = least_cost(of, torch.eye(2, dtype=torch.float64), torch.cat([w.flatten() for w in (*weights, v)]))
    assert found.residual > 0.1


def test_the_gradient_of_class_means_is_the_whole_one_but_for_the_covariance() -> None:
    """Of a linear head the loss is quadratic: the difference is the mean of (W d)(d)^T, d the deviation of z."""
    config = config_of(model__activation="linear")
    x, y = load(config.data)
    of, eye = described(config), torch.eye(2, dtype=torch.float64)
    weights = random_weights(of, generator(0, "test"))
    z = torch.randn(4, 4, generator=generator(1, "test"), dtype=torch.float64)
    means = torch.stack([z[y == k].mean(0) for k in range(2)])
    deviation = z - means[y]
    whole = gradient(of, weights[-1:], z, eye[y])
    torch.testing.assert_close(
        whole - gradient(of, weights[-1:], means, eye), weights[-1] @ deviation.T @ deviation / 4
    )
    errors = [value for _, name, value in gradients(of, x.double(), y, eye[y]) if name == "error_0_12"]
    assert len(errors) == 3
    assert max(errors) < 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__activation": "tanh"}, r"^model\.activation=tanh: allowed are relu and linear\.$"),
        ({"model__depth": 2}, r"^model\.depth=2: .*at least 3\.$"),
        ({"model__bias": True}, r"^model\.bias=true: .*allowed is false\.$"),
        ({"model__width": 1}, r"^model\.width=1: .*data\.classes=2\.$"),
        ({"train__method": "sgd"}, r"^train\.method=sgd: .*allowed is none\.$"),
    ],
)
def test_networks_without_such_a_cost_are_refused(changes: dict[str, object], message: str) -> None:
    check_config(config_of())
    check(config_of())
    with pytest.raises(UserError, match=message):
        check(config_of(**changes))
