"""Starts of zero loss and of zero cluster variation."""

import pytest
import torch
from torch.nn.functional import one_hot

from nc_runner import metrics
from nc_runner.config.check import check
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.errors import UserError
from nc_runner.training.sgd import SGD

SETTING = {
    "data.name": "gaussian_mixture", "data.classes": 3, "data.samples": 9, "data.dim": 12, "data.sigma": 0.3,
    "model.depth": 3, "model.width": 64, "model.norm": "none", "model.bias": False, "train.loss": "mse",
    "train.precision": "float64", "train.batch_size": None, "train.lr_milestones": [], "seeds": 3,
}  # fmt: skip


def begun(**changes: object) -> SGD:
    config = replace(Config(), SETTING | {f"model.{key}": value for key, value in changes.items()})
    return SGD(make_trials(config), *load(config.data), device=torch.device("cpu"))


@pytest.mark.parametrize("start", ["interpolating", "collapsed"])
def test_both_fit_exactly(start: str) -> None:
    training = begun(start=start)
    outputs = dict(training.network.features(training.x))[3]
    torch.testing.assert_close(outputs, one_hot(training.y, 3).double().expand(3, -1, -1))


def test_an_interpolating_start_keeps_its_random_hidden_layers() -> None:
    training, plain = begun(start="interpolating"), begun()
    for name in ("1.weight", "2.weight"):
        torch.testing.assert_close(training.network.params[name], plain.network.params[name], rtol=0, atol=0)
    features = dict(plain.network.features(plain.x))[2]
    least = torch.linalg.lstsq(features[0], one_hot(plain.y, 3).double(), driver="gelsd").solution.T
    torch.testing.assert_close(training.network.params["3.weight"][0], least)


def test_a_collapsed_start_has_no_variation_rank_k_and_equal_norms() -> None:
    training = begun(start="collapsed")
    for _, features in training.network.features(training.x):
        variation = metrics.total_cluster_variation(features, training.y, reduction="mean")
        assert (variation <= 1e-24 * features.square().sum(-1).mean(-1)).all()
    norms = []
    for weight in training.network.params.values():
        assert (metrics.numerical_rank(weight, relative_tolerance=1e-9) == 3).all()
        norms.append(torch.linalg.matrix_norm(weight))
    torch.testing.assert_close(torch.stack(norms), norms[0].expand(3, -1))


def test_noise_is_relative_to_each_weight_and_each_seeds_own() -> None:
    before, after = begun(start="collapsed").network, begun(start="collapsed", start_noise=0.2).network
    for name, weight in before.params.items():
        moved = after.params[name] - weight
        shares = torch.linalg.matrix_norm(moved) / torch.linalg.matrix_norm(weight)
        assert ((shares > 0.1) & (shares < 0.3)).all()
        assert not torch.equal(moved[0], moved[1])
    alone = begun(start="collapsed", start_noise=0.2).network
    assert torch.equal(alone.flat, after.flat)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.width": 8}, r"^model\.width=8: model\.start=interpolating .*at least data\.samples=9\.$"),
        ({"data.dim": 8}, r"^data\.dim=8: model\.start=interpolating .*at least data\.samples=9\.$"),
        ({"model.bias": True}, r"^model\.start=interpolating: .*model\.bias=false"),
        ({"model.norm": "affine"}, r"^model\.start=interpolating: .*model\.norm=none"),
        ({"model.name": "residual_mlp"}, r"^model\.start=interpolating: .*model\.name=mlp"),
    ],
)
def test_networks_without_such_a_start_are_refused(changes: dict[str, object], message: str) -> None:
    good = SETTING | {"model.start": "interpolating"}
    check(replace(Config(), good))
    with pytest.raises(UserError, match=message):
        check(replace(Config(), good | changes))
