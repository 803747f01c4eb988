"""Measures of held-out data and of noisy labels: by hand, by whole runs, and nothing where they are not asked for."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from nc_runner import data, experiments, metrics
from nc_runner.config.choices import Norm
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.experiments.measures import held_out
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")


def trained(config: Config) -> SGD:
    stack = SGD(make_trials(config), *data.load(config.data), device=CPU, dtype=torch.float64)
    while not stack.finished:
        stack.advance()
    return stack


def test_by_the_training_means_as_by_one_s_own_where_they_are_the_same() -> None:
    features = torch.randn(2, 30, 4, dtype=torch.float64) + 3 * torch.eye(4, dtype=torch.float64)[torch.arange(30) % 3]
    labels = torch.arange(30) % 3
    of = dict(held_out.by_means(features, labels, metrics.class_means(features, labels)))
    torch.testing.assert_close(of["within_between_trace_ratio"], metrics.within_between_trace_ratio(features, labels))
    torch.testing.assert_close(of["ncc_accuracy"], metrics.ncc_accuracy(features, labels))


def test_by_the_training_means_by_hand() -> None:
    """Means at -1 and 1 of a line, tr S_B = 1; samples at distances 1, 3 and 0 of their own."""
    means = torch.tensor([[[-1.0], [1.0]]], dtype=torch.float64)
    features = torch.tensor([[[-2.0], [2.0], [1.0]]], dtype=torch.float64)
    of = dict(held_out.by_means(features, torch.tensor([0, 0, 1]), means))
    assert of["within_between_trace_ratio"].tolist() == pytest.approx([(1 + 9 + 0) / 3])
    assert of["ncc_accuracy"].tolist() == pytest.approx([2 / 3])
    dead = dict(
        held_out.by_means(torch.zeros(1, 3, 1).double(), torch.tensor([0, 0, 1]), torch.zeros(1, 2, 1).double())
    )
    assert all(value.isnan().all() for value in dead.values())


def test_of_a_network(small: Config) -> None:
    small = replace(small, {"data.test": True, "data.label_noise": 0.2, "train.epochs": 20})
    stack = trained(small)
    measured = {name: value for _, name, value in held_out.held_out(stack.network, stack.x, stack.y, small)}
    x, y = data.load_test(small.data)
    outputs = dict(stack.network.features(x.double()))
    expected = torch.nn.functional.cross_entropy(outputs[3][0], y)
    torch.testing.assert_close(measured["test_loss"][0], expected)
    assert measured["test_accuracy"][0] == (outputs[3][0].argmax(1) == y).double().mean()
    own = metrics.within_between_trace_ratio(outputs[2], y)
    torch.testing.assert_close(measured["test_within_between_trace_ratio"], own)
    train = metrics.class_means(dict(stack.network.features(stack.x))[2], stack.y)
    spread = (outputs[2] - train[:, y]).square().sum(-1).mean(-1)
    between = (train - train.mean(1, keepdim=True)).square().sum(-1).mean(-1)
    torch.testing.assert_close(measured["test_within_between_trace_ratio_training_means"], spread / between)
    assert {*held_out.OF_TEST} <= set(measured)
    fit = {name: value for _, name, value in held_out.fit_of_noise(stack.network, stack.x, stack.y, small)}
    right = dict(stack.network.features(stack.x))[3][0].argmax(1) == stack.y
    wrong = data.noisy(small.data)
    assert fit["noisy_accuracy"][0] == right[wrong].double().mean()
    assert fit["clean_accuracy"][0] == right[~wrong].double().mean()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_part_of_the_samples_is_measured_to_tell_the_time(small: Config, depth: int) -> None:
    small = replace(
        small, {"data.test": True, "data.label_noise": 0.3, "model.depth": depth, "model.norm": Norm.none.name}
    )
    stack = trained(small)
    x, y = stack.x[::7], stack.y[::7]
    names = {name for _, name, _ in held_out.WithHeldOut(lambda *_: [])(stack.network, x, y, small)}
    assert {*held_out.OF_TEST, *held_out.OF_NOISE} <= names


def test_nothing_is_measured_that_was_not_asked_for(small: Config) -> None:
    experiment = experiments.load("bn_wd_sweep")
    assert held_out.with_held_out(experiment, [small]) is experiment
    asked = held_out.with_held_out(experiment, [small, replace(small, {"data.test": True})])
    assert asked.headline == (*experiment.headline, *held_out.OF_TEST)
    stack = trained(small)
    arguments = stack.network, stack.x, stack.y, small
    plain, beside = (list(e.measure(*arguments)) for e in (experiment, asked))
    assert [row[:2] for row in plain] == [row[:2] for row in beside]


def test_a_run_has_them_at_every_probe_and_in_its_table(tmp_path: Path) -> None:
    """In worker processes, and with the same trials and the same training as without."""
    from conftest import nc_run

    words = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=2", "model.norm=affine", "train.optimizer=adam")
    for name, more in (("with", ("data.test=true",)), ("without", ())):
        done = nc_run(*words, *more, f"hydra.run.dir={name}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    tables = [pd.read_parquet(tmp_path / name / "metrics.parquet") for name in ("with", "without")]
    ours = tables[0]["metric"].str.startswith("test_")
    pd.testing.assert_frame_equal(tables[0][~ours].reset_index(drop=True), tables[1])
    of = tables[0][ours]
    assert set(of["epoch"]) == set(tables[1]["epoch"])
    trials = pd.read_csv(tmp_path / "with" / "trials.csv")
    assert trials["test_accuracy"].between(0, 1).all()
    assert {*held_out.OF_TEST} <= set(trials)
