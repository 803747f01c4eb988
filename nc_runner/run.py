"""The story of one run: config, trials, stacks, training, tables, figures and claims."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from rich.console import Console

from nc_runner import data, experiments, report
from nc_runner.check import check
from nc_runner.choices import IMAGE_DATA, Device
from nc_runner.config import Config
from nc_runner.cost import announce_cost
from nc_runner.errors import UserError
from nc_runner.folder import RunFolder
from nc_runner.progress import RunProgress
from nc_runner.provenance import now, provenance
from nc_runner.tables import metrics_table, trials_table
from nc_runner.training.stack import Outcome
from nc_runner.trials import Trial, make_stacks, make_trials
from nc_runner.workers import run_stacks, worker_count

log = logging.getLogger(__name__)


def validate(config: Config, overridden: Sequence[str]) -> list[Trial]:
    """Refuse a config before anything is written, and return the trials it means.

    Raises:
        UserError: a key's value is not allowed.
    """
    experiment = experiments.load(config.experiment)
    check(config)
    choose_device(config.device)
    trials = make_trials(config, overridden)
    for trial in trials:
        if experiment.check:
            experiment.check(trial.config)
        if trial.config.data.name in IMAGE_DATA:
            data.load(trial.config.data)  # refuses a data set that is not there, before anything is written
    return trials


def choose_device(device: Device) -> torch.device:
    """The device to train on.

    Raises:
        UserError: device=cuda on a machine without one.
    """
    if device is Device.cuda and not torch.cuda.is_available():
        raise UserError("device=cuda: torch sees no GPU on this machine; allowed here are auto and cpu.")
    return torch.device("cuda" if device is not Device.cpu and torch.cuda.is_available() else "cpu")


def run(
    config: Config,
    folder: RunFolder,
    *,
    overridden: Sequence[str] = (),
    at_scale: Callable[[str], Config] | None = None,
    console: Console | None = None,
) -> int:
    """Train what is not yet trained, write the tables, draw the figures and judge the claims.

    Args:
        folder: an empty run folder, or that of an interrupted run, which goes on.
        overridden: dotted keys that the command line set; they replace the grid's axes of the same name.
        at_scale: the same config at another scale, to say which would fit.

    Returns:
        The exit code: 0, 1 where a stack failed, 130 or 143 where a signal ended the run.
    """
    console = console or Console()
    experiment = experiments.load(config.experiment)
    assert config.experiment is not None
    trials, device = validate(config, overridden), choose_device(config.device)
    stacks = {stack[0].id: stack for stack in make_stacks(trials, cuda=device.type == "cuda")}
    jobs = worker_count(config.jobs, len(stacks), device)

    with folder.locked(), logging_to(folder), stop_on_signal() as stopped_by:
        if not (folder.path / "provenance.json").exists():
            sets = {str(trial.config.data): trial.config.data for trial in trials}
            folder.write_json("provenance.json", provenance(config, sets.values(), device=device, jobs=jobs))
        folder.update_status(state="running", trials=len(trials), trials_done=0, reason=None, updated=now())
        log.info(
            "%s: %d trials in %d stacks, %d workers, %s", config.experiment, len(trials), len(stacks), jobs, device
        )
        smaller = (lambda scale: make_trials(at_scale(scale), overridden)) if at_scale else None
        costs = announce_cost(config, list(stacks.values()), experiment, device, jobs, smaller, console)

        outcomes: dict[str, Outcome] = {}
        failures: dict[str, Exception] = {}
        started = time.monotonic()

        def write_tables() -> None:
            metrics = metrics_table(trials, outcomes)
            folder.write_metrics(metrics)
            folder.write_trials(trials_table(trials, outcomes, metrics, experiment.headline))

        with RunProgress(stacks, costs, console) as progress:
            for name, outcome in run_stacks(
                stacks,
                config.experiment,
                folder,
                device=device,
                jobs=jobs,
                should_stop=lambda: bool(stopped_by),
                on_report=progress.report,
            ):
                if isinstance(outcome, Exception):
                    failures[name] = outcome
                    log.error("stack %s failed: %r", name, outcome, exc_info=outcome)
                    continue
                outcomes[name] = outcome
                write_tables()
                if outcome.finished:
                    progress.finish(name)
                    log.info("stack %s finished", name)
                    done = sum(len(stacks[other]) for other, o in outcomes.items() if o.finished)
                    folder.update_status(trials_done=done, updated=now())
        write_tables()
        log.info("training ended after %.1f s", time.monotonic() - started)

        if stopped_by:
            name = signal.Signals(stopped_by[0]).name
            folder.update_status(state="interrupted", reason=name, updated=now())
            console.print(
                f"Interrupted ({name}); everything is saved. Go on with: nc-run resume {folder.path}", soft_wrap=True
            )
            return 128 + stopped_by[0]
        if failures:
            reason = "; ".join(f"{name}: {error}" for name, error in failures.items())
            folder.update_status(state="failed", reason=reason, updated=now())
            console.print(f"Failed: {reason}. Try again with: nc-run resume {folder.path}", soft_wrap=True)
            return 1
        report.draw_and_judge(folder, report.read_results([folder]), experiment, console)
        folder.remove_checkpoints()
        folder.update_status(state="completed", finished=now(), updated=now())
    return 0


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM append themselves to, instead of ending the process; a second SIGINT ends it."""
    caught: list[int] = []

    def remember(number: int, _: object) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(number)

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def logging_to(folder: RunFolder) -> Iterator[None]:
    """Keep nc-run.log while inside."""
    handler = logging.FileHandler(folder.path / "nc-run.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    package = logging.getLogger("nc_runner")
    level, propagates = package.level, package.propagate
    package.addHandler(handler)
    package.setLevel(logging.INFO)
    package.propagate = False
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        package.propagate = propagates
        handler.close()
