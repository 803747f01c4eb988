"""Who trains the stacks: this process, or worker processes of one thread each.

One thread a process is what makes a run's sums, and so its bits, the same for any number of workers; at these
sizes two such processes also train twice as much as one process with two threads.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from nc_runner.config.trials import Trial
from nc_runner.record.folder import RunFolder
from nc_runner.record.tables import Outcome
from nc_runner.training.stack import Measure, Report, prepare_process, run_stack

if TYPE_CHECKING:
    import torch

Stacks = dict[str, list[Trial]]

_POLL_SECONDS = 0.1


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_count(jobs: Any, stacks: int, device: torch.device) -> int:
    """Processes for a run: one on a GPU; on a CPU what ``jobs`` says, but no more than there are stacks."""
    if device.type == "cuda":
        return 1
    return max(1, min(available_cores() if jobs == "auto" else int(jobs), stacks))


def run_stacks(
    stacks: Stacks,
    measure: Measure,
    folder: RunFolder,
    *,
    device: torch.device,
    jobs: int,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Iterator[tuple[str, Outcome | Exception]]:
    """Train every stack; yield each one's name with its outcome, or the exception that ended it, as it ends."""
    if jobs == 1:
        yield from _run_here(stacks, measure, folder, device, should_stop, on_report)
    else:
        yield from _run_in_workers(stacks, measure, folder, jobs, should_stop, on_report)


def _run_here(
    stacks: Stacks,
    measure: Measure,
    folder: RunFolder,
    device: torch.device,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Iterator[tuple[str, Outcome | Exception]]:
    import torch

    prepare_process()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, trials in stacks.items():
            if should_stop():
                return
            try:
                yield (
                    name,
                    run_stack(name, trials, measure, folder, device=device, should_stop=should_stop, report=on_report),
                )
            except Exception as error:
                yield name, error
    finally:
        torch.set_num_threads(threads)


def _run_in_workers(
    stacks: Stacks,
    measure: Measure,
    folder: RunFolder,
    jobs: int,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Iterator[tuple[str, Outcome | Exception]]:
    context = multiprocessing.get_context("spawn")  # a forked child inherits torch's thread pools in an unusable state
    reports, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(jobs, context, _start_worker, (measure, reports, stop)) as pool:
        names: dict[Future[Outcome], str] = {
            pool.submit(_work, name, trials, folder): name for name, trials in stacks.items()
        }
        waiting = set(names)
        while waiting:
            done, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            if should_stop() and not stop.is_set():
                stop.set()
                for future in waiting:  # stacks not yet begun have nothing to save
                    future.cancel()
            for report in _drain(reports):
                on_report(report)
            for future in done:
                if future.cancelled():
                    continue
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    error = RuntimeError("a worker process died, perhaps because memory ran out")
                yield names[future], error if isinstance(error, Exception) else future.result()


def _drain(reports: Any) -> Iterator[Report]:
    while True:
        try:
            yield reports.get_nowait()
        except queue.Empty:
            return


class _Worker:
    """What a worker process keeps between stacks."""

    measure: Any
    reports: Any
    stop: Any


def _start_worker(measure: Measure, reports: Any, stop: Any) -> None:
    import torch

    # The parent alone decides when to stop: a terminal or a scheduler signals the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    prepare_process()
    _Worker.measure, _Worker.reports, _Worker.stop = measure, reports, stop


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(name: str, trials: list[Trial], folder: RunFolder) -> Outcome:
    import torch

    return run_stack(
        name,
        trials,
        _Worker.measure,
        folder,
        device=torch.device("cpu"),
        should_stop=_Worker.stop.is_set,
        report=_Worker.reports.put,
    )
