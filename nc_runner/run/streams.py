"""Stacks on a GPU: each in a thread with a stream of its own, so that small kernels of several run at once."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import torch

from nc_runner.config.trials import Trial
from nc_runner.record.folder import RunFolder
from nc_runner.record.tables import Outcome
from nc_runner.training.stack import Measure, Report, prepare_process, run_stack

# Three stacks of bn_wd_sweep take 0.6 of the time they take one after the other, five ResNet20 likewise (H100). More
# streams than a few are of no use, and every stack's activations are in memory at once.
MOST_STREAMS = 5


def run_on_streams(
    stacks: dict[str, list[Trial]],
    measure: Measure,
    folder: RunFolder,
    *,
    device: torch.device,
    streams: int,
    should_stop: Callable[[], bool],
    on_report: Callable[[Report], None],
) -> Generator[tuple[str, Outcome | Exception], None, None]:
    """Train every stack; yield each one's name with its outcome, or the exception that ended it, as it ends."""
    prepare_process(next(iter(stacks.values()))[0].config.train.matmul_precision)
    said: queue.SimpleQueue[Report | tuple[str, Outcome | Exception]] = queue.SimpleQueue()
    leaving = False

    def stop() -> bool:
        return leaving or should_stop()

    def train(name: str, trials: list[Trial]) -> None:
        try:
            if stop():  # not yet begun, so there is nothing to save
                return
            with torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext():
                outcome: Outcome | Exception = run_stack(
                    name, trials, measure, folder, device=device, should_stop=stop, report=said.put
                )
        except Exception as error:
            outcome = error
        said.put((name, outcome))

    with ThreadPoolExecutor(streams, "stack") as pool:
        futures = [pool.submit(train, name, trials) for name, trials in stacks.items()]
        try:
            while not (said.empty() and all(future.done() for future in futures)):
                try:
                    news = said.get(timeout=0.1)
                except queue.Empty:
                    continue
                if isinstance(news, Report):
                    on_report(news)
                else:
                    yield news
        finally:
            leaving = True
