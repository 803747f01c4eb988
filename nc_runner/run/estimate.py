"""How long a run will take, from a few timed steps before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import NamedTuple

import torch

from nc_runner.config.choices import IMAGE_DATA, Method
from nc_runner.config.compose import SCALES
from nc_runner.config.schema import Config
from nc_runner.config.stacks import stack_key
from nc_runner.config.trials import Trial
from nc_runner.data import load
from nc_runner.run.plan import Plan
from nc_runner.training import Training, begin, memory
from nc_runner.training.probes import probe_epochs
from nc_runner.training.stack import Measure, prepare_process

LONG_SECONDS = 3600.0
_SHARE_ON_STREAMS = 0.65  # of the time that stacks on a GPU take one after the other (three MLPs, five ResNet20; H100)
_WARM_UP_STEPS, _TIMED_STEPS, _TIMED_SECONDS, _FLOW_SECONDS = 3, 10, 10.0, 2.0
_TIMED_IMAGES = 500  # a measurement of a whole set of images may take a CPU many minutes, and is linear in them


class Cost(NamedTuple):
    """What a stack takes: steps, and by the estimate the seconds of training and of measuring."""

    steps: int
    training: float
    measuring: float = 0.0

    @property
    def seconds(self) -> float:
        """Of both."""
        return self.training + self.measuring

    def after(self, steps: int) -> Cost:
        """What is left of it after so many steps."""
        share = max(1 - steps / self.steps, 0.0)
        return Cost(max(self.steps - steps, 0), self.training * share, self.measuring * share)


def costs(stacks: Mapping[str, list[Trial]], measure: Measure, device: torch.device) -> dict[str, Cost]:
    """What each stack takes, from a few timed steps and a timed measurement of each kind of stack."""
    prepare_process(next(iter(stacks.values()))[0].config.train.matmul_precision)
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        kinds: dict[tuple[str, int], tuple[float, float]] = {}
        found = {}
        for name, stack in stacks.items():
            kind = (stack_key(stack[0]), len(stack))
            if kind not in kinds:
                kinds[kind] = stack_seconds(stack, measure, device)
            found[name] = Cost(steps_of(stack[0].config), *kinds[kind])
        return found
    finally:
        torch.set_num_threads(threads)
        memory.release_freed()  # the workers need it more


def fitting_scale(plan: Plan) -> tuple[str, float] | None:
    """The largest smaller scale that takes at most :data:`LONG_SECONDS`, and what it takes; None where none does."""
    for scale in SCALES[SCALES.index(plan.config.scale.name) + 1 :]:
        seconds = together(
            costs(plan.stacks_at(scale), plan.experiment.measure, plan.device).values(),
            plan.jobs,
            cuda=plan.device.type == "cuda",
        )
        if seconds <= LONG_SECONDS:
            return scale, seconds
    return None


def steps_of(config: Config) -> int:
    """Steps a trial takes: of the optimiser, or output times of a flow."""
    if config.train.method is Method.none:
        return 1
    if config.train.method is not Method.sgd:
        return config.train.epochs
    batch = min(config.train.batch_size or config.data.samples, config.data.samples)
    return config.train.epochs * -(-config.data.samples // batch)


def together(costs: Iterable[Cost], jobs: int, *, cuda: bool = False) -> float:
    """Seconds for all stacks, ``jobs`` of them at once: no less than the longest stack takes."""
    seconds = [cost.seconds for cost in costs] or [0.0]
    share = _SHARE_ON_STREAMS if cuda and jobs > 1 else 1 / jobs if not cuda else 1.0
    return max(sum(seconds) * share, *seconds)


def one_after_the_other(costs: Iterable[Cost]) -> float:
    """Seconds for all stacks, one at a time."""
    return together(costs, 1)


def stack_seconds(stack: list[Trial], measure: Measure, device: torch.device) -> tuple[float, float]:
    """Seconds to train one stack, and to measure it."""
    config = stack[0].config
    if config.train.method is Method.none:
        return 0.0, 1.0
    training = begin(stack, *load(config.data), device=device)
    advance(training, _WARM_UP_STEPS)
    before = training.step
    flow = config.train.method is Method.flow
    # The first outputs of a flow do not tell how much work the later ones are, so more of them are timed.
    times, limit = (config.train.epochs, _FLOW_SECONDS) if flow else (_TIMED_STEPS, _TIMED_SECONDS)
    step = timed(lambda: advance(training, times, limit), device) / max(1, training.step - before)
    part = config.data.name in IMAGE_DATA and device.type == "cpu"  # a GPU's time is not linear in so few
    stride = max(1, len(training.x) // _TIMED_IMAGES) if part else 1
    x, y = training.x[::stride], training.y[::stride]
    with torch.no_grad():
        # The first call pays for what is loaded on first use, many times over where a measurement is small.
        probe = min(timed(lambda: list(measure(training.network, x, y, config)), device) for _ in range(2))
    return step * steps_of(config), stride * probe * len(probe_epochs(config))


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
