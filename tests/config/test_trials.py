import dataclasses

import pytest

from nc_runner.cli.mistakes import compose
from nc_runner.config.check import check
from nc_runner.config.keys import flatten, overridden_keys, replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import effective, make_trials, trial_id
from nc_runner.errors import UserError

GRID = {"model.norm": ["affine", "none"], "train.weight_decay": [1e-3, 1e-2]}


def id_of(config: Config, seed: int) -> str:
    """The id of a trial of one config."""
    return trial_id(effective(flatten(config)), seed)


def test_every_point_with_every_seed(small: Config) -> None:
    trials = make_trials(dataclasses.replace(small, grid=GRID, seeds=[3, 1]))
    assert [(*t.varied.values(), t.seed) for t in trials] == [
        (norm, decay, seed) for norm in ("affine", "none") for decay in (1e-3, 1e-2) for seed in (3, 1)
    ]
    assert all(t.config.model.norm.name == t.varied["model.norm"] for t in trials)
    assert len({t.id for t in trials}) == 8


def test_an_override_replaces_its_axis_and_stays_a_column(small: Config) -> None:
    small = dataclasses.replace(small, grid=GRID)
    small.train.weight_decay = 0.5
    trials = make_trials(small, overridden=["train.weight_decay", "experiment"])
    assert [t.varied for t in trials] == [
        {"model.norm": norm, "train.weight_decay": 0.5} for norm in ("affine", "none")
    ]


def test_keys_joined_by_commas_vary_together(small: Config) -> None:
    grid = {"model.norm, train.batch_size": [["affine", 16], ["none", None]], "train.weight_decay": [1e-3, 1e-2]}
    trials = make_trials(dataclasses.replace(small, grid=grid))
    assert [tuple(t.varied.items()) for t in trials] == [
        (("model.norm", norm), ("train.batch_size", size), ("train.weight_decay", decay))
        for norm, size in (("affine", 16), ("none", None))
        for decay in (1e-3, 1e-2)
    ]
    assert all(t.config.train.batch_size == t.varied["train.batch_size"] for t in trials)


def test_an_override_of_one_key_leaves_its_axis_the_config_s_own_values(small: Config) -> None:
    grid = {"model.norm,train.epochs": [["none", 5], ["none", 6]], "train.weight_decay": [1e-3, 1e-2]}
    small.train.epochs = 7
    trials = make_trials(dataclasses.replace(small, grid=grid), overridden=["train.epochs"])
    assert [t.varied for t in trials] == [
        {"model.norm": "affine", "train.epochs": 7, "train.weight_decay": decay} for decay in (1e-3, 1e-2)
    ]


@pytest.mark.parametrize(
    ("word", "data", "models"),
    [
        ("data=kmnist", ["kmnist"], ["resnet18", "vgg13"]),
        ("data.name=kmnist", ["kmnist"], ["resnet18", "vgg13"]),
        ("model=vgg13", ["mnist", "cifar10"], ["vgg13"]),
        ("train=sgd", ["mnist", "cifar10"], ["resnet18", "vgg13"]),
        ("data.per_class=7", ["mnist", "cifar10"], ["resnet18", "vgg13"]),
    ],
)
def test_a_group_on_the_command_line_replaces_the_axis_of_its_name(
    word: str, data: list[str], models: list[str]
) -> None:
    set_by_word = compose(["data=mnist", "model=resnet18", "data.per_class=9", word])
    grid = {"data.name": ["mnist", "cifar10"], "model.name": ["resnet18", "vgg13"]}
    trials = make_trials(dataclasses.replace(set_by_word, grid=grid), overridden_keys([word]))
    assert [(t.config.data.name.name, t.config.model.name.name) for t in trials] == [
        (d, m) for d in data for m in models
    ]
    assert all(t.config.data.samples == 10 * t.config.data.per_class for t in trials)


def test_id_changes_with_the_numbers_and_with_nothing_else(small: Config) -> None:
    base = id_of(small, 0)
    assert base != id_of(small, 1)
    for key, value in {"device": "cpu", "jobs": 2, "seeds": 9, "probes": 3}.items():
        assert id_of(dataclasses.replace(small, **{key: value}), 0) == base
    assert id_of(dataclasses.replace(small, data=dataclasses.replace(small.data, root="elsewhere")), 0) == base
    assert id_of(dataclasses.replace(small, train=dataclasses.replace(small.train, epochs=4)), 0) != base


def test_a_bad_value_in_the_grid_is_refused(small: Config) -> None:
    with pytest.raises(UserError, match=r"train\.weight_decay=-1"):
        make_trials(dataclasses.replace(small, grid={"train.weight_decay": [-1.0]}))
    with pytest.raises(UserError, match=r"model\.norm"):
        make_trials(dataclasses.replace(small, grid={"model.norm": ["sideways"]}))


def test_a_trial_knows_its_images_by_their_content(small: Config) -> None:
    """Neither by a name nor by a folder; of data that the config's keys make, the keys are the content."""

    def ids(path: str, content: str) -> list[str]:
        config = replace(small, {"data.name": "images", "data.path": path, "grid": {"train.weight_decay": [0.0, 0.1]}})
        return [trial.id for trial in make_trials(config, (), lambda _: content)]

    assert ids("/a/faces", "1f") == ids("/b/cats", "1f")
    assert set(ids("/a/faces", "1f")).isdisjoint(ids("/a/faces", "2e"))
    assert len(set(ids("/a/faces", "1f"))) == 2
    synthetic = [trial.id for trial in make_trials(small, (), lambda _: "1f")]
    assert synthetic == [trial.id for trial in make_trials(small)]


def test_where_images_lie_is_no_axis() -> None:
    with pytest.raises(UserError, match=r"data\.root is not a key a grid can vary"):
        check(replace(Config(), {"grid": {"data.root": ["a", "b"]}}))


def test_a_younger_key_changes_no_id_at_the_value_that_older_trials_had(small: Config) -> None:
    (before,) = make_trials(small)
    assert "train.matmul_precision" not in before.keys
    assert make_trials(replace(small, {"train.matmul_precision": "highest"}))[0].id == before.id
    assert len({make_trials(replace(small, {"train.matmul_precision": p}))[0].id for p in ("high", "medium")}) == 2
    assert make_trials(replace(small, {"train.matmul_precision": "high"}))[0].id != before.id


def test_of_images_the_size_of_the_set_and_its_classes_count_beside_the_content(small: Config) -> None:
    def ids(**data: object) -> str:
        config = replace(small, {"data.name": "images", "data.path": "/a"} | {f"data.{k}": v for k, v in data.items()})
        return make_trials(config, (), lambda _: "1f")[0].id

    assert len({ids(), ids(samples=61), ids(classes=4)}) == 3
    assert ids() == ids(path="/b", root="/c", input_seed=3)  # what says where they come from


def test_only_images_are_known_by_a_checksum(small: Config) -> None:
    def never(_: object) -> str:
        pytest.fail("a checksum of data that the keys make")

    assert make_trials(small, (), never)


def test_every_point_of_the_grid_is_checked_as_the_whole_it_is(small: Config) -> None:
    """Each value is allowed by itself; a batch of one sample is refused only where there is BatchNorm."""
    small = replace(small, {"train.batch_size": 1, "model.norm": "none"})
    assert len(make_trials(replace(small, {"grid": {"model.width": [4, 5]}}))) == 2
    with pytest.raises(UserError, match=r"train\.batch_size"):
        make_trials(replace(small, {"grid": {"model.norm": ["none", "affine"]}}))


def test_trials_of_two_seeds_are_two(small: Config) -> None:
    assert len({trial.id for trial in make_trials(replace(small, {"seeds": [0, 1, 2]}))}) == 3


YOUNGER = {
    "train.optimizer": "adam", "train.schedule": "cosine", "train.lr_warmup": 0.1, "train.label_smoothing": 0.1,
    "train.gradient_clip": 1.0, "data.label_noise": 0.1, "data.imbalance": 2.0, "model.norm_on": [1],
    "model.dropout": 0.1, "model.first_width": 3,
}  # fmt: skip


@pytest.mark.parametrize("key", YOUNGER)
def test_keys_of_training_and_data_change_an_id_where_they_are_not_at_their_defaults(small: Config, key: str) -> None:
    """The id is the one that trials had before there were such keys."""
    (before,) = make_trials(small)
    assert before.id == "a9f721e5ad"
    assert key not in before.keys
    default = flatten(Config())[key]
    assert make_trials(replace(small, {key: default}))[0].id == before.id
    (after,) = make_trials(replace(small, {key: YOUNGER[key]}))
    assert after.id != before.id
    assert after.keys[key] == YOUNGER[key]
    assert set(after.keys) == {*before.keys, key}


def test_a_trial_measured_on_held_out_data_too_is_the_same_trial(small: Config) -> None:
    assert make_trials(replace(small, {"data.test": True}))[0].id == make_trials(small)[0].id
