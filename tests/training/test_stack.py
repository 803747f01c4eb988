import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from nc_runner.config.choices import LossName, Norm
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config, SaveConfig, TrainConfig
from nc_runner.config.trials import Trial, make_trials
from nc_runner.data import load
from nc_runner.experiments.measures import geometry
from nc_runner.models import MLP
from nc_runner.record.folder import RunFolder
from nc_runner.training.sgd import SGD
from nc_runner.training.stack import run_stack

CPU = torch.device("cpu")


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[tuple[int | None, str, Tensor]]:
    assert network is not None
    for name, value in geometry.fit(dict(network.features(x))[network.depth], y):
        yield None, name, value


def assert_stopped_it_goes_on_to_the_same(trials: list[Trial], tmp_path: Path, steps_before_stop: int) -> None:
    """The same rows and weights as without a stop."""
    whole, stopped = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "stopped")
    for folder in (whole, stopped):
        folder.path.mkdir()
    expected = run_stack("s", trials, measure, whole, device=CPU)
    calls = itertools.count()
    first = run_stack("s", trials, measure, stopped, device=CPU, should_stop=lambda: next(calls) >= steps_before_stop)
    assert not first.finished
    assert run_stack("s", trials, measure, stopped, device=CPU) == expected
    assert run_stack("s", trials, measure, stopped, device=CPU) == expected  # a finished stack is only read again
    for trial in trials:
        one, other = (load_file(folder.path / "weights" / f"{trial.id}.safetensors") for folder in (whole, stopped))
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("steps_before_stop", [0, 1, 5, 11])
def test_stopped_and_resumed_gives_the_same_rows_and_weights(
    small: Config, tmp_path: Path, steps_before_stop: int
) -> None:
    small.seeds = 2
    assert_stopped_it_goes_on_to_the_same(make_trials(small), tmp_path, steps_before_stop)


@pytest.mark.parametrize("steps_before_stop", [1, 5, 11])
@pytest.mark.parametrize("optimizer", ["nesterov", "adam", "adamw"])
def test_so_it_does_with_other_optimisers_dropout_and_a_schedule(
    small: Config, tmp_path: Path, steps_before_stop: int, optimizer: str
) -> None:
    """From the file of a checkpoint, with moments, their count and the count of drawn masks."""
    small = replace(
        small,
        {
            "train.optimizer": optimizer, "train.schedule": "cosine", "train.lr_warmup": 0.3, "model.dropout": 0.3,
            "train.gradient_clip": 1.0, "data.label_noise": 0.1, "seeds": 2,
        },
    )  # fmt: skip
    assert_stopped_it_goes_on_to_the_same(make_trials(small), tmp_path, steps_before_stop)


def test_a_diverged_trial_stops_alone(small: Config, tmp_path: Path) -> None:
    small.model.norm, small.grid = Norm.none, {"train.learning_rate": [0.05, 1e30]}
    good, bad = make_trials(small)
    outcome = run_stack("s", [good, bad], measure, RunFolder(tmp_path), device=CPU)
    assert outcome.diverged == {bad.id: 1}
    last = {trial: value for trial, epoch, _, metric, value in outcome.rows if metric == "loss" and epoch == 3}
    assert math.isfinite(last[good.id])
    assert math.isnan(last[bad.id])
    alone = run_stack("t", [bad], measure, RunFolder(tmp_path), device=CPU)
    assert alone.finished
    assert max(epoch for _, epoch, _, _, _ in alone.rows) == 1  # nothing is left to train after the first epoch


def test_reports_tell_how_far_it_is(small: Config, tmp_path: Path) -> None:
    reports = []
    run_stack("s", make_trials(small), measure, RunFolder(tmp_path), device=CPU, report=reports.append)
    assert reports[-1].step == 3 * 4
    assert reports[-1].epoch == 3
    assert math.isfinite(reports[-1].loss)


def test_a_diverged_trial_stays_so_after_a_stop(small: Config, tmp_path: Path) -> None:
    """It is told by its epoch's loss, which is that of the last epoch alone once the stack goes on."""
    small.model.norm, small.train.epochs = Norm.none, 4
    small.grid = {"train.learning_rate": [0.05, 1e30]}
    trials = make_trials(small)
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = run_stack("s", trials, measure, RunFolder(tmp_path / "whole"), device=CPU)
    calls = itertools.count()
    stopped = RunFolder(tmp_path / "stopped")
    first = run_stack("s", trials, measure, stopped, device=CPU, should_stop=lambda: next(calls) >= 3 * 4)
    assert (first.finished, first.diverged) == (False, {trials[1].id: 1})
    second = run_stack("s", trials, measure, stopped, device=CPU)
    assert second.diverged == whole.diverged == {trials[1].id: 1}


def test_the_epoch_at_which_a_trial_diverged_is_its_first(small: Config, tmp_path: Path) -> None:
    small.model.norm, small.train.epochs = Norm.none, 3
    small.grid = {"train.learning_rate": [0.05, 1e12]}
    trials = make_trials(small)
    outcome = run_stack("s", trials, measure, RunFolder(tmp_path), device=CPU)
    assert outcome.diverged == {trials[1].id: 1}
    assert {epoch for trial, epoch, *_ in outcome.rows if trial == trials[0].id} >= {1, 3}


def test_what_is_saved_is_each_trial_s_own(small: Config, tmp_path: Path) -> None:
    small.seeds, small.save = 2, SaveConfig(weights=True, features=True)
    trials = make_trials(small)
    run_stack("s", trials, measure, RunFolder(tmp_path), device=CPU)
    x, y = load(small.data)
    for trial in trials:
        saved = load_file(tmp_path / "weights" / f"{trial.id}.safetensors")
        assert saved["labels"].equal(y)
        network = MLP(small.model, x.shape[1], 3, [0], device=CPU)
        for name, tensor in (network.params | network.buffers).items():
            tensor[0].copy_(saved[name])
        for layer, features in network.features(x):
            torch.testing.assert_close(saved[f"features.{layer}"], features[0], rtol=1e-4, atol=1e-5)


def test_a_stack_that_diverges_between_probes_ends_there_and_is_measured_then(small: Config, tmp_path: Path) -> None:
    """Weight decay beyond what the step size allows: the loss grows to infinity, and then to NaN, in a few epochs."""
    small.model.norm, small.probes = Norm.none, 1
    small.train = TrainConfig(epochs=20, batch_size=None, learning_rate=3.0, loss=LossName.mse, weight_decay=3.0)
    (trial,) = make_trials(small)
    alone = SGD([trial], *load(small.data), device=CPU)
    losses = []
    while not losses or math.isfinite(losses[-1]):
        alone.advance()
        losses.append(alone.epoch_loss().item())
    assert math.isinf(losses[-1])
    assert 1 < len(losses) < 20
    outcome = run_stack("s", [trial], measure, RunFolder(tmp_path), device=CPU)
    assert (outcome.finished, outcome.diverged) == (True, {trial.id: len(losses)})
    assert sorted({epoch for _, epoch, *_ in outcome.rows}) == [1, len(losses)]
