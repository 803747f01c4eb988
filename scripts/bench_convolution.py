"""How many images a second a convolutional network trains on here, against a plain PyTorch loop, in one run.

    .venv/bin/python scripts/bench_convolution.py [model=resnet20] [model.channels=16] [data=mnist] [repeats=5]

(a) the plain loop: DataLoader over a TensorDataset, nn.Module, torch.optim.SGD, loss.item() each step; on a GPU with
    the channels last and without TF32;
(b) nc-run's trainer on the same network, a stack of one.
On a CPU in two ways: one thread each, and the whole machine, (a) with torch's default threads and (b) with a worker of
one thread a core, each at a network of its own. Images are noise of the data set's shape. Each is warmed up and
repeated, (a) and (b) in turn; medians are printed with their range.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor

import torch
from bench_training import per_call
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import DataName, ModelName
from nc_runner.config.schema import Config, ModelConfig
from nc_runner.config.trials import make_trials
from nc_runner.record.provenance import processor_name
from nc_runner.run.plan import choose_device
from nc_runner.run.workers import available_cores
from nc_runner.training.sgd import SGD
from nc_runner.training.stack import prepare_process

DEFAULTS = ["data=cifar10", "model=resnet20", "data.samples=2560", "train.batch_size=128"]
SHAPES = {DataName.cifar10: (3, 32, 32), DataName.digits: (1, 8, 8)}
GREY = (1, 28, 28)


class Block(nn.Module):
    """Two convolutions and what goes past them."""

    def __init__(self, inputs: int, outputs: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.more = outputs - inputs
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if self.more and projection
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        h = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.more:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))
        return functional.relu(h + x)


def convolution(inputs: int, outputs: int) -> list[nn.Module]:
    """With its BatchNorm and ReLU."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def network(model: ModelConfig, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The same network as a person would write it, with a linear classifier."""
    inputs, side, _ = shape
    c, parts = model.channels, list[nn.Module]()
    if model.name is ModelName.vgg13:
        for width in (c, 2 * c, 4 * c, 8 * c, 8 * c):
            parts += convolution(inputs, width) + convolution(width, width) + [nn.MaxPool2d(2)] * (side > 1)
            inputs, side = width, side // 2
    else:
        stages, blocks = (3, 3) if model.name is ModelName.resnet20 else (4, 2)
        parts, inputs = convolution(inputs, c), c
        for i in range(stages * blocks):
            outputs, stride = c * 2 ** (i // blocks), 2 if i and i % blocks == 0 else 1
            parts.append(Block(inputs, outputs, stride, model.name is ModelName.resnet18))
            inputs = outputs
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def data(config: Config) -> tuple[Tensor, Tensor]:
    """Noise of the data set's shape, and labels."""
    shape = SHAPES.get(config.data.name, GREY)
    return torch.randn(config.data.samples, *shape), torch.arange(config.data.samples) % config.data.classes


def plain(config: Config, threads: int) -> float:
    """(a) Images a second."""
    torch.set_num_threads(threads)
    device, train = choose_device(config.device), config.train
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    torch.backends.cudnn.allow_tf32 = False
    x, y = data(config)
    model = network(config.model, SHAPES.get(config.data.name, GREY), config.data.classes)
    model = model.to(device, memory_format=layout)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        model.parameters(), train.learning_rate, train.momentum, weight_decay=train.weight_decay
    )
    loader = DataLoader(TensorDataset(x, y), train.batch_size, shuffle=True)
    batches, losses = iter(loader), list[float]()

    def step() -> None:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        images, labels = batch[0].to(device, memory_format=layout), batch[1].to(device)
        loss = functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())

    return (train.batch_size or len(x)) / per_call(step)


def nc_run(config: Config) -> float:
    """(b) Images a second."""
    torch.set_num_threads(1)
    prepare_process()
    device, trial = choose_device(config.device), make_trials(config)[0]
    training = SGD([trial], *data(config), device=device)
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    return training.batch_size / per_call(training.advance, finish)


def main(words: list[str]) -> None:
    """Time the two on the network of a config, and print what came out."""
    repeats = int(next((word.split("=")[1] for word in words if word.startswith("repeats=")), 5))
    config: Config = compose(DEFAULTS + [word for word in words if not word.startswith("repeats=")])
    cuda, cores = choose_device(config.device).type == "cuda", available_cores()
    where = torch.cuda.get_device_name() if cuda else f"{cores} cores, {processor_name()}"
    print(f"{where}; torch {torch.__version__}; medians of {repeats} repeats (range), images a second")
    print(f"{config.model.name.name}, channels={config.model.channels}, {config.data.name.name}")
    print(f"{'':>16}{'(a) plain loop':>24}{'(b) nc-run':>24}{'b/a':>7}")
    ways = {"GPU": (cores, 1)} if cuda else {"one thread": (1, 1), "whole machine": (cores, cores)}
    context = multiprocessing.get_context("spawn")
    # Processes of their own, as what makes one fast stays with its process.
    with ProcessPoolExecutor(1, context) as theirs, ProcessPoolExecutor(1 if cuda else cores, context) as ours:
        for way, (threads, workers) in ways.items():
            a, b = list[float](), list[float]()
            for _ in range(repeats):
                a.append(theirs.submit(plain, config, threads).result())
                b.append(sum([f.result() for f in [ours.submit(nc_run, config) for _ in range(workers)]]))
            cells = [f"{statistics.median(v):,.0f} ({min(v):,.0f}-{max(v):,.0f})" for v in (a, b)]
            ratio = statistics.median(b) / statistics.median(a)
            print(f"{way:>16}{cells[0]:>24}{cells[1]:>24}{ratio:>7.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
