"""What is measured of networks, of which features, and which networks have none."""

import dataclasses

import pytest
import torch
from experiments.ji2022.unregularized_tables import CONFIG, METRICS
from torch.nn.functional import cross_entropy

from nc_runner import metrics
from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.experiments.ji2022.unregularized_collapse.measure import check, last_features, measure
from nc_runner.models import MLP, ConvolutionalNetwork
from nc_runner.training.sgd import SGD


def network(depth: int, name: ModelName = ModelName.mlp, **train: object) -> SGD:
    config = Config(
        data=DataConfig(name=DataName.digits, samples=40, classes=4),
        model=ModelConfig(name=name, depth=depth, width=9, channels=2, norm=Norm.affine),
        train=TrainConfig(epochs=20, batch_size=8, learning_rate=0.1, **train),  # type: ignore[arg-type]
        seeds=2,
    )
    x, y = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 4
    return SGD(make_trials(config), x, y, device=torch.device("cpu"))


@pytest.mark.parametrize(("name", "depth"), [("mlp", 1), ("mlp", 3), ("vgg13", 1), ("resnet18", 2)])
def test_what_is_measured_is_of_the_inputs_of_the_output_layer(name: str, depth: int) -> None:
    training = network(depth, ModelName[name])
    features, logits = last_features(training.network, training.x)
    assert isinstance(training.network, MLP | ConvolutionalNetwork)
    weight, bias = training.network.output_layer()
    assert bias is not None
    torch.testing.assert_close(features @ weight.mT + bias[:, None], logits)
    of = {name: value for _, name, value in measure(training.network, training.x, training.y, training.config)}
    assert set(METRICS) < set(of)
    within = metrics.within_between_trace_ratio(features, training.y)
    torch.testing.assert_close(of["within_between_trace_ratio"], within)
    expected = torch.stack([cross_entropy(z.double(), training.y) for z in logits])
    torch.testing.assert_close(of["loss"], expected)


@pytest.mark.parametrize(("decay", "moves"), [(0.0, False), (1e-2, True)])
def test_sgd_with_momentum_leaves_the_mean_classifier_where_it_was(decay: float, moves: bool) -> None:
    training = network(3, momentum=0.9, weight_decay=decay)
    assert isinstance(training.network, MLP)
    before = training.network.output_layer()[0].mean(-2).clone()
    while not training.finished:
        training.advance()
    after = training.network.output_layer()[0].mean(-2)
    assert torch.allclose(before, after, atol=1e-5) is not moves


def test_what_has_no_features_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.name=ulpm"):
        check(dataclasses.replace(CONFIG, model=ModelConfig(name=ModelName.ulpm)))
