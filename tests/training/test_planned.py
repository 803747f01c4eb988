"""Steps as a list of operations on memory made once: each is the plain step, to the same bits."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from nc_runner.config.choices import Activation, LossName, ModelName, Norm, Precision
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.models import layers
from nc_runner.training.planned import PlannedStep, planned_step
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")
MODELS: dict[str, dict[str, Any]] = {
    "affine": {"norm": Norm.affine},
    "plain": {"norm": Norm.plain},
    "none": {"norm": Norm.none},
    "no bias": {"norm": Norm.affine, "bias": False},
    "leaky": {"norm": Norm.affine, "activation": Activation.leaky_relu},
    "leaky without norm": {"norm": Norm.none, "activation": Activation.leaky_relu, "bias": False},
    "linear": {"norm": Norm.plain, "activation": Activation.linear},
    "linear head": {"norm": Norm.none, "depth": 5, "linear_layers": 2},
    "some norms": {"norm": Norm.affine, "depth": 5, "norm_on": [2]},
    "first width": {"norm": Norm.affine, "depth": 4, "first_width": 5},
    "eps and averaging": {"norm": Norm.affine, "batch_norm_eps": 0.1, "batch_norm_momentum": 0.4},
    "one layer": {"norm": Norm.none, "depth": 1},
    "large products": {"norm": Norm.affine, "width": 100, "depth": 4},
}
TRAININGS: dict[str, dict[str, Any]] = {
    "batches": {"batch_size": 16},
    "full batch": {"batch_size": None},
    "mse": {"batch_size": 16, "loss": LossName.mse},
    "smoothed, clipped": {"batch_size": 16, "label_smoothing": 0.1, "gradient_clip": 0.5},
    "float64": {"batch_size": 16, "precision": Precision.float64},
}


@pytest.fixture(params=layers.PRODUCTS)
def product(request: pytest.FixtureRequest) -> Iterator[str]:
    before = layers.product_in_use()
    layers.multiply_by(request.param)
    yield request.param
    layers.multiply_by(before)


def trained(config: Config, *, plainly: bool) -> SGD:
    """Two epochs of it, whose last batch is a smaller one."""
    training = SGD(make_trials(config), *load(config.data), device=CPU)
    assert isinstance(training._steps, PlannedStep)
    if plainly:
        training._steps = training.update
    while training.epoch < 2:
        training.advance()
    return training


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_it_is_the_plain_step_to_the_same_bits(small: Config, model: str, trials: int, product: str) -> None:
    small = dataclasses.replace(small, seeds=trials, model=dataclasses.replace(small.model, **MODELS[model]))
    assert small.data.samples % 16
    for changes in TRAININGS.values():
        config = dataclasses.replace(small, train=dataclasses.replace(small.train, epochs=2, **changes))
        planned, plain = (trained(config, plainly=plainly) for plainly in (False, True))
        assert planned.state().keys() == plain.state().keys()
        for name, tensor in plain.state().items():
            assert torch.equal(planned.state()[name], tensor), (name, changes)
        assert not torch.equal(plain.network.flat, SGD(plain.trials, *load(config.data), device=CPU).network.flat)


@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.1},
        {"activation": Activation.tanh},
        {"norm": Norm.layer},
        {"name": ModelName.residual_mlp, "norm": Norm.none},
    ],
)
def test_others_take_the_plain_step(small: Config, changes: dict[str, Any]) -> None:
    small = dataclasses.replace(small, model=dataclasses.replace(small.model, **changes))
    training = SGD(make_trials(small), *load(small.data), device=CPU)
    assert planned_step(training) is None
    assert training._steps == training.update
