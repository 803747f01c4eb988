"""The step size over training: a factor an epoch on the step size that a trial begins with."""

from __future__ import annotations

import functools
import itertools
import math

from nc_runner.config.choices import Schedule
from nc_runner.config.schema import TrainConfig


def warmup_epochs(train: TrainConfig) -> int:
    """Epochs of the linear warm-up, the last one begun included."""
    return math.ceil(train.lr_warmup * train.epochs)


def factor(train: TrainConfig, epoch: int) -> float:
    """What the initial step size is multiplied by in an epoch, counted from 0.

    In a warm-up of w epochs (epoch + 1) / (w + 1), torch's ``LinearLR`` from 1 / (w + 1) on. Then steps:
    lr_gamma^(number of milestones passed), torch's ``MultiStepLR``; cosine: (1 + cos(pi t)) / 2, t the share of the
    other epochs that is done, torch's ``CosineAnnealingLR`` (Loshchilov and Hutter 2017); constant: 1.
    """
    warmup = warmup_epochs(train)
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    if train.schedule is Schedule.cosine:
        return (1 + math.cos(math.pi * (epoch - warmup) / (train.epochs - warmup))) / 2
    if train.schedule is Schedule.constant:
        return 1.0
    drops = sum(epoch >= fraction * train.epochs for fraction in train.lr_milestones)
    return float(train.lr_gamma**drops)


def sum_of_factors(train: TrainConfig, epochs: int) -> float:
    """The sum of the factors of the first ``epochs`` epochs."""
    return _sum(epochs, train.epochs, train.schedule, train.lr_warmup, tuple(train.lr_milestones), train.lr_gamma)


@functools.lru_cache(maxsize=1024)  # every claim asks for every trial, and most trials share one schedule
def _sum(
    done: int, epochs: int, schedule: Schedule, warmup: float, milestones: tuple[float, ...], gamma: float
) -> float:
    train = TrainConfig(
        epochs=epochs, schedule=schedule, lr_warmup=warmup, lr_milestones=list(milestones), lr_gamma=gamma
    )
    runs = itertools.groupby(factor(train, epoch) for epoch in range(done))
    return math.fsum(value * len(list(run)) for value, run in runs)
