"""What stacking saves: many trials in one stack against the same trials one after the other, by the same trainer.

    .venv/bin/python scripts/bench_stack.py [experiment=NAME] [any key of a run] [trials=100] [repeats=7]

Times full-batch steps of as many trials as asked for, which differ in their seeds alone, with one thread:
(a) each trial a stack of its own, one after the other;
(b) all trials in one stack;
(c) the stacks that a run makes of them, one after the other: on a CPU, stacks that fit a core's cache.
Prints microseconds per trial-step, the ratios, and the floor: the time of the step's matrix products alone at the rate
at which this thread multiplies matrices of 512 x 512. No ratio can exceed (a) over the floor.
Each is warmed up and repeated, the three interleaved; medians are printed with their range, of ratios too. Without
words it takes networks of several sizes without biases on a Gaussian mixture, by the mean squared error.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import sys
import time

import torch

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import Method
from nc_runner.config.schema import Config
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import Trial, make_trials
from nc_runner.data import load
from nc_runner.record.provenance import processor_name
from nc_runner.run.plan import choose_device
from nc_runner.training.sgd import SGD
from nc_runner.training.stack import prepare_process

WARM_UP_STEPS, TIMED_STEPS = 5, 20
MIXTURE = ["data=gaussian_mixture", "data.classes=10", "model.norm=none", "model.bias=false", "train.loss=mse"]
# Width, samples, input dimension, linear layers.
SIZES = [(10, 10, 10, 4), (16, 20, 10, 4), (32, 100, 10, 5), (64, 100, 64, 5), (64, 200, 64, 5), (100, 200, 64, 6)]
COLUMNS = (7, 9, 5, 7, 24, 22, 22, 20, 20, 9)


def microseconds(stacks: list[list[Trial]], device: torch.device) -> float:
    """Per trial-step, of every stack from its first steps, one after the other."""
    data = load(stacks[0][0].config.data)
    total = 0.0
    for stack in stacks:
        training = SGD(stack, *data, device=device)
        for _ in range(WARM_UP_STEPS):
            training.advance()
        training.epoch_loss().sum().item()  # waits for the device
        started = time.perf_counter()
        for _ in range(TIMED_STEPS):
            training.advance()
        training.epoch_loss().sum().item()
        total += time.perf_counter() - started
    return 1e6 * total / TIMED_STEPS / sum(map(len, stacks))


def multiplications(config: Config) -> float:
    """Floating-point operations in the matrix products of one trial-step."""
    widths = [config.data.dim] + [config.model.width] * (config.model.depth - 1) + [config.data.classes]
    products = [2.0 * config.data.samples * a * b for a, b in itertools.pairwise(widths)]
    return 3 * sum(products) - products[0]  # nothing needs the gradient at the data


def peak(device: torch.device) -> float:
    """Floating-point operations a microsecond of torch.mm, the best of some."""
    a, b = torch.randn(2, 512, 512, device=device)
    best = float("inf")
    for _ in range(50):
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return 2 * 512**3 / best / 1e6


def measure(config: Config, trials: int, repeats: int) -> None:
    """One row of the table."""
    device = choose_device(config.device)
    train = dataclasses.replace(config.train, method=Method.sgd, batch_size=None, epochs=10**6, lr_milestones=[])
    members = make_trials(dataclasses.replace(config, train=train, seeds=trials, grid={}))
    stacks = make_stacks(members, cuda=device.type == "cuda")
    ways = ([[trial] for trial in members], [members], stacks)
    alone, together, run = zip(*([microseconds(way, device) for way in ways] for _ in range(repeats)), strict=True)
    cells = (
        config.model.width,
        config.data.samples,
        config.data.dim,
        config.model.depth,
        *(ranged(values, ".1f") for values in (alone, together)),
        f"{len(stacks[0])}: {ranged(run, '.1f')}",
        *(ranged([a / b for a, b in zip(alone, other, strict=True)], ".2f") for other in (together, run)),
        f"{multiplications(config) / peak(device):.1f}",
    )
    print("".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS, strict=True)), flush=True)


def ranged(values: tuple[float, ...] | list[float], spec: str) -> str:
    """The median and the range."""
    return f"{statistics.median(values):{spec}} ({min(values):{spec}}-{max(values):{spec}})"


def main(words: list[str]) -> None:
    """Time a run's config, or networks of several sizes."""
    own = dict(word.split("=") for word in words if word.startswith(("trials=", "repeats=")))
    words = [word for word in words if not word.startswith(("trials=", "repeats="))]
    trials, repeats = int(own.get("trials", 100)), int(own.get("repeats", 7))
    torch.set_num_threads(1)
    prepare_process()
    print(f"{processor_name()}; torch {torch.__version__}; {trials} trials; medians of {repeats} repeats (range)")
    print("microseconds per trial-step, one thread; (c) with the trials of its stacks")
    titles = ("width", "samples", "dim", "layers", "(a) one by one", "(b) one stack", "(c) a run's stacks")
    print("".join(f"{t:>{w}}" for t, w in zip((*titles, "a/b", "a/c", "floor"), COLUMNS, strict=True)))
    sizes = ("model.width", "data.samples", "data.dim", "model.depth")
    rows = [[f"{key}={value}" for key, value in zip(sizes, row, strict=True)] for row in SIZES]
    for row in [words] if words else [MIXTURE + row for row in rows]:
        measure(compose(row), trials, repeats)


if __name__ == "__main__":
    main(sys.argv[1:])
