"""Stacks trained at once in threads: each as if it were alone, errors and requests to stop kept apart. On a CPU."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial, make_trials
from nc_runner.experiments.base import Measurement
from nc_runner.record.folder import RunFolder
from nc_runner.record.tables import Outcome
from nc_runner.run.streams import run_on_streams
from nc_runner.training.stack import run_stack

CPU = torch.device("cpu")


def measure(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterable[Measurement]:
    """Something that depends on all weights and data."""
    logits = list(network.features(x))[-1][1]
    yield None, "logits", logits.double().abs().mean((1, 2))


def stacks_of(config: Config) -> dict[str, list[Trial]]:
    """Several stacks, of which each has data of its own."""
    config.seeds, config.grid = 2, {"data.teacher_depth": [2, 3, 4, 5, 6, 7]}
    trials = make_trials(config)
    return {trials[i].id: trials[i : i + 2] for i in range(0, len(trials), 2)}


def folder(path: Path) -> RunFolder:
    path.mkdir()
    return RunFolder(path)


def trained(
    stacks: dict[str, list[Trial]], where: RunFolder, of: Callable[..., Any] = measure, stop: Callable[[], bool] = bool
) -> dict[str, Outcome | Exception]:
    return dict(
        run_on_streams(
            stacks, of, where, device=CPU, streams=4, should_stop=stop, on_report=lambda report: None
        )
    )  # fmt: skip


def test_stacks_at_once_are_stacks_one_by_one(small: Config, tmp_path: Path) -> None:
    stacks = stacks_of(small)
    together, alone = trained(stacks, folder(tmp_path / "a")), folder(tmp_path / "b")
    assert set(together) == set(stacks)
    for name, trials in stacks.items():
        assert together[name] == run_stack(name, trials, measure, alone, device=CPU)


def test_one_that_fails_leaves_the_others_alone(small: Config, tmp_path: Path) -> None:
    stacks = stacks_of(small)
    broken = list(stacks.values())[1][0].config.data.teacher_depth

    def fails(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterable[Measurement]:
        if config.data.teacher_depth == broken:
            raise ValueError("broken")
        return measure(network, x, y, config)

    ended = trained(stacks, folder(tmp_path / "a"), fails)
    kinds = [isinstance(ended[name], ValueError) for name in stacks]
    assert kinds == [False, True, False, False, False, False]
    assert all(outcome.finished for outcome in ended.values() if isinstance(outcome, Outcome))


def test_a_request_to_stop_reaches_every_stack_and_all_go_on_from_there(small: Config, tmp_path: Path) -> None:
    small.train.epochs = 6
    stacks, where, steps = stacks_of(small), folder(tmp_path / "a"), list[None]()

    def stop() -> bool:
        steps.append(None)
        return len(steps) > 12  # fewer than one stack takes to its end

    stopped = trained(stacks, where, stop=stop)
    assert stopped  # those begun; of others there is nothing to say
    assert not any(outcome.finished for outcome in stopped.values() if isinstance(outcome, Outcome))
    resumed, whole = trained(stacks, where), trained(stacks, folder(tmp_path / "b"))
    assert resumed == whole


def test_leaving_early_ends_the_threads(small: Config, tmp_path: Path) -> None:
    small.train.epochs = 10**6
    endless = run_on_streams(
        stacks_of(small), measure, folder(tmp_path / "a"), device=CPU, streams=4, should_stop=bool,
        on_report=lambda report: pytest.fail("nobody listens"),
    )  # fmt: skip
    with pytest.raises(pytest.fail.Exception):
        next(endless)
