"""How fast a stack trains here, against a textbook loop and against the processor's matrix products, in one run.

    .venv/bin/python scripts/bench_training.py experiment=bn_wd_sweep [any key of a run] [repeats=5]

(a) the textbook loop: DataLoader, nn.Module, torch.optim.SGD, loss.item() each step, torch's default threads;
(b) nc-run's trainer on the same trials: on a CPU one process a core, each with one thread, on a GPU one process;
(c) the matrix-product peak: torch.mm (sgemm) at the shapes of the same networks' forward and backward passes, in as
    many processes as (b), on a GPU as one graph. oneDNN's product, which (b) uses where it is faster, is given too.
Prints milliseconds per trial-step of the whole machine, the ratio a/b, and the fraction of the peak that (b) reaches.
Each is warmed up and repeated, the three interleaved; medians are printed with their range.
"""

from __future__ import annotations

import itertools
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import Activation, Norm
from nc_runner.config.schema import Config, ModelConfig
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import Trial, make_trials
from nc_runner.data import load
from nc_runner.models import layers
from nc_runner.record.provenance import processor_name
from nc_runner.run.plan import choose_device
from nc_runner.run.workers import available_cores
from nc_runner.training.product import product_of_this_machine
from nc_runner.training.sgd import SGD
from nc_runner.training.stack import prepare_process

WARM_UP_SECONDS, TIMED_SECONDS = 0.5, 1.5
COLUMNS = (8, 8, 24, 24, 7, 11, 7, 9, 10)
ACTIVATIONS = {Activation.relu: nn.ReLU, Activation.leaky_relu: nn.LeakyReLU, Activation.linear: nn.Identity}


def per_call(work: Callable[[], object], finish: Callable[[], object] = lambda: None) -> float:
    """Seconds a call takes, over enough calls to fill the timed span, after a warm-up."""
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < WARM_UP_SECONDS:
        work()
    finish()
    started = time.perf_counter()
    while time.perf_counter() - started < TIMED_SECONDS:
        work()
        calls += 1
    finish()
    return (time.perf_counter() - started) / calls


def network(model: ModelConfig, inputs: int, outputs: int) -> nn.Module:
    """The same network as a person would write it."""
    widths = [inputs] + [model.width] * (model.depth - 1)
    parts: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        parts += [nn.Linear(a, b), ACTIVATIONS[model.activation]()]
        if model.norm is not Norm.none:
            parts.append(nn.BatchNorm1d(b, affine=model.norm is Norm.affine))
    return nn.Sequential(*parts, nn.Linear(widths[-1], outputs))


def textbook(trial: Trial, device: torch.device) -> float:
    """(a) Seconds a step of one trial, in the whole machine's hands."""
    train = trial.config.train
    x, y = load(trial.config.data)
    model = network(trial.config.model, x.shape[1], trial.config.data.classes).to(device)
    optimiser = torch.optim.SGD(
        model.parameters(), train.learning_rate, train.momentum, weight_decay=train.weight_decay
    )
    loader = DataLoader(TensorDataset(x, y), train.batch_size or len(x), shuffle=True)
    batches = iter(loader)
    losses = []

    def step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        loss = nn.functional.cross_entropy(model(batch[0].to(device)), batch[1].to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    return per_call(step)


def stacked(stack: list[Trial], device: torch.device) -> float:
    """(b) Seconds a step of one stack in this process."""
    training = SGD(stack, *load(stack[0].config.data), device=device)
    if device.type == "cpu":
        return per_call(training.advance)

    def epoch() -> None:  # on a GPU many steps are one call
        training.advance()
        while not training.between_epochs:
            training.advance()

    return per_call(epoch, torch.cuda.synchronize) / training.steps_per_epoch


def products(stack: list[Trial], device: torch.device, onednn: bool) -> float:
    """(c) Seconds for the matrix products of one step of one stack, nothing else."""
    config, trials = stack[0].config, len(stack)
    batch = min(config.train.batch_size or config.data.samples, config.data.samples)
    widths = [config.data.dim] + [config.model.width] * (config.model.depth - 1) + [config.data.classes]
    work: list[Callable[[], object]] = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        h, w, g = (torch.randn(trials, *shape, device=device) for shape in ((batch, a), (b, a), (batch, b)))
        jobs = [(h, w.mT), (g.mT, h)] + ([(g, w)] if i else [])
        for left, right in jobs:
            if onednn and layers.onednn_could(w):
                work.append(lambda p=left[0], q=right[0]: layers.onednn_linear(p, q.t()))  # type: ignore[misc]
            elif trials == 1:
                work.append(lambda p=left[0], q=right[0], o=(left[0] @ right[0]): torch.mm(p, q, out=o))  # type: ignore[misc]
            else:
                work.append(lambda p=left, q=right, o=(left @ right): torch.bmm(p, q, out=o))  # type: ignore[misc]
    if device.type == "cuda":
        return per_call(captured(work).replay, torch.cuda.synchronize)
    return per_call(lambda: [product() for product in work])


def captured(work: list[Callable[[], object]]) -> torch.cuda.CUDAGraph:
    """Work as one launch, so that the time is the products' own and not that of launching them."""
    for product in work:
        product()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for product in work:
            product()
    return graph


def in_worker(job: Callable[..., float], stack: list[Trial], device: torch.device, *rest: Any) -> float:
    """Run one timing with one thread, as nc-run's workers do."""
    torch.set_num_threads(1)
    prepare_process()
    layers.multiply_by(product_of_this_machine())
    return job(stack, device, *rest)


def main(words: list[str]) -> None:
    """Time the three on the trials of a run's config, and print what came out."""
    repeats = int(next((word.split("=")[1] for word in words if word.startswith("repeats=")), 5))
    config: Config = compose([word for word in words if not word.startswith("repeats=")] or ["experiment=bn_wd_sweep"])
    device = choose_device(config.device)
    stacks = make_stacks(make_trials(config), cuda=device.type == "cuda")
    kinds = {stack[0].config.model.norm.name: stack for stack in reversed(stacks)}  # one stack of each kind
    workers = 1 if device.type == "cuda" else available_cores()
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{workers} workers, {processor_name()}"
    print(f"{where}; torch {torch.__version__}; {sum(map(len, stacks))} trials; medians of {repeats} repeats (range)")
    print("ms per trial-step of the whole machine")
    titles = ("norm", "trials", "(a) textbook", "(b) nc-run", "a/b", "(c) sgemm", "c/b", "oneDNN", "oneDNN/b")
    print("".join(f"{title:>{width}}" for title, width in zip(titles, COLUMNS, strict=True)))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:

        def everywhere(job: Callable[..., float], stack: list[Trial], *rest: Any) -> float:
            """Milliseconds a trial-step when every worker is at the same work."""
            if device.type == "cuda":
                return 1e3 * job(stack, device, *rest) / len(stack)
            seconds = [f.result() for f in [pool.submit(in_worker, job, stack, device, *rest) for _ in range(workers)]]
            return 1e3 * statistics.mean(seconds) / workers / len(stack)

        for kind, stack in kinds.items():
            samples: dict[str, list[float]] = {"a": [], "b": [], "c": [], "d": []}
            for _ in range(repeats):
                samples["a"].append(1e3 * textbook(stack[0], device))
                samples["b"].append(everywhere(stacked, stack))
                samples["c"].append(everywhere(products, stack, False))
                samples["d"].append(everywhere(products, stack, True))
            a, b, c, d = (statistics.median(values) for values in samples.values())
            spread = [f"{m:.3f} ({min(v):.3f}-{max(v):.3f})" for m, v in ((a, samples["a"]), (b, samples["b"]))]
            cells = (kind, len(stack), *spread, f"{a / b:.1f}", f"{c:.3f}", f"{c / b:.0%}", f"{d:.3f}", f"{d / b:.0%}")
            print("".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS, strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
