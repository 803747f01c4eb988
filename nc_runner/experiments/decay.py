"""How long a trial was trained, in decay times of its weights."""

from __future__ import annotations

import math

import pandas as pd

from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results


def decay_times_of(results: Results) -> pd.Series[float]:
    """Of each trial: the sum over its steps of 2 eta lambda / (1 - momentum), by the trial's row.

    Under SGD with momentum and weight decay lambda, a quadratic in the weights forgets its start as e^-(this number).
    Where the first layer has a weight decay of its own, lambda is the smaller of the two; a lambda of 0 gives 0.
    """
    flat = flatten(results.config)

    def column(key: str) -> pd.Series[float]:
        values = results.trials[key] if key in results.trials else pd.Series(flat[key], results.trials.index)
        return values.astype(float)

    first = column("train.weight_decay_first")
    slowest = column("train.weight_decay").where(first.isna(), column("train.weight_decay").combine(first, min))
    epochs = column("train.epochs")
    if "epochs" in results.trials:  # that were trained, fewer where a trial was stopped
        epochs = results.trials["epochs"].astype(float)
    samples, batch = column("data.samples"), column("train.batch_size")
    steps = (samples / batch.where(batch.notna(), samples).combine(samples, min)).map(math.ceil)
    train = results.config.train
    rates = [
        sum_of_rates(int(done), [math.ceil(of * planned) for of in train.lr_milestones], train.lr_gamma)
        for done, planned in zip(epochs.fillna(0), column("train.epochs"), strict=True)
    ]
    rate = column("train.learning_rate") * pd.Series(rates, results.trials.index, dtype=float)
    return 2 * slowest * rate * steps / (1 - column("train.momentum"))


def sum_of_rates(epochs: int, drops: list[int], gamma: float) -> float:
    """The sum over epochs of gamma^(number of drops so far), of epochs counted from 0, each drop from its epoch on."""
    ends = [*sorted(min(drop, epochs) for drop in drops), epochs]
    return math.fsum(gamma**k * (end - start) for k, (start, end) in enumerate(zip([0, *ends], ends, strict=False)))
