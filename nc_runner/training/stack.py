"""One stack from its start, or from its last checkpoint, to its end: train, measure, save, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nc_runner.config.choices import MatmulPrecision, Method
from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial
from nc_runner.data import load
from nc_runner.record.folder import RunFolder
from nc_runner.record.tables import Outcome
from nc_runner.training import Training, begin, memory

# The network, inputs, labels and config. Any network: an experiment says which it can measure.
Measure = Callable[[Any, Tensor, Tensor, Config], Iterable[tuple[int | None, str, Tensor]]]

_REPORT_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Report:
    """How far a stack is, for whoever watches: steps done, and the mean loss and accuracy of its epoch so far."""

    stack: str
    step: int
    epoch: int
    loss: float
    accuracy: float


def prepare_process(precision: MatmulPrecision = MatmulPrecision.highest) -> None:
    """Settings that change numbers or speed, the same in every process that trains.

    ``precision`` is that of float32 products on a GPU, in torch's words; "highest" allows nothing but float32.

    Denormals are flushed to zero for speed: the weights of a dead network decay into them, and an operation on them
    takes a hundred times as long.
    """
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision(precision.name)
    torch.backends.cudnn.allow_tf32 = precision is not MatmulPrecision.highest
    torch.backends.cudnn.deterministic = True
    memory.keep_freed()


def run_stack(
    name: str,
    trials: list[Trial],
    measure: Measure,
    folder: RunFolder,
    *,
    device: torch.device,
    should_stop: Callable[[], bool] = lambda: False,
    report: Callable[[Report], None] = lambda _: None,
) -> Outcome:
    """Train and measure a stack, going on from its checkpoint in ``folder`` where there is one.

    Returns:
        The outcome; ``finished`` is False where ``should_stop`` ended it, after a checkpoint.
    """
    config = trials[0].config
    x, y = load(config.data)
    if config.train.method is Method.none:
        return Outcome(_measured(measure(None, x, y, config), trials, epoch=0), finished=True)

    training = begin(trials, x, y, device=device)
    outcome = Outcome()
    if saved := folder.read_checkpoint(name):
        tensors, record = saved
        training.load(tensors, record["step"])
        rows = [(trial, epoch, layer, metric, value) for trial, epoch, layer, metric, value in record["rows"]]
        outcome = Outcome(rows, record["diverged"], record["finished"])

    def save() -> None:
        record = {"step": training.step, **outcome.__dict__}
        folder.write_checkpoint(name, training.state(), record)

    def probe() -> None:
        with torch.no_grad():
            measurements = measure(training.network, training.x, training.y, config)
            outcome.rows += _measured(measurements, trials, training.epoch)

    saved_at = reported_at = time.monotonic()
    while not outcome.finished:
        now = time.monotonic()
        if should_stop():
            save()
            return outcome
        if now - saved_at >= config.checkpoint.every_seconds:
            save()
            saved_at = now
        if now - reported_at >= _REPORT_EVERY_SECONDS and training.step:
            report(_report(name, training))
            reported_at = now
        training.advance()
        if training.between_epochs:
            for trial, loss in zip(trials, training.epoch_loss().tolist(), strict=True):
                if not np.isfinite(loss):
                    outcome.diverged.setdefault(trial.id, training.epoch)
            outcome.finished = training.finished or len(outcome.diverged) == len(trials)
            if training.epoch in training.probe_epochs or outcome.finished:
                probe()
    report(_report(name, training))
    _write_weights(training, config, folder)
    save()
    return outcome


def _measured(
    measurements: Iterable[tuple[int | None, str, Tensor]], trials: list[Trial], epoch: int
) -> list[tuple[str, int, int | None, str, float]]:
    return [
        (trial.id, epoch, layer, metric, value)
        for layer, metric, values in measurements
        for trial, value in zip(trials, values.expand(len(trials)).tolist(), strict=True)
    ]


def _report(name: str, training: Training) -> Report:
    loss, accuracy = training.epoch_loss().mean().item(), training.epoch_accuracy().mean().item()
    return Report(name, training.step, training.epoch, loss, accuracy)


def _write_weights(training: Training, config: Config, folder: RunFolder) -> None:
    save, network = config.save, training.network
    if not save.weights and not save.features:
        return
    features = dict(network.features(training.x)) if save.features else {}
    for t, trial in enumerate(training.trials):
        tensors: dict[str, Any] = {}
        if save.weights:
            tensors |= {name: tensor[t] for name, tensor in (network.params | network.buffers).items()}
        if save.features:
            tensors |= {f"features.{layer}": tensor[t] for layer, tensor in features.items()}
            tensors |= {"labels": training.y}
        folder.write_weights(trial.id, tensors)
