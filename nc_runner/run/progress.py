"""What a person sees while a run trains: bars on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from types import TracebackType

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nc_runner.config.trials import Trial
from nc_runner.run.estimate import LONG_SECONDS, Cost, fitting_scale, together
from nc_runner.run.plan import Plan
from nc_runner.training.stack import Report

log = logging.getLogger(__name__)

_PLAIN_EVERY_SECONDS = 15.0
_NOTABLE_SHARE, _NOTABLE_SECONDS = 0.2, 10.0  # from which on it is said that time goes into measuring


def announce(plan: Plan, costs: dict[str, Cost], console: Console) -> None:
    """Say how long a run will take; where it is long, which scale would fit."""
    cuda = plan.device.type == "cuda"
    seconds = together(costs.values(), plan.jobs, cuda=cuda)
    measuring = sum(cost.measuring for cost in costs.values()) / max(sum(cost.seconds for cost in costs.values()), 1e-9)
    parts = f", {measuring:.0%} of it measuring" if measuring >= _NOTABLE_SHARE and seconds >= _NOTABLE_SECONDS else ""
    where = f"{plan.jobs} CPU worker{'s' * (plan.jobs > 1)}"
    if cuda:
        where = torch.cuda.get_device_name(plan.device)
    count = f"{len(plan.trials)} trial{'s' * (len(plan.trials) > 1)}"
    what = f"{plan.config.experiment}: {count}, scale={plan.config.scale.name}"
    console.print(f"{what}, on {where}: about {duration(seconds)}{parts}")
    if plan.left_out:
        console.print(f"Left out of the data: {len(plan.left_out)}, the first {plan.left_out[0]}.", soft_wrap=True)
    if seconds > LONG_SECONDS and (fitting := fitting_scale(plan)):
        scale, shorter = fitting
        console.print(f"That is over an hour; scale={scale} would take about {duration(shorter)}. Going on.")


class RunProgress:
    """Trials done of the total, what is training with its loss and accuracy, the rate, and the time left.

    Args:
        stacks: each stack's trials by its name.
        costs: of each stack. Steps of one stack may take a thousand times as long as those of another, so what is done
            and what is left is counted in seconds of the estimate.
    """

    def __init__(self, stacks: dict[str, list[Trial]], costs: dict[str, Cost], console: Console) -> None:
        self.stacks, self.costs, self.console = stacks, costs, console
        self.steps = dict.fromkeys(stacks, 0)
        self.resumed: dict[str, int] = {}
        self.finished: set[str] = set()
        self.latest: dict[str, Report] = {}
        self.total = sum(cost.seconds for cost in costs.values())
        self.started = self.printed = time.monotonic()
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.overall = self.bars.add_task("all trials", total=self.total, state="")
        self.rows: dict[str, TaskID] = {}

    def __enter__(self) -> RunProgress:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def report(self, report: Report) -> None:
        """Show what a stack in training reports."""
        trials = self.stacks[report.stack]
        self.resumed.setdefault(report.stack, report.step)
        self.latest[report.stack] = report
        self.steps[report.stack] = report.step
        epochs = trials[0].config.train.epochs
        state = f"epoch {report.epoch}/{epochs}  loss {report.loss:.4f}  accuracy {report.accuracy:.4f}"
        if report.stack not in self.rows:
            self.rows[report.stack] = self.bars.add_task(
                f"  {label(trials)}", total=self.costs[report.stack].steps, state=state
            )
        self.bars.update(self.rows[report.stack], completed=report.step, state=state)
        self._refresh()

    def finish(self, stack: str) -> None:
        """A stack has ended."""
        self.finished.add(stack)
        self.latest.pop(stack, None)
        self.steps[stack] = self.costs[stack].steps
        if stack in self.rows:
            self.bars.remove_task(self.rows.pop(stack))
        self._refresh()

    def _refresh(self) -> None:
        trials = f"{self._trials(self.finished)}/{self._trials(set(self.stacks))} trials"
        elapsed = max(time.monotonic() - self.started, 1e-9)
        here = {name: step - self.resumed.get(name, 0) for name, step in self.steps.items()}
        rate = sum(max(steps, 0) * len(self.stacks[name]) for name, steps in here.items()) / elapsed
        done, done_here = self._seconds(self.steps), self._seconds(here)
        self.bars.update(self.overall, completed=done, state=f"{trials}  {rate:,.0f} trial-steps/s")
        if not self.console.is_terminal and time.monotonic() - self.printed >= _PLAIN_EVERY_SECONDS:
            self.printed = time.monotonic()
            left = duration((self.total - done) / done_here * elapsed) if done_here > 0 else "unknown"
            current = "; ".join(
                f"{label(self.stacks[r.stack])}: epoch {r.epoch}, loss {r.loss:.4f}, accuracy {r.accuracy:.4f}"
                for r in self.latest.values()
            )
            self.console.print(f"{trials}, {rate:,.0f} trial-steps/s, {left} left | {current}", soft_wrap=True)

    def _seconds(self, steps: dict[str, int]) -> float:
        return sum(cost.seconds * steps[name] / cost.steps for name, cost in self.costs.items())

    def _trials(self, stacks: set[str]) -> int:
        return sum(len(self.stacks[name]) for name in stacks)


def label(trials: list[Trial]) -> str:
    """A stack's short name: what its first trial varies, and how many more there are."""
    first = trials[0]
    last = [key.rsplit(".", 1)[-1] for key in first.varied]
    short = {key: name if last.count(name) == 1 else key for key, name in zip(first.varied, last, strict=True)}
    varied = " ".join(f"{short[key]}={value}" for key, value in first.varied.items())
    return f"{varied} seed={first.seed}".strip() + (f" +{len(trials) - 1}" if len(trials) > 1 else "")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
