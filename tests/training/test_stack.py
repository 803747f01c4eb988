import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from nc_runner.config.choices import Norm
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.experiments.measures import geometry
from nc_runner.models import MLP
from nc_runner.record.folder import RunFolder
from nc_runner.training.stack import run_stack

CPU = torch.device("cpu")


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[tuple[int | None, str, Tensor]]:
    assert network is not None
    for name, value in geometry.fit(dict(network.features(x))[network.depth], y):
        yield None, name, value


@pytest.mark.parametrize("steps_before_stop", [0, 1, 5, 11])
def test_stopped_and_resumed_gives_the_same_rows_and_weights(
    small: Config, tmp_path: Path, steps_before_stop: int
) -> None:
    small.seeds = 2
    trials = make_trials(small)
    whole, stopped = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "stopped")
    for folder in (whole, stopped):
        folder.path.mkdir()
    expected = run_stack("s", trials, measure, whole, device=CPU)
    calls = itertools.count()
    first = run_stack("s", trials, measure, stopped, device=CPU, should_stop=lambda: next(calls) >= steps_before_stop)
    assert not first.finished
    second = run_stack("s", trials, measure, stopped, device=CPU)
    assert second == expected
    assert run_stack("s", trials, measure, stopped, device=CPU) == expected  # a finished stack is only read again
    for trial in trials:
        a, b = (load_file(f.path / "weights" / f"{trial.id}.safetensors") for f in (whole, stopped))
        assert all(a[name].equal(b[name]) for name in a)


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
