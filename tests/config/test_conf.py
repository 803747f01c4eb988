"""What the files of conf/ say: the papers' numbers, what a scale may change, and that the command line wins."""

import dataclasses

import pytest

from nc_runner.cli.mistakes import compose
from nc_runner.config.check import check
from nc_runner.config.choices import DataName, Means
from nc_runner.config.compose import experiment_names
from nc_runner.config.keys import flatten

# At the paper's step size and weight decay a CPU would see nothing decay; the figures say what was changed.
TAKES_A_GPU = {
    "linear_head_mlp", "linear_head_resnet", "linear_head_depth", "linear_head_depth_resnet", "nonlinear_depth",
    "unregularized_collapse", "vit_resnet",
}  # fmt: skip


@pytest.mark.parametrize("name", experiment_names())
def test_scales_change_sizes_and_nothing_else(name: str) -> None:
    sizes = {"data.samples", "data.per_class", "model.width", "model.channels", "train.epochs", "probes", "seeds"}
    if name in TAKES_A_GPU:
        sizes |= {"data.image_size", "train.learning_rate", "train.weight_decay"}
    if name == "linear_head_depth_resnet":
        sizes |= {"train.batch_size"}
    if name == "zero_tcv":
        sizes |= {"data.classes", "data.dim"}
    paper = flatten(compose([f"experiment={name}"]))
    for scale in ("cpu", "quick", "smoke"):
        other = flatten(compose([f"experiment={name}", f"scale={scale}"]))
        axes = {axis: len(points) for axis, points in other.pop("grid").items()}
        of_paper = {axis: len(points) for axis, points in paper["grid"].items()}
        if name == "decay_times":  # its points are lengths in decay times, at smaller sizes from 0.3 on
            assert axes.keys() == of_paper.keys()
        elif name in ("linear_head_depth_resnet", "ulpm_settings", "depth_collapse"):  # fewer depths, decays, settings
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
