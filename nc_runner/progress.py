"""What a person sees while a run trains: bars on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nc_runner.training.stack import Report
from nc_runner.trials import Trial

log = logging.getLogger(__name__)

_PLAIN_EVERY_SECONDS = 15.0


class RunProgress:
    """Trials done of the total, what is training with its loss and accuracy, the rate, and the time left.

    Args:
        stacks: each stack's trials by its name. steps: steps a trial takes, for each stack.
    """

    def __init__(self, stacks: dict[str, list[Trial]], steps: dict[str, int], console: Console) -> None:
        self.stacks, self.steps, self.console = stacks, steps, console
        self.done = dict.fromkeys(stacks, 0)
        self.resumed: dict[str, int] = {}
        self.finished: set[str] = set()
        self.latest: dict[str, Report] = {}
        self.total = sum(steps[name] * len(trials) for name, trials in stacks.items())
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
        """Take in what a stack in training says of itself."""
        trials = self.stacks[report.stack]
        self.resumed.setdefault(report.stack, report.step)
        self.latest[report.stack] = report
        self.done[report.stack] = report.step * len(trials)
        epochs = trials[0].config.train.epochs
        state = f"epoch {report.epoch}/{epochs}  loss {report.loss:.4f}  accuracy {report.accuracy:.4f}"
        if report.stack not in self.rows:
            self.rows[report.stack] = self.bars.add_task(
                f"  {label(trials)}", total=self.steps[report.stack], state=state
            )
        self.bars.update(self.rows[report.stack], completed=report.step, state=state)
        self._refresh()

    def finish(self, stack: str) -> None:
        """A stack has ended."""
        self.finished.add(stack)
        self.latest.pop(stack, None)
        self.done[stack] = self.steps[stack] * len(self.stacks[stack])
        if stack in self.rows:
            self.bars.remove_task(self.rows.pop(stack))
        self._refresh()

    def _refresh(self) -> None:
        trials = f"{self._trials(self.finished)}/{self._trials(set(self.stacks))} trials"
        elapsed, done = time.monotonic() - self.started, sum(self.done.values())
        here = done - sum(step * len(self.stacks[name]) for name, step in self.resumed.items())
        rate = max(here, 0) / max(elapsed, 1e-9)
        self.bars.update(self.overall, completed=done, state=f"{trials}  {rate:,.0f} trial-steps/s")
        if not self.console.is_terminal and time.monotonic() - self.printed >= _PLAIN_EVERY_SECONDS:
            self.printed = time.monotonic()
            left = duration((self.total - done) / rate) if rate else "unknown"
            current = "; ".join(
                f"{label(self.stacks[r.stack])}: epoch {r.epoch}, loss {r.loss:.4f}, accuracy {r.accuracy:.4f}"
                for r in self.latest.values()
            )
            self.console.print(f"{trials}, {rate:,.0f} trial-steps/s, {left} left | {current}", soft_wrap=True)

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
