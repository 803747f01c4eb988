"""The searches for the least cost, and the gradients of class means."""

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor
from torch.nn.functional import relu

from nc_runner.config.check import check as check_config
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.data import load
from nc_runner.errors import UserError
from nc_runner.experiments.zangrando2026.representation_cost import FITS, Found, Network, least_cost
from nc_runner.experiments.zangrando2026.zero_tcv import measure as module
from nc_runner.experiments.zangrando2026.zero_tcv.measure import (
    check,
    costs,
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


def test_a_search_counts_where_it_fits_and_variation_is_that_of_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts 0 to 3: costs 5, 3, 4, 1, of which the last does not fit. Of the second the variation is 4/1 and 1/10."""
    y, eye = torch.tensor([0, 0, 1, 1]), torch.eye(2, dtype=torch.float64)
    ends = iter([(5.0, 0.0), (3.0, FITS), (4.0, 0.0), (1.0, 1.1 * FITS)])

    def search(network: Network, targets: Tensor, start: Tensor) -> Found:
        if len(targets) == 2:
            return Found(7.0, 0.0, [])
        cost, residual = next(ends)
        of_least = torch.tensor([[3.0, 0], [1.0, 0], [0, 3.0], [0, 3.0]]) if cost == 3.0 else torch.ones(4, 2)
        return Found(cost, residual, [of_least.double(), torch.tensor([[1.0], [2.0], [2.0], [2.0]]).double()])

    monkeypatch.setattr(module, "least_cost", search)
    x = torch.randn(4, 6, generator=generator(0, "test"), dtype=torch.float64)
    found = {name: value.item() for _, name, value in costs(described(config_of()), x, y, eye[y], 4)}
    collapsed = {f"collapsed_{start:03d}": 7.0 for start in range(4)} | {"least_collapsed": 7.0}
    assert found.pop("free_variation") == pytest.approx(max((2 / 4) / (28 / 4), (0.5 / 4) / (13 / 4)))
    assert found == {"free_000": 5.0, "free_001": 3.0, "free_002": 4.0, "least_free": 3.0} | collapsed


@pytest.mark.parametrize(("residual", "hidden"), [(True, 0.2), (False, 2.0)])
def test_random_weights_keep_the_size_of_features(residual: bool, hidden: float) -> None:
    *between, head = random_weights(Network(residual, relu, 300, 40, 4, 1.0), generator(0, "test"))
    for weight in between:
        assert weight.square().mean().item() == pytest.approx(hidden / 300, rel=0.05)
    assert head.square().mean().item() == pytest.approx(1 / 300, rel=0.05)


def test_every_start_and_every_random_network_is_another() -> None:
    config = config_of(model__activation="linear")
    x, y = load(config.data)
    of, targets = described(config), torch.eye(2, dtype=torch.float64)[y]
    found = {(layer, name): value.item() for layer, name, value in gradients(of, x.double(), y, targets)}
    assert len({found[2, f"error_{number}_00"] for number in range(5)}) == 5
    ends = {name: value.item() for _, name, value in costs(of, x.double(), y, targets, 2)}
    assert ends["free_000"] != ends["free_001"]


def test_a_layer_s_variation_falls_with_the_square_of_the_deviations_down_to_a_millionth() -> None:
    config = config_of(model__activation="linear")
    x, y = load(config.data)
    targets = torch.eye(2, dtype=torch.float64)[y]
    found = {(layer, name): value.item() for layer, name, value in gradients(described(config), x.double(), y, targets)}
    assert {layer for layer, _ in found} == {2, 3, 4}
    for layer in (2, 3, 4):
        falls = found[layer, "variation_0_12"] / found[layer, "variation_0_00"]
        assert falls == pytest.approx(1e-6)
        assert found[layer, "error_0_12"] / found[layer, "error_0_00"] == pytest.approx(1e-6, rel=0.1)


@pytest.mark.parametrize("name", ["mlp", "residual_mlp"])
def test_the_first_layer_of_a_residual_network_has_no_activation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def spy(network: Network, weights: list[Tensor], z: Tensor, targets: Tensor) -> Tensor:
        if len(weights) == 3:  # W_2 to W_4
            seen.append(z)
        return gradient(network, weights, z, targets)

    monkeypatch.setattr(module, "gradient", spy)
    config = config_of(model__name=name, model__activation="relu")
    x, y = load(config.data)
    list(gradients(described(config), x.double(), y, torch.eye(2, dtype=torch.float64)[y]))
    assert all((z >= 0).all() for z in seen) == (name == "mlp")


def test_rank_counts_what_is_a_thousandth_of_the_largest() -> None:
    x = torch.diag(torch.tensor([1.0, 1e-3, 1e-9, 0.0]))
    config = config_of(data__dim=4, train__epochs=0)
    of = {name: value for _, name, value in measure(None, x, torch.tensor([0, 0, 1, 1]), config)}
    assert of["input_rank"] == 2


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
    check(config_of(model__width=2))
    with pytest.raises(UserError, match=message):
        check(config_of(**changes))
