"""The step size over training: a factor an epoch on the step size that a trial begins with."""

from __future__ import annotations

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
    runs = itertools.groupby(factor(train, epoch) for epoch in range(epochs))
    return math.fsum(value * len(list(run)) for value, run in runs)
