"""How long a run will take, from a few timed steps, said before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple

import torch
from rich.console import Console

from nc_runner import memory
from nc_runner.choices import IMAGE_DATA, Method
from nc_runner.config import Config
from nc_runner.configs import SCALES
from nc_runner.data import load
from nc_runner.experiments.base import Experiment
from nc_runner.progress import duration
from nc_runner.training import Training, begin
from nc_runner.training.probes import probe_epochs
from nc_runner.training.stack import prepare_process
from nc_runner.trials import Trial, make_stacks, stack_key

LONG_SECONDS = 3600.0
_WARM_UP_STEPS, _TIMED_STEPS, _TIMED_SECONDS, _FLOW_SECONDS = 3, 10, 10.0, 2.0
_TIMED_IMAGES = 500  # a measurement of a whole set of images may take a CPU many minutes, and is linear in them


class Cost(NamedTuple):
    """What a stack takes: steps, and seconds by the estimate."""

    steps: int
    seconds: float


def announce_cost(
    config: Config,
    stacks: Sequence[list[Trial]],
    experiment: Experiment,
    device: torch.device,
    jobs: int,
    at_scale: Callable[[str], list[Trial]] | None,
    console: Console,
) -> dict[str, Cost]:
    """Print the expected time; where it is long, name the scale that would fit. Returns the cost of each stack.

    Args:
        at_scale: the same trials at another scale.
    """
    each = estimates(stacks, experiment, device)
    seconds = together(each, jobs)
    trials = sum(len(stack) for stack in stacks)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{jobs} CPU worker{'s' * (jobs > 1)}"
    console.print(
        f"{config.experiment}: {trials} trials, scale={config.scale.name}, on {where}: about {duration(seconds)}"
    )
    if seconds > LONG_SECONDS and at_scale is not None:
        for scale in SCALES[SCALES.index(config.scale.name) + 1 :]:
            smaller = make_stacks(at_scale(scale), cuda=device.type == "cuda")
            if (shorter := together(estimates(smaller, experiment, device), jobs)) <= LONG_SECONDS:
                console.print(f"That is over an hour; scale={scale} would take about {duration(shorter)}. Going on.")
                break
    return {
        stack[0].id: Cost(steps_of(stack[0].config), of_stack) for stack, of_stack in zip(stacks, each, strict=True)
    }


def steps_of(config: Config) -> int:
    """Steps a trial takes: of the optimiser, or output times of a flow."""
    if config.train.method is Method.none:
        return 1
    if config.train.method is not Method.sgd:
        return config.train.epochs
    batch = min(config.train.batch_size or config.data.samples, config.data.samples)
    return config.train.epochs * -(-config.data.samples // batch)


def together(seconds: Sequence[float], jobs: int) -> float:
    """Seconds for all stacks; there are no more workers than stacks, so the longest one is a floor."""
    return max(sum(seconds) / jobs, *seconds)


def estimates(stacks: Sequence[list[Trial]], experiment: Experiment, device: torch.device) -> list[float]:
    """Seconds to train and measure each stack, from a few steps and one measurement of each kind."""
    prepare_process()
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        kinds: dict[tuple[str, int], float] = {}
        each = []
        for stack in stacks:
            kind = (stack_key(stack[0]), len(stack))
            if kind not in kinds:
                kinds[kind] = stack_seconds(stack, experiment, device)
            each.append(kinds[kind])
        return each
    finally:
        torch.set_num_threads(threads)
        memory.release_freed()  # the workers need it more


def stack_seconds(stack: list[Trial], experiment: Experiment, device: torch.device) -> float:
    """Seconds to train and measure one stack."""
    config = stack[0].config
    if config.train.method is Method.none:
        return 1.0
    training = begin(stack, *load(config.data), device=device)
    advance(training, _WARM_UP_STEPS)
    before = training.step
    flow = config.train.method is Method.flow
    # How much work an output of a flow is cannot be told from its first ones.
    times, limit = (config.train.epochs, _FLOW_SECONDS) if flow else (_TIMED_STEPS, _TIMED_SECONDS)
    step = timed(lambda: advance(training, times, limit), device) / max(1, training.step - before)
    stride = max(1, len(training.x) // _TIMED_IMAGES) if config.data.name in IMAGE_DATA else 1
    x, y = training.x[::stride], training.y[::stride]
    with torch.no_grad():
        # The first call pays for what is loaded on first use, many times over where a measurement is small.
        probe = min(timed(lambda: list(experiment.measure(training.network, x, y, config)), device) for _ in range(2))
    return step * steps_of(config) + stride * probe * len(probe_epochs(config))


def advance(training: Training, times: int, seconds: float = inf) -> None:
    """Several steps, as far as there are, and no new one once the time is up."""
    end = time.perf_counter() + seconds
    while times > 0 and not training.finished and time.perf_counter() < end:
        training.advance()
        times -= 1


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that ``work`` takes, the device's included."""
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
