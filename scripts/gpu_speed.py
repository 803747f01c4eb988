"""How fast a GPU is: the parts speed and paper of scripts/gpu_check.

torch is imported where it is used: it may lie in the wheels that gpu_check.py installs first.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from gpu_agreement import nc_run

SECONDS = 0.75  # of each timing
DECAYS = "[1e-4,3e-4,5e-4,1e-3,3e-3,5e-3,7e-3,1e-2]"
# Five ReLU layers and four linear ones on inputs of MNIST's size: linear_head_mlp without its images.
HEAD = (
    "seeds=5", "data.dim=784", "data.samples=5420", "model.depth=9", "model.width=64", "model.linear_layers=4",
    "model.bias=false", "model.init=he", "train.loss=mse", "train.learning_rate=1e-3",
    "grid={model.norm:[none],train.weight_decay:[1.8e-3]}",
)  # fmt: skip


def speed() -> dict[str, Any]:
    """Milliseconds a trial-step, of a textbook loop and of stacks of 8 and 40; images a second of ResNets."""
    import torch
    from bench_convolution import plain
    from bench_training import textbook

    from nc_runner.cli.mistakes import compose
    from nc_runner.config.choices import MatmulPrecision
    from nc_runner.config.stacks import make_stacks
    from nc_runner.config.trials import make_trials
    from nc_runner.data import load
    from nc_runner.training.sgd import SGD
    from nc_runner.training.stack import prepare_process

    device = torch.device("cuda")
    prepare_process()

    def stack(*words: str) -> list[Any]:
        return make_stacks(make_trials(compose(["experiment=bn_wd_sweep", *words])), cuda=True)[0]

    found: dict[str, Any] = {"trial_step_ms": {}, "linear_head_mlp": {}, "images_a_second": {}}
    for norm in ("affine", "plain", "none"):
        row: dict[str, Any] = {}
        for seeds in (1, 5):
            trials = stack(f"seeds={seeds}", f"grid={{model.norm:[{norm}],train.weight_decay:{DECAYS}}}")
            if seeds == 1:
                row["textbook"] = 1e3 * textbook(trials[0], device)
            training = SGD(trials, *load(trials[0].config.data), device=device)
            row[f"stack of {len(trials)}"] = 1e3 * seconds_a_step([training]) / len(trials)
            row["kernels a step"] = kernels(training)
        found["trial_step_ms"][norm] = row
    trials = stack(*HEAD)
    training = SGD(trials, *load(trials[0].config.data), device=device)
    found["linear_head_mlp"] = {"step_ms": 1e3 * seconds_a_step([training]), "kernels a step": kernels(training)}

    for name, channels in (("resnet20", 16), ("resnet18", 64)):
        base = compose(["data=cifar10", f"model={name}", f"model.channels={channels}", "data.samples=2560"])
        base.train.batch_size = 128
        row = {"plain loop": plain(base, 1)}
        x, y = torch.randn(2560, 3, 32, 32), torch.arange(2560) % 10
        for precision in MatmulPrecision:
            prepare_process(precision)
            trials = make_trials(dataclasses.replace(base, seeds=5))
            networks = [SGD([trial], x, y, device=device) for trial in trials]
            images = networks[0].batch_size
            row[f"{precision.name}, one"] = images / seconds_a_step(networks[:1])
            row[f"{precision.name}, five at once"] = images * 5 / seconds_a_step(networks)
        prepare_process()
        found["images_a_second"][f"{name}, {channels} channels"] = row
    return found


def seconds_a_step(stacks: list[Any]) -> float:
    """Of stacks that train at once, each in a thread with a stream of its own: seconds a step of all of them."""
    import torch

    cuda = stacks[0].device.type == "cuda"
    barrier, rates = threading.Barrier(len(stacks)), [0.0] * len(stacks)

    def train(i: int) -> None:
        with torch.cuda.stream(torch.cuda.Stream()) if cuda else nullcontext():
            for _ in ("warm-up", "timed"):
                barrier.wait()
                started, before = time.perf_counter(), stacks[i].step
                while time.perf_counter() < started + SECONDS:
                    stacks[i].advance()
                    if stacks[i].between_epochs:
                        stacks[i].epoch_loss().tolist()  # as a run does, which waits for the GPU
                stacks[i].epoch_loss().tolist()
                rates[i] = (stacks[i].step - before) / (time.perf_counter() - started)

    with ThreadPoolExecutor(len(stacks)) as pool:
        list(pool.map(train, range(len(stacks))))
    return len(stacks) / sum(rates)


def kernels(training: Any) -> int:
    """How many kernels, copies included, a step takes, of one minibatch."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    batch = training.order[: training.batch_size]
    step: Callable[[Any], None] = training._steps.update
    step(batch)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        step(batch)
        torch.cuda.synchronize()
    return sum(event.device_type.name == "CUDA" for event in profiled.events())


def paper(work: Path) -> dict[str, Any]:
    """bn_wd_sweep as the paper has it: seconds of training, and from the command to the prompt."""
    found = {}
    for seeds in (1, 5):
        folder, started = work / f"paper-{seeds}", time.perf_counter()
        ended = nc_run("experiment=bn_wd_sweep", f"seeds={seeds}", "device=cuda", f"hydra.run.dir={folder}")
        log = (folder / "nc-run.log").read_text() if folder.exists() else ""
        training = re.search(r"training ended after ([\d.]+) s", log)
        estimated = re.search(r"about (.*)", ended.stdout)
        found[f"{24 * seeds} trials"] = {
            "exit": ended.returncode,
            "training_s": float(training.group(1)) if training else None,
            "all_s": time.perf_counter() - started,
            "estimated": estimated.group(1) if estimated else None,
        }
    return found
