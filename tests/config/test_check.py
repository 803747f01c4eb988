"""A value out of its bounds, and keys that do not go together, are refused in one sentence."""

from typing import Any

import pytest

from nc_runner.config.check import check
from nc_runner.config.choices import Norm
from nc_runner.config.keys import flatten, replace, schema
from nc_runner.config.schema import Config
from nc_runner.errors import UserError


def test_every_key_has_a_meaning_and_defaults_pass() -> None:
    check(Config())
    assert all(item.metadata["meaning"] for item in schema().values())
    assert set(schema()) == set(flatten(Config()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.weight_decay", -1.0),
        ("train.weight_decay", float("nan")),
        ("train.batch_size", 0),
        ("train.epochs", 0),
        ("train.momentum", 1.0),
        ("train.learning_rate", 0.0),
        ("train.lr_milestones", [0.5, 0.25]),
        ("train.lr_milestones", [1.5]),
        ("model.depth", 0),
        ("model.batch_norm_momentum", 0.0),
        ("data.classes", 1),
        ("data.samples", 3),
        ("data.input_seed", 2**32),
        ("data.sigma", -0.1),
        ("seeds", []),
        ("seeds", 0),
        ("seeds", [1, 1]),
        ("seeds", [-1]),
        ("seeds", "three"),
        ("seeds", True),
        ("jobs", 0),
        ("jobs", "many"),
        ("grid", {"train.nothing": [1]}),
        ("grid", {"save.features": [True]}),
        ("grid", {"train.weight_decay": []}),
        ("grid", {"train.weight_decay,train.nothing": [[1, 1]]}),
        ("grid", {"train.weight_decay,train.epochs": [[1e-3, 2], [1e-2]]}),
        ("grid", {"train.weight_decay,train.epochs": [1e-3, 1e-2]}),
        ("grid", {"train.weight_decay": [1e-3], "train.weight_decay,train.epochs": [[1e-2, 3]]}),
        ("model.feature_norm", 0.0),
        ("model.weight_norm", -1.0),
    ],
)
def test_a_bad_value_is_refused_by_its_name(key: str, value: Any) -> None:
    with pytest.raises(UserError) as refusal:
        check(replace(Config(), {key: value}))
    sentence = str(refusal.value)
    assert key in sentence
    assert "allowed" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_keys_that_do_not_go_together_are_refused() -> None:
    balanced = {"data.name": "balanced", "data.classes": 4}
    check(replace(Config(), balanced | {"data.samples": 12}))
    with pytest.raises(UserError, match=r"data\.samples=13: .*allowed is a multiple of data\.classes=4\."):
        check(replace(Config(), balanced | {"data.samples": 13}))
    mixture = {"data.name": "gaussian_mixture", "data.classes": 4, "data.samples": 12, "data.dim": 4}
    check(replace(Config(), mixture))
    with pytest.raises(UserError, match=r"data\.samples=13: data\.name=gaussian_mixture .*data\.classes=4\."):
        check(replace(Config(), mixture | {"data.samples": 13}))
    with pytest.raises(UserError, match=r"data\.dim=3: .*allowed is at least data\.classes=4, or data\.means=random\."):
        check(replace(Config(), mixture | {"data.dim": 3}))
    check(replace(Config(), mixture | {"data.dim": 3, "data.means": "random"}))
    check(replace(Config(), balanced | {"data.samples": 12, "data.dim": 3}))
    free = {"model.name": "free_features", "data.samples": 100}
    for batch_size in (None, 100, 128):
        check(replace(Config(), free | {"train.batch_size": batch_size}))
    with pytest.raises(UserError, match=r"train\.batch_size=99: .*allowed is null, or at least as many\."):
        check(replace(Config(), free | {"train.batch_size": 99}))


@pytest.mark.parametrize("name", ["free_features", "ulpm"])
def test_free_features_refuse_the_mean_squared_error(name: str) -> None:
    balanced = {"data.name": "balanced", "data.samples": 12, "train.batch_size": None, "model.name": name}
    check(replace(Config(), balanced))
    with pytest.raises(UserError, match=rf"^train\.loss=mse: model\.name={name} .*; allowed is [^\n]*\.$"):
        check(replace(Config(), balanced | {"train.loss": "mse"}))


@pytest.mark.parametrize("batch_size", [1, 3, 9])
def test_a_batch_of_one_sample_is_refused_where_there_is_batch_norm(batch_size: int) -> None:
    values = {"data.samples": 10, "train.batch_size": batch_size}
    with pytest.raises(UserError, match="BatchNorm is undefined"):
        check(replace(Config(), values))
    check(replace(Config(), values | {"model.norm": "none"}))


def test_replace_converts_as_the_command_line_does_and_leaves_the_original() -> None:
    config = Config()
    changed = replace(config, {"model.norm": "none", "train.batch_size": None, "train.epochs": 7})
    assert changed.model.norm is Norm.none
    assert changed.train.batch_size is None
    assert changed.train.epochs == 7
    assert config == Config()
    with pytest.raises(UserError, match=r"train\.epochs=many"):
        replace(config, {"train.epochs": "many"})


def test_seeds_as_a_count_or_a_list() -> None:
    assert Config(seeds=3).seed_list == [0, 1, 2]
    assert Config(seeds=[5, 2]).seed_list == [5, 2]


IMAGES = {"data.name": "digits", "data.classes": 10, "data.samples": 1797}
KMNIST = {"data.name": "kmnist", "data.classes": 10, "data.samples": 10_000, "data.split": "test"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"train.optimizer": "gd", "train.momentum": 0.0}, r"train\.batch_size=128: train\.optimizer=gd .* null"),
        ({"train.optimizer": "gd", "train.batch_size": None}, r"train\.momentum=0\.9: train\.optimizer=gd has none"),
        ({"train.optimizer": "nesterov", "train.momentum": 0.0}, r"train\.momentum=0: .* allowed is more than 0"),
        ({"train.beta2": 0.9}, r"train\.beta2=0\.9: train\.optimizer=sgd has none; allowed is 0\.999\."),
        ({"train.adam_eps": 1e-3}, r"train\.adam_eps=0\.001: train\.optimizer=sgd has none; allowed is 1e-08\."),
        ({"train.lr_warmup": 0.3}, r"train\.lr_warmup=0\.3: ends after the first of train\.lr_milestones"),
        ({"train.lr_warmup": 1.0}, r"train\.lr_warmup=1\.0: .*less than 1"),
        ({"train.label_smoothing": 0.1, "train.loss": "mse"}, r"train\.label_smoothing=0\.1: is of the cross-entropy"),
        ({"train.gradient_clip": 0.0}, r"train\.gradient_clip=0\.0: .*allowed is more than 0"),
        ({"train.method": "none", "train.optimizer": "adam"}, r"train\.optimizer=adam: train\.method=none has none"),
        ({"train.method": "none", "train.gradient_clip": 1.0}, r"train\.gradient_clip=1: .* allowed is null"),
        ({"model.norm_on": [6]}, r"model\.norm_on=\[6\]: .* from 1 to model\.depth - 1 = 5"),
        ({"model.norm_on": [0]}, r"model\.norm_on=\[0\]"),
        ({"model.norm_on": []}, r"model\.norm_on=\[\]"),
        ({"model.norm_on": [3, 2]}, r"model\.norm_on=\[3, 2\]: allowed are increasing"),
        ({"model.norm_on": [1], "model.norm": "none"}, r"model\.norm_on=\[1\]: model\.norm=none"),
        ({"model.dropout": 1.0}, r"model\.dropout=1\.0: .*less than 1"),
        ({"model.dropout": 0.1, "model.name": "residual_mlp", "model.norm": "none"}, r"model\.dropout=0\.1: .* is 0"),
        ({"model.norm": "layer", "model.name": "residual_mlp"}, r"model\.norm=layer: model\.name=residual_mlp"),
        ({"data.label_noise": 1.1}, r"data\.label_noise=1\.1: .*at most 1"),
        ({"data.imbalance": 0.5}, r"data\.imbalance=0\.5: .*at least 1"),
        ({"data.imbalance_shape": "step"}, r"data\.imbalance_shape=step: data\.imbalance=1"),
        ({"data.imbalance": 1e6}, r"data\.imbalance=1e\+06: leaves a class without a sample"),
        (IMAGES | {"data.imbalance": 10.0}, r"data\.imbalance=10: of images .* data\.per_class"),
        (IMAGES | {"data.test": True}, r"data\.test=true: data\.name=digits has no test split"),
        ({"data.test": True, "data.name": "balanced"}, r"data\.test=true: the labels of data\.name=balanced"),
        ({"data.test": True, "train.method": "none"}, r"data\.test=true: train\.method=none trains nothing"),
        ({"data.split": "test"}, r"^data\.split=test: data\.name=teacher has no splits; allowed is train"),
        (IMAGES | {"data.split": "test"}, r"^data\.split=test: data\.name=digits has no splits; allowed is train"),
        (KMNIST | {"data.test": True}, r"^data\.test=true: data\.split=test trains on the images that .*is false"),
        ({"model.first_width": 0}, r"model\.first_width=0: .*at least 1"),
        ({"model.first_width": 9, "model.depth": 1}, r"^model\.first_width=9: is of an mlp of two layers or more; all"),
        (
            {"model.first_width": 9, "model.name": "residual_mlp", "model.norm": "none"},
            r"^model\.first_width=9: .* not of model\.name=residual_mlp; allowed is null",
        ),
    ],
)
def test_what_does_not_go_with_a_training_a_network_or_data(words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as refusal:
        check(replace(Config(), words))
    assert "allowed" in str(refusal.value)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    "words",
    [
        {"train.optimizer": "gd", "train.batch_size": None, "train.momentum": 0.0},
        {"train.optimizer": "adamw", "train.beta2": 0.9, "train.schedule": "cosine", "train.lr_warmup": 0.5},
        {"train.lr_warmup": 0.25},
        {"model.norm": "layer", "model.norm_on": [1, 5], "model.dropout": 0.5, "train.batch_size": 1},
        {"data.name": "balanced", "data.samples": 101, "data.imbalance": 3.0},
        IMAGES | {"data.per_class": 50, "data.imbalance": 10.0, "data.test": True, "data.label_noise": 0.1},
        KMNIST,
        {"model.first_width": 9, "model.depth": 2},
    ],
    ids=str,
)
def test_what_goes_together(words: dict[str, Any]) -> None:
    check(replace(Config(), words))
