"""The story of one run: plan, training, tables, figures and verdicts."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from nc_runner.record.folder import RunFolder
from nc_runner.record.provenance import now, provenance
from nc_runner.record.tables import Outcome, metrics_table, trials_table
from nc_runner.run.estimate import costs as estimated
from nc_runner.run.judge import draw_and_judge
from nc_runner.run.plan import Plan
from nc_runner.run.progress import RunProgress, announce
from nc_runner.run.results import read_results
from nc_runner.run.workers import run_stacks

log = logging.getLogger(__name__)


def run(plan: Plan, folder: RunFolder, console: Console | None = None) -> int:
    """Train what is not yet trained, write the tables, draw the figures and judge the claims.

    Args:
        folder: an empty run folder, or that of an interrupted run, which goes on.

    Returns:
        The exit code: 0, 1 where a stack failed, 130 or 143 where a signal ended the run.
    """
    console = console or Console()
    config, experiment, trials, stacks = plan.config, plan.experiment, plan.trials, plan.stacks
    with folder.locked(), logging_to(folder), stop_on_signal() as stopped_by:
        if not (folder.path / "provenance.json").exists():
            folder.write_json("provenance.json", provenance(config, plan.data, device=plan.device, jobs=plan.jobs))
        folder.update_status(state="running", trials=len(trials), trials_done=0, reason=None, updated=now())
        log.info(
            "%s: %d trials in %d stacks, %d workers, %s",
            config.experiment, len(trials), len(stacks), plan.jobs, plan.device,
        )  # fmt: skip
        costs = estimated(stacks, experiment.measure, plan.device)
        announce(plan, costs, console)

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
                experiment.measure,
                folder,
                device=plan.device,
                jobs=plan.jobs,
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
        draw_and_judge(folder, read_results([folder]), experiment, console)
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
