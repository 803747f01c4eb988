"""What a person sees while a run trains: bars on a terminal, one plain line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from nc_runner.config.choices import Method
from nc_runner.config.trials import Trial
from nc_runner.run.estimate import LONG_SECONDS, Cost, fitting_scale, one_after_the_other, together
from nc_runner.run.plan import Plan
from nc_runner.training.stack import Report

log = logging.getLogger(__name__)

_PLAIN_EVERY_SECONDS = 15.0
_WIDE = 110  # columns from which on there is room for rates and accuracies
_WIDE_BAR, _NARROW_BAR = 24, 12  # columns of a bar
_TRUSTED_SECONDS = 5.0  # by which the estimate weighs against what is seen
_A_FEW_SECONDS = 4.0  # below, what starts the workers takes longer than the training
_NOTABLE_SHARE, _NOTABLE_SECONDS = 0.2, 10.0  # from which on it is said that time goes into measuring


def announce(plan: Plan, costs: dict[str, Cost], console: Console, *, resumed: bool = False) -> None:
    """Say how long a run will take, or a resumed one still; where it is long, which scale would fit."""
    cuda = plan.device.type == "cuda"
    seconds = together(costs.values(), plan.jobs, cuda=cuda)
    left = " left" if resumed else ""
    measuring = sum(cost.measuring for cost in costs.values()) / max(sum(cost.seconds for cost in costs.values()), 1e-9)
    parts = f", {measuring:.0%} of it measuring" if measuring >= _NOTABLE_SHARE and seconds >= _NOTABLE_SECONDS else ""
    where = f"{plan.jobs} CPU worker{'s' * (plan.jobs > 1)}"
    if cuda:
        where = torch.cuda.get_device_name(plan.device)
    count = f"{len(plan.trials)} trial{'s' * (len(plan.trials) > 1)}"
    what = f"{plan.config.experiment}: {count}, scale={plan.config.scale.name}"
    if plan.config.train.method is Method.none:
        console.print(f"{what}, on {where}: nothing is trained, so there is no estimate")
    else:
        how_long = f"about {duration(seconds)}" if seconds >= _A_FEW_SECONDS else "a few seconds"
        console.print(f"{what}, on {where}: {how_long}{left}{parts}")
    for reason in plan.absent:
        console.print(f"Without {reason}", soft_wrap=True, markup=False)
    if plan.left_out:
        console.print(f"Left out of the data: {len(plan.left_out)}, the first {plan.left_out[0]}.", soft_wrap=True)
    if seconds > LONG_SECONDS and (fitting := fitting_scale(plan)):
        scale, shorter = fitting
        console.print(f"That is over an hour; scale={scale} would take about {duration(shorter)}. Going on.")


class _Times(ProgressColumn):
    """What ``said`` says, beside the bar of all trials; said anew whenever the screen is."""

    def __init__(self, said: Callable[[], str]) -> None:
        super().__init__(Column(no_wrap=True))
        self.said = said

    def render(self, task: Task) -> Text:
        return Text(self.said() if task.id == 0 else "")


class RunProgress:
    """Trials done of the total, what is training with its loss and accuracy, the time since the start and that left.

    Args:
        stacks: each stack's trials by its name.
        costs: of each stack. Steps of one stack may take a thousand times as long as those of another, so what is done
            and what is left is counted in seconds of the estimate.
        together: seconds of several costs at once, by the estimate.
        before: steps of each stack that an interrupted run had done.
    """

    def __init__(
        self,
        stacks: dict[str, list[Trial]],
        costs: dict[str, Cost],
        console: Console,
        together: Callable[[Iterable[Cost]], float] = one_after_the_other,
        before: Mapping[str, int] | None = None,
    ) -> None:
        self.stacks, self.costs, self.console, self.together = stacks, costs, console, together
        self.before = dict.fromkeys(stacks, 0) | dict(before or {})
        self.steps = dict(self.before)
        self.finished = {name for name, cost in costs.items() if self.steps[name] >= cost.steps}
        self.latest: dict[str, Report] = {}
        self.total = sum(cost.seconds for cost in costs.values())
        self.trained = any(cost.training for cost in costs.values())
        self.started = self.printed = time.monotonic()
        self.wide = console.width >= _WIDE
        self.bars = Progress(
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=_WIDE_BAR if self.wide else _NARROW_BAR),
            TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True)),
            _Times(lambda: self._said()[2]),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            expand=True,
        )
        self.overall = self.bars.add_task("all trials", total=self.total, state="")
        self.rows: dict[str, TaskID] = {}

    def __enter__(self) -> RunProgress:
        self.bars.update(self.overall, state=self._said()[0])
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def report(self, report: Report) -> None:
        """Show what a stack in training reports."""
        trials = self.stacks[report.stack]
        self.latest[report.stack] = report
        self.steps[report.stack] = report.step
        epoch = f"{report.epoch}/{trials[0].config.train.epochs}"
        state = f"epoch {epoch}  loss {report.loss:.4f}  accuracy {report.accuracy:.4f}"
        if not self.wide:
            state = f"{epoch} loss {report.loss:.4f}"
        if report.stack not in self.rows:
            self.rows[report.stack] = self.bars.add_task(
                label(trials, names_of_words=self.wide), total=self.costs[report.stack].steps, state=state
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

    def left(self) -> float:
        """Seconds to the end: those of the estimate, times how much longer than by it the steps so far have taken.

        For the first :data:`_TRUSTED_SECONDS` the estimate weighs more than what was seen.
        """
        before = {name: cost.after(self.before[name]) for name, cost in self.costs.items()}
        after = {name: cost.after(self.steps[name]) for name, cost in self.costs.items()}
        at_start, ahead = self.together(before.values()), self.together(after.values())
        done = sum(before[name].seconds - after[name].seconds for name in before)
        all_of_it = sum(cost.seconds for cost in before.values())
        expected = at_start * done / all_of_it if all_of_it else 0.0
        elapsed = time.monotonic() - self.started
        return ahead * (elapsed + _TRUSTED_SECONDS) / (expected + _TRUSTED_SECONDS)

    def _refresh(self) -> None:
        trials, rate, times = self._said()
        done = sum(cost.seconds * self.steps[name] / cost.steps for name, cost in self.costs.items())
        state = f"{trials}  {rate}" if self.wide else trials
        self.bars.update(self.overall, completed=done, state=state)
        if not self.console.is_terminal and time.monotonic() - self.printed >= _PLAIN_EVERY_SECONDS:
            self.printed = time.monotonic()
            current = "; ".join(
                f"{label(self.stacks[r.stack])}: epoch {r.epoch}, loss {r.loss:.4f}, accuracy {r.accuracy:.4f}"
                for r in self.latest.values()
            )
            self.console.print(f"{trials}, {rate}, {times} | {current}", soft_wrap=True)

    def _said(self) -> tuple[str, str, str]:
        """Trials done of all, the rate, the time since the start and that left.

        Where nothing is trained there is no estimate, and what is left is said from the first stack's end on.
        """
        elapsed = max(time.monotonic() - self.started, 1e-9)
        here = [(step - self.before[name]) * len(self.stacks[name]) for name, step in self.steps.items()]
        return (
            f"{self._trials(self.finished)}/{self._trials(set(self.stacks))} trials",
            f"{sum(here) / elapsed:,.0f} trial-steps/s",
            duration(elapsed) + (f", {duration(self.left())} left" if self.trained or self.finished else ""),
        )

    def _trials(self, stacks: set[str]) -> int:
        return sum(len(self.stacks[name]) for name in stacks)


def label(trials: list[Trial], *, names_of_words: bool = True) -> str:
    """A stack's short name: what its first trial varies, and how many more there are.

    ``names_of_words=False``: a value that is a word stands without its key.
    """
    first = trials[0]
    last = [key.rsplit(".", 1)[-1] for key in first.varied]
    short = {key: name if last.count(name) == 1 else key for key, name in zip(first.varied, last, strict=True)}
    varied = " ".join(
        f"{short[key]}={value}" if names_of_words or not isinstance(value, str) else value
        for key, value in first.varied.items()
    )
    return f"{varied} seed={first.seed}".strip() + (f" +{len(trials) - 1}" if len(trials) > 1 else "")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
