import dataclasses
from typing import Any

import pytest

from nc_runner.cli.mistakes import compose
from nc_runner.config.check import check
from nc_runner.config.choices import DataName, Means, Norm
from nc_runner.config.compose import experiment_names
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


def test_a_residual_network_refuses_batch_norm_and_less_than_two_layers() -> None:
    residual = {"model.name": "residual_mlp", "model.norm": "none", "train.loss": "mse", "train.batch_size": 99}
    check(replace(Config(), residual))
    for norm in ("affine", "plain"):
        with pytest.raises(UserError, match=rf"^model\.norm={norm}: model\.name=residual_mlp .*; allowed is none\.$"):
            check(replace(Config(), residual | {"model.norm": norm}))
    with pytest.raises(UserError, match=r"^model\.depth=1: .*; allowed is at least 2\.$"):
        check(replace(Config(), residual | {"model.depth": 1}))


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


# At the paper's step size and weight decay a CPU would see nothing decay; the figures say what was changed.
TAKES_A_GPU = {
    "linear_head_mlp", "linear_head_resnet", "linear_head_depth", "linear_head_depth_resnet", "nonlinear_depth",
    "unregularized_collapse",
}  # fmt: skip


@pytest.mark.parametrize("name", experiment_names())
def test_scales_change_sizes_and_nothing_else(name: str) -> None:
    sizes = {"data.samples", "data.per_class", "model.width", "model.channels", "train.epochs", "probes", "seeds"}
    if name in TAKES_A_GPU:
        sizes |= {"data.image_size", "train.learning_rate", "train.weight_decay"}
    if name == "linear_head_depth_resnet":
        sizes |= {"train.batch_size"}
    paper = flatten(compose([f"experiment={name}"]))
    for scale in ("cpu", "quick", "smoke"):
        other = flatten(compose([f"experiment={name}", f"scale={scale}"]))
        axes = {axis: len(points) for axis, points in other.pop("grid").items()}
        of_paper = {axis: len(points) for axis, points in paper["grid"].items()}
        if name in ("linear_head_depth_resnet", "ulpm_settings"):  # fewer heads, one weight decay; fewer settings
            assert axes.keys() == of_paper.keys()
            assert all(axes[axis] <= of_paper[axis] for axis in axes)
        else:
            assert axes == of_paper  # a point may hold a size
        differing = {key for key in other if paper[key] != other[key] and not key.startswith("scale.")}
        assert differing <= sizes


def test_the_command_line_wins_over_the_scale() -> None:
    config = compose(["experiment=bn_wd_sweep", "scale=smoke", "train.epochs=11"])
    assert config.train.epochs == 11
    assert config.data.samples == 400


def test_the_mixture_is_a_data_set_of_the_command_line() -> None:
    config = compose(["experiment=bn_wd_sweep", "scale=smoke", "data=gaussian_mixture", "data.means=random"])
    assert config.data.name is DataName.gaussian_mixture
    assert config.data.means is Means.random
    check(config)


def test_defaults_are_the_thesis_s_recipe() -> None:
    config = compose(["experiment=bn_wd_sweep"])
    expected = {
        "data.samples": 10_000, "data.dim": 16, "data.classes": 4, "data.input_seed": 10_000, "data.label_seed": 12_138,
        "model.depth": 6, "model.width": 200, "model.batch_norm_eps": 1e-5, "model.batch_norm_momentum": 0.1,
        "train.epochs": 300, "train.batch_size": 128, "train.learning_rate": 0.0679, "train.momentum": 0.9,
        "train.lr_milestones": [0.25, 0.5, 0.75], "train.lr_gamma": 0.1, "train.target_accuracy": 0.999,
    }  # fmt: skip
    assert {key: flatten(config)[key] for key in expected} == expected
    assert config.grid["train.weight_decay"] == [1e-4, 3e-4, 5e-4, 1e-3, 3e-3, 5e-3, 7e-3, 1e-2]
    assert dataclasses.replace(config).grid["model.norm"] == ["affine", "plain", "none"]


PEELED = {
    "data.name": "balanced", "data.samples": 40, "model.name": "ulpm", "train.batch_size": None,
    "train.method": "flow", "train.weight_decay": 0.0, "train.momentum": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": "mlp"}, r"train\.method=flow: allowed with model\.name=ulpm; mlp takes sgd"),
        ({"data.name": "teacher"}, r"data\.name=teacher: .*allowed is balanced"),
        ({"train.weight_decay": 0.1}, r"train\.weight_decay=0\.1: train\.method=flow has none; allowed is 0"),
        ({"train.weight_decay_first": 0.1}, r"train\.weight_decay_first=0\.1: .*allowed is 0"),
        ({"train.method": "gd", "train.momentum": 0.5}, r"train\.momentum=0\.5: train\.method=gd has none"),
        ({"train.warmup": 5}, r"train\.warmup=5: train\.method=gd alone"),
        ({"model.start": "saddle"}, r"model\.start=saddle: .*data\.classes=4 and data\.samples=4, not 4 and 40"),
        ({"model.start": "simplex", "model.width": 3}, r"model\.width=3: .*at least data\.classes=4"),
        ({"flow.clock": "t"}, r"flow\.log_time=1e\+06: with flow\.clock=t allowed is at most 700"),
        (
            {"flow.solver": "LSODA", "model.width": 5000},
            r"model\.width=5000: .* GiB; allowed is 8 GiB, or flow.solver=BDF",
        ),
        ({"model.width": 50_000}, r"model\.width=50000: .* GiB; allowed is 8 GiB, so a smaller width"),
        ({"flow.rtol": 0.0}, r"flow\.rtol=0\.0: .*at least 1e-13"),
        ({"flow.log_time": 0.0}, r"flow\.log_time=0\.0: .*more than 0"),
    ],
)
def test_what_the_layer_peeled_model_cannot_do_is_refused(changes: dict[str, object], message: str) -> None:
    check(replace(Config(), PEELED))
    with pytest.raises(UserError, match=message):
        check(replace(Config(), PEELED | changes))


def test_ten_classes_of_a_hundred_in_64_dimensions_fit() -> None:
    check(replace(Config(), PEELED | {"data.classes": 10, "data.samples": 1000, "model.width": 64}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.name": "teacher"}, r"data\.name=teacher: model\.name=vgg13 sees images; allowed are cifar10, digits"),
        ({"model.norm": "none"}, r"model\.norm=none: .*allowed is affine"),
        ({"model.linear_layers": 2}, r"model\.linear_layers=2: allowed is at most model\.depth=1"),
        ({"train.weight_decay_first": 0.5}, r"train\.weight_decay_first=0\.5: .*allowed is null"),
        ({"train.batch_size": 11}, r"train\.batch_size=11: leaves a batch of one"),
    ],
)
def test_what_convolutional_networks_cannot_do_is_refused(changes: dict[str, object], message: str) -> None:
    vgg13 = {"model.name": "vgg13", "model.depth": 1, "data.name": "digits", "data.samples": 100}
    check(replace(Config(), vgg13))
    with pytest.raises(UserError, match=message):
        check(replace(Config(), vgg13 | changes))


IMAGES = {"data.name": "digits", "data.classes": 10, "data.samples": 1797}


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
    ],
    ids=str,
)
def test_what_goes_together(words: dict[str, Any]) -> None:
    check(replace(Config(), words))
