"""The story of one run: plan, training, tables, figures and verdicts; and how it ends."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator

from rich.console import Console

from nc_runner.errors import UserError, refuse
from nc_runner.models.layers import multiply_by
from nc_runner.record.folder import RunFolder
from nc_runner.record.provenance import now, provenance
from nc_runner.record.tables import Outcome, metrics_table, trials_table
from nc_runner.run.estimate import costs as estimated
from nc_runner.run.estimate import together
from nc_runner.run.judge import draw_and_judge
from nc_runner.run.plan import Plan
from nc_runner.run.progress import RunProgress, announce, label
from nc_runner.run.results import read_results
from nc_runner.run.stopping import Requests, Stopped, requests_to_stop
from nc_runner.run.workers import run_stacks
from nc_runner.training.product import product_of_this_machine

log = logging.getLogger(__name__)


class StacksFailedError(Exception):
    """Stacks that did not train to their end, and why."""


class NotDrawnError(Exception):
    """All is trained and measured, but not drawn or judged."""


def run(plan: Plan, folder: RunFolder, console: Console | None = None) -> int:
    """Train what is not yet trained, write the tables, draw the figures and judge the claims.

    However it ends, ``status.json`` says so, where it can be written at all.

    Args:
        folder: an empty run folder, or that of an interrupted run, which goes on.

    Returns:
        The exit code: 0, 1 where something failed, 2 where a person has to change something, 128 and the signal's
        number where one ended the run.
    """
    console = console or Console()
    with folder.locked(), logging_to(folder), requests_to_stop() as requests:
        tell = telling(folder)
        try:
            requests.heed()
            log.info("resumed" if (folder.path / "provenance.json").exists() else "started")
            train(plan, folder, console, requests, tell)
            make_figures(plan, folder, console)
            folder.remove_checkpoints()
            tell(state="completed", finished=now())
            log.info("completed")
            return 0
        except Stopped as stopped:
            ended(folder, tell, "interrupted", stopped.name)
            log.warning("interrupted by %s; saved", stopped.name)
            console.print(
                f"Interrupted ({stopped.name}); what was done is saved. Go on with: nc-run resume {folder.path}",
                soft_wrap=True,
            )
            return stopped.exit_code
        except UserError as error:
            ended(folder, tell, "failed", str(error))
            log.error("failed: %s", error)
            return refuse(error)
        except Exception as error:
            ours = isinstance(error, StacksFailedError | NotDrawnError)
            ended(folder, tell, "failed", str(error) if ours else f"{error!r}")
            log.exception("failed")
            again = "try again with: nc-run resume"
            if isinstance(error, NotDrawnError):
                again = "all measurements are saved; draw and judge them again with: nc-run plot"
            console.print(
                f"Failed: {error}. Its log is {folder.path}/nc-run.log; {again} {folder.path}",
                soft_wrap=True,
                markup=False,
            )
            return 1


def make_figures(plan: Plan, folder: RunFolder, console: Console) -> None:
    """Draw and judge what was measured.

    Raises:
        NotDrawnError: that failed; training did not.
    """
    try:
        draw_and_judge(folder, read_results([folder]), plan.experiment, console)
    except (Stopped, UserError):
        raise
    except Exception as error:
        raise NotDrawnError(f"drawing or judging, after training ({type(error).__name__}: {error})") from error


def telling(folder: RunFolder) -> Callable[..., None]:
    """What changes fields of status.json, and with them ``seconds``: how long the run has taken so far, without pauses.

    Of a process that was killed they hold what it last told; ``killed`` then says that they are too few.
    """
    begun, before = time.monotonic(), folder.read_status()
    killed = before.get("state") == "running" or before.get("killed", False)

    def tell(**changes: object) -> None:
        seconds = round(before.get("seconds", 0.0) + time.monotonic() - begun, 1)
        folder.update_status(**changes, seconds=seconds, killed=killed, updated=now())

    return tell


def ended(folder: RunFolder, tell: Callable[..., None], state: str, reason: str) -> None:
    """Say in status.json how the run ended, and leave it at that where the disk takes no more."""
    with contextlib.suppress(UserError):
        if folder.read_status().get("state") != "completed":
            tell(state=state, reason=reason)


def train(plan: Plan, folder: RunFolder, console: Console, requests: Requests, tell: Callable[..., None]) -> None:
    """Train every stack that is not trained yet, write the tables as each ends, and ``tell`` it in status.json.

    Raises:
        StacksFailedError: some did not train to their end.
        Stopped: somebody asked for it, and all stacks are saved.
    """
    trials, stacks = plan.trials, plan.stacks
    if (folder.path / "provenance.json").exists():
        # Runs that do not say multiplied by oneDNN wherever they could.
        multiply_by(folder.read_json("provenance.json").get("matrix_product", "onednn"))
    else:
        multiply_by(product_of_this_machine() if plan.device.type == "cpu" else "mm")
        known = provenance(plan.config, plan.data, plan.left_out, device=plan.device, jobs=plan.jobs)
        folder.write_json("provenance.json", known)
    tell(state="running", trials=len(trials), trials_done=0, reason=None)
    log.info(
        "%s: %d trials in %d stacks, %d workers, %s",
        plan.config.experiment, len(trials), len(stacks), plan.jobs, plan.device,
    )  # fmt: skip
    with console.status("Timing a few steps"):
        costs = estimated(stacks, plan.experiment.measure, plan.device)
    before = {name: folder.steps_done(name) for name in stacks}
    ahead = {name: cost.after(before[name]) for name, cost in costs.items()}
    announce(plan, ahead, console, resumed=any(before.values()))
    for item in plan.absent:
        log.warning("without %s", item)
    for item in plan.left_out:
        log.warning("left out: %s", item)

    at_once = functools.partial(together, jobs=plan.jobs, cuda=plan.device.type == "cuda")
    outcomes: dict[str, Outcome] = {}
    failures: dict[str, Exception] = {}
    started = time.monotonic()

    def write_tables() -> None:
        metrics = metrics_table(trials, outcomes)
        folder.write_metrics(metrics)
        folder.write_trials(trials_table(trials, outcomes, metrics, plan.experiment.headline))

    with requests.noted(), RunProgress(stacks, costs, console, at_once, before) as progress:
        training = run_stacks(
            stacks,
            plan.experiment.measure,
            folder,
            device=plan.device,
            jobs=plan.jobs,
            should_stop=lambda: requests.first is not None,
            on_report=progress.report,
        )
        with contextlib.closing(training):
            for name, outcome in training:
                if isinstance(outcome, Exception):
                    failures[name] = outcome
                    log.error("stack %s failed: %r", name, outcome, exc_info=outcome)
                    continue
                outcomes[name] = outcome
                write_tables()
                if outcome.finished:
                    if name not in progress.finished:  # before this run was resumed
                        log.info("stack %s finished", name)
                    progress.finish(name)
                    done = sum(len(stacks[other]) for other, o in outcomes.items() if o.finished)
                    tell(trials_done=done)
        write_tables()
    log.info("training ended after %.1f s", time.monotonic() - started)
    if failures:
        said = "; ".join(f"{label(stacks[name])}: {error}" for name, error in failures.items())
        raise StacksFailedError(said)


@contextlib.contextmanager
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
