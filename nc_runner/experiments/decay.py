"""How long a trial was trained, in decay times of its weights."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from nc_runner.config.choices import Optimizer, Schedule
from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.training.schedules import sum_of_factors

KNOWN = (Optimizer.sgd, Optimizer.nesterov, Optimizer.gd)  # optimisers whose coupled weight decay has a known time


def decay_times_of(results: Results, until: pd.Series[float] | None = None) -> pd.Series[float]:
    """Of each trial: the sum over its steps of 2 eta lambda / (1 - momentum), by the trial's row.

    ``until`` is the epoch of each trial to which they are counted; by default that of its end.

    Under SGD with momentum and weight decay lambda, a quadratic in the weights forgets its start as e^-(this number).
    NaN for an optimiser that divides by the size of gradients, whose time is not known. Where the first layer has a
    weight decay of its own, lambda is the smaller of the two; a lambda of 0 gives 0.
    """
    return results.once("decay_times", lambda: _counted(results)) if until is None else _counted(results, until)


def _counted(results: Results, until: pd.Series[float] | None = None) -> pd.Series[float]:
    flat = flatten(results.config)

    def column(key: str) -> pd.Series[float]:
        values = results.trials[key] if key in results.trials else pd.Series(flat[key], results.trials.index)
        return values.astype(float)

    first = column("train.weight_decay_first")
    slowest = column("train.weight_decay").where(first.isna(), column("train.weight_decay").combine(first, min))
    epochs = column("train.epochs")
    if "epochs" in results.trials:  # that were trained, fewer where a trial was stopped
        epochs = results.trials["epochs"].astype(float)
    if until is not None:
        epochs = epochs.combine(until, min)
    samples, batch = column("data.samples"), column("train.batch_size")
    steps = (samples / batch.where(batch.notna(), samples).combine(samples, min)).map(math.ceil)
    names, schedules = (
        results.trials.get(key, pd.Series(flat[key], results.trials.index))
        for key in ("train.optimizer", "train.schedule")
    )
    rates = [
        sum_of_factors(
            dataclasses.replace(
                results.config.train,
                epochs=int(planned),
                schedule=Schedule[schedule],
                lr_warmup=float(warmup),
                lr_gamma=float(gamma),
            ),
            int(done),
        )
        for done, planned, schedule, warmup, gamma in zip(
            epochs.fillna(0),
            column("train.epochs"),
            schedules,
            column("train.lr_warmup"),
            column("train.lr_gamma"),
            strict=True,
        )
    ]
    rate = column("train.learning_rate") * pd.Series(rates, results.trials.index, dtype=float)
    known = names.isin([optimizer.name for optimizer in KNOWN])
    return (2 * slowest * rate * steps / (1 - column("train.momentum"))).where(known)
