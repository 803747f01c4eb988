"""Who trains the stacks: this process, or worker processes of one thread each.

One thread a process is what makes a run's sums, and so its bits, the same for any number of workers; at these
sizes two such processes also train twice as much as one process with two threads.

A worker has a pipe to this process and nothing else that is shared: where one dies, of whatever, its pipe ends, its
stack has failed, and the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from nc_runner.config.trials import Trial
from nc_runner.models.layers import multiply_by, product_in_use
from nc_runner.record.folder import RunFolder
from nc_runner.record.tables import Outcome
from nc_runner.run.streams import MOST_STREAMS, run_on_streams
from nc_runner.training.stack import Measure, Report, prepare_process, run_stack

if TYPE_CHECKING:
    import torch

Stacks = dict[str, list[Trial]]
Ended = Generator[tuple[str, Outcome | Exception], None, None]

_POLL_SECONDS = 0.1


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_count(jobs: Any, stacks: int, device: torch.device) -> int:
    """How many stacks train at once: on a GPU a few, in one process; on a CPU what ``jobs`` says, each in a process."""
    if device.type == "cuda":
        return max(1, min(MOST_STREAMS, stacks))
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
) -> Ended:
    """Train every stack; yield each one's name with its outcome, or the exception that ended it, as it ends."""
    if device.type == "cuda":
        return run_on_streams(
            stacks, measure, folder, device=device, streams=jobs, should_stop=should_stop, on_report=on_report
        )
    if jobs == 1:
        return _run_here(stacks, measure, folder, device, should_stop, on_report)
    return _run_in_workers(stacks, measure, folder, jobs, should_stop, on_report)


def _run_here(
    stacks: Stacks,
    measure: Measure,
    folder: RunFolder,
    device: torch.device,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Ended:
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


class _Worker:
    """A worker process: its pipe, and the stack it is at work on, if any."""

    def __init__(self, measure: Measure, folder: RunFolder) -> None:
        context = multiprocessing.get_context("spawn")  # a forked child inherits torch's thread pools, unusable
        self.pipe, theirs = context.Pipe()
        self.stack: str | None = None
        self.process = context.Process(target=_work, args=(theirs, measure, folder, product_in_use()), daemon=True)
        with _signals_held():
            self.process.start()
        theirs.close()  # so that the pipe ends with the worker

    def give(self, name: str, trials: list[Trial]) -> None:
        """Send it a stack to train."""
        self.stack = name
        self.pipe.send((name, trials))

    def death(self) -> RuntimeError:
        """What to say of a worker that is no more."""
        self.process.join()
        code = self.process.exitcode or 0
        how = f"died by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = " (perhaps for want of memory: try jobs=1)" if code == -signal.SIGKILL else ""
        return RuntimeError(f"its worker process {how}{hint}")


def _run_in_workers(
    stacks: Stacks,
    measure: Measure,
    folder: RunFolder,
    jobs: int,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Ended:
    waiting, stopping = list(stacks), False
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.stack for worker in workers):
            if should_stop() and not stopping:
                stopping, waiting = True, []  # stacks not yet begun have nothing to save
                for worker in workers:
                    with contextlib.suppress(OSError):  # it is gone, which its pipe will say
                        worker.pipe.send(None)
                continue
            for worker in workers:
                if worker.stack is None and waiting:
                    worker.give(name := waiting.pop(0), stacks[name])
            while waiting and len(workers) < jobs:
                workers.append(_Worker(measure, folder))
                workers[-1].give(name := waiting.pop(0), stacks[name])
            for pipe in wait([worker.pipe for worker in workers], _POLL_SECONDS):
                worker = next(worker for worker in workers if worker.pipe is pipe)
                try:
                    said = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    workers.remove(worker)
                    if worker.stack is not None:
                        yield worker.stack, worker.death()
                    continue
                if isinstance(said, Report):
                    on_report(said)
                elif worker.stack is not None:
                    name, worker.stack = worker.stack, None
                    yield name, said
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back what would stop a process; a child started meanwhile does so for all its life.

    A terminal or a scheduler signals the whole group, and the parent alone decides when to stop. A child that only
    ignored signals once it ran would die of one while it still imports torch.
    """
    resource_tracker.ensure_running()  # which starts a process too, and unblocks signals after
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, measure: Measure, folder: RunFolder, product: str) -> None:
    """A worker's life: a stack at a time, until it is asked to stop."""
    import torch

    todo: queue.SimpleQueue[tuple[str, list[Trial]] | None] = queue.SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_listen, args=(pipe, todo, stop), daemon=True).start()
    torch.set_num_threads(1)
    prepare_process()
    multiply_by(product)
    while (given := todo.get()) is not None:
        name, trials = given
        try:
            ended: Outcome | Exception = run_stack(
                name, trials, measure, folder, device=torch.device("cpu"), should_stop=stop.is_set, report=pipe.send
            )
        except Exception as error:
            ended = _sendable(error)
        pipe.send(ended)


def _listen(pipe: Connection, todo: queue.SimpleQueue[Any], stop: threading.Event) -> None:
    """Take in stacks, and the word to stop; end at once where the parent is gone, as nobody else ends a worker then."""
    while True:
        try:
            given = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        todo.put(given)
        if given is None:
            stop.set()


def _sendable(error: Exception) -> Exception:
    """The error, or its words where it does not survive a pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
