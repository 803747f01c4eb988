"""The terminal phase of networks trained without weight decay, and how measures of collapse fall in it.

There are two clocks: epochs, the paper's axis, and the time t of gradient flow, in which the layer-peeled model has its
powers of log t. t is the sum over steps of step size / (1 - momentum). A slope is that of log y against log log epoch
or log log t.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022.laws import fitted_slope

CELL = ["model.name", "data.name"]
FEWEST = 8  # probes of a terminal phase that is judged [choice]
LONGEST_START = 0.5  # of the epochs: a terminal phase that begins later is too short to judge [choice]
# Log of a time from which slopes are fitted: before, log log is that of the unit of time more than anything. [choice]
EARLIEST = 1.0


def by_time(results: Results) -> pd.DataFrame:
    """One row a trial that did not diverge and a probe, in the run's order, with both clocks and ``terminal``.

    The terminal phase begins at the first probe at which the training accuracy, in eval mode, is at least
    ``train.target_accuracy`` (Papyan, Han & Donoho, 2020, but for the sample in a thousand that is forgiven).
    """
    order = {trial: i for i, trial in enumerate(results.trials["id"])}
    table = results.by_epoch().sort_values("trial", key=lambda ids: ids.map(order), kind="stable")
    table = table[table["status"] != "diverged"]
    perfect = table[table["accuracy"] >= results.config.train.target_accuracy]
    start = table["trial"].map(perfect.groupby("trial")["epoch"].min()).astype("float64")
    clocks = {"log_epoch": np.log(table["epoch"]), "log_t": np.log(flow_time(results, table))}
    return table.assign(**clocks, terminal=table["epoch"] >= start)


def flow_time(results: Results, table: pd.DataFrame) -> pd.Series[float]:
    """The time t of gradient flow that the steps up to each row's epoch amount to."""
    config = results.config
    rate = table.get("train.learning_rate", config.train.learning_rate)
    momentum = table.get("train.momentum", config.train.momentum)
    samples = table.get("data.samples", config.data.samples)
    if "data.per_class" in table:
        samples = table["data.per_class"] * table.get("data.classes", config.data.classes)
    batch = table.get("train.batch_size", config.train.batch_size or np.nan)
    steps = np.ceil(samples / np.fmin(batch, samples))
    before = np.arange(table["epoch"].max() if len(table) else 1)
    drops = np.searchsorted(np.array(config.train.lr_milestones) * config.train.epochs, before, side="right")
    epochs = np.cumsum(config.train.lr_gamma**drops)  # each counted by its step size
    return pd.Series(rate / (1 - momentum) * steps * epochs[table["epoch"] - 1], index=table.index)


def slopes(table: pd.DataFrame, metric: str, clock: str) -> list[float]:
    """Of log ``metric`` against log ``clock`` over each trial's terminal phase; ``clock`` is the log of a time."""
    terminal = table[table["terminal"]]
    return [fitted_slope(rows, metric, EARLIEST, np.inf, clock) for _, rows in terminal.groupby("trial", sort=False)]


def falls(rows: pd.DataFrame, metric: str) -> bool | None:
    """Whether a trial's measure falls in its terminal phase; None where the phase is short or the measure undefined.

    It does if its mean over the last quarter of the phase's probes is below that over the first quarter, and Kendall's
    tau of the measure with the epoch is negative [choice].
    """
    rows = rows[rows["terminal"]].sort_values("epoch")
    values = rows[metric].reset_index(drop=True)
    if len(rows) < FEWEST or rows["epoch"].iloc[0] > LONGEST_START * rows["epoch"].iloc[-1] or values.isna().any():
        return None
    quarter = len(values) // 4
    tau = pd.Series(values.index).corr(values, method="kendall")
    return bool(values[-quarter:].mean() < values[:quarter].mean() and tau < 0)


def together(answers: Iterable[bool | None]) -> bool | None:
    """True if all are, False if any is, None where it cannot be told."""
    found = set(answers)
    if False in found:
        return False
    return None if None in found or not found else True
