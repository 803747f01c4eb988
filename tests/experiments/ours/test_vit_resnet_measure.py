"""What is measured of either network and of a person's own, by the same words of the command line."""

from typing import Any

import pytest
import torch

from nc_runner import metrics
from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.keys import overridden_keys
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.experiments.ours.vit_resnet.measure import check, measure
from nc_runner.training.sgd import SGD

MODELS = {
    "ViT": ModelConfig(
        name=ModelName.own, depth=1, norm=Norm.none, _target_="nc_runner.models.vit.VisionTransformer",
        args={"classes": 4, "patch": 2, "width": 8, "blocks": 1, "heads": 2},
    ),
    "ResNet20": ModelConfig(name=ModelName.resnet20, depth=1, channels=2),
    "MLP": ModelConfig(depth=3, width=9),
}  # fmt: skip


def training(model: ModelConfig, seeds: Any = 1) -> SGD:
    config = Config(
        data=DataConfig(name=DataName.digits, samples=40, classes=4),
        model=model,
        train=TrainConfig(epochs=3, batch_size=8, learning_rate=0.05),
        seeds=seeds,
    )
    x = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return SGD(make_trials(config), x, torch.arange(40) % 4, device=torch.device("cpu"))


@pytest.mark.parametrize("name", MODELS)
def test_measures_are_of_what_enters_the_output_layer(name: str) -> None:
    sgd = training(MODELS[name], seeds=1 if name == "ViT" else 2)
    while not sgd.finished:
        sgd.advance()
    of = {name: value for layer, name, value in measure(sgd.network, sgd.x, sgd.y, sgd.config) if layer is None}
    outputs = dict(sgd.network.features(sgd.x))
    logits, features = outputs[sgd.network.depth], outputs[sgd.network.depth - 1]
    weight, bias = sgd.network.output_layer()
    assert bias is not None
    torch.testing.assert_close(features @ weight.mT + bias[:, None], logits)
    ratio = metrics.within_between_trace_ratio(features, sgd.y)
    torch.testing.assert_close(of["nc1_within_between_trace_ratio"], ratio)
    cosines = metrics.self_duality_cosine(features, sgd.y, weight, centred=True)
    torch.testing.assert_close(of["nc3_min_self_duality_cosine"], cosines.amin(-1))
    agreement = metrics.ncc_agreement(features, sgd.y, weight, bias=bias)
    torch.testing.assert_close(of["nc4_ncc_agreement"], agreement)
    squares = [[sum(z * z for z in row) for row in trial] for trial in features.double().tolist()]
    roots = torch.tensor([(sum(each) / 40) ** 0.5 for each in squares], dtype=torch.float64)
    torch.testing.assert_close(of["feature_norm"], roots)
    torch.testing.assert_close(of["weight_norm"], weight.double().flatten(1).norm(dim=1))
    torch.testing.assert_close(of["accuracy"], (logits.argmax(-1) == sgd.y).double().mean(-1))
    assert of["parameters"].tolist() == [sgd.network.flat.shape[1]] * sgd.network.trials


def test_the_grid_trains_both_by_their_names_and_the_command_line_another() -> None:
    words = ["experiment=vit_resnet", "seeds=[4]"]
    trials = make_trials(compose(words), overridden_keys(words))
    assert [(t.config.model.name.name, t.config.model._target_, t.config.train.weight_decay) for t in trials] == [
        ("resnet20", None, 0.0),
        ("resnet20", None, 5e-4),
        ("own", "nc_runner.models.vit.VisionTransformer", 0.0),
        ("own", "nc_runner.models.vit.VisionTransformer", 5e-4),
    ]
    words += ["model=own", "model._target_=own_networks.Mixed", "train.weight_decay=1e-3"]
    (trial,) = make_trials(compose(words), overridden_keys(words))
    assert (trial.config.model._target_, trial.config.train.weight_decay) == ("own_networks.Mixed", 1e-3)


def test_what_has_no_features_is_refused() -> None:
    config = training(MODELS["MLP"]).config
    for model, said in (
        (ModelConfig(name=ModelName.ulpm), r"^model\.name=ulpm: has no features of its own"),
        (ModelConfig(depth=1), r"^model\.depth=1: .*allowed is at least 2\.$"),
    ):
        with pytest.raises(UserError, match=said):
            check(Config(data=config.data, model=model, train=config.train))
    for model in MODELS.values():
        check(Config(data=config.data, model=model, train=config.train))
