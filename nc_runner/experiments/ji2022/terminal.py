"""The terminal phase of networks trained without weight decay, and the slopes of measures of collapse in it.

There are two clocks: epochs, the paper's axis, and the time t of gradient flow, in which the layer-peeled model has its
powers of log t. t is the sum over steps of step size / (1 - momentum). A slope is that of log y against log log epoch
or log log t.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.config.choices import Split
from nc_runner.experiments.base import Need, Results
from nc_runner.experiments.ji2022.laws import fitted_slope

CELL = ["model.name", "set"]
FEWEST = 8  # probes of a terminal phase that is judged [choice]
LONGEST_START = 0.5  # of the epochs: a terminal phase that begins later is too short to judge [choice]
FACTOR = 0.9  # of its first quarter, at most, is what is left in the last of a measure that falls [choice]
# Log of a time from which slopes are fitted: before, log log is that of the unit of time more than anything. [choice]
EARLIEST = 1.0


def by_time(results: Results) -> pd.DataFrame:
    """One row a trial that did not diverge and a probe, in the run's order, with both clocks, ``set`` and ``terminal``.

    ``set`` is the data set's name, and its split where that is not the training split.

    The terminal phase begins at the first probe at which the training accuracy, in eval mode, is at least
    ``train.target_accuracy`` (Papyan, Han & Donoho, 2020, but for the sample in a thousand that is forgiven).
    """
    return results.once(by_time, lambda: _by_time(results)).copy()


def _by_time(results: Results) -> pd.DataFrame:
    order = {trial: i for i, trial in enumerate(results.trials["id"])}
    table = results.by_epoch().sort_values("trial", key=lambda ids: ids.map(order), kind="stable")
    table = table[table["status"] != "diverged"]
    if "accuracy" not in table:  # nothing was measured
        table = table.assign(accuracy=np.nan)
    perfect = table[table["accuracy"] >= results.config.train.target_accuracy]
    start = table["trial"].map(perfect.groupby("trial")["epoch"].min()).astype("float64")
    clocks = {"log_epoch": np.log(table["epoch"]), "log_t": np.log(flow_time(results, table))}
    split = table.get("data.split", pd.Series(results.config.data.split.name, table.index))
    sets = table["data.name"].where(split == "train", table["data.name"] + f" {Split.test.name}")
    return table.assign(**clocks, set=sets, terminal=table["epoch"] >= start)


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
    terminal = table.loc[table["terminal"], ["trial", metric, clock]]
    return [fitted_slope(rows, metric, EARLIEST, np.inf, clock) for _, rows in terminal.groupby("trial", sort=False)]


def quarters(rows: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Medians of a metric over the first and the last quarter of the probes of one trial's terminal phase."""
    kept = rows["terminal"].to_numpy()
    values = rows[metric].to_numpy(dtype=float)[kept][np.argsort(rows["epoch"].to_numpy()[kept])]
    share = max(len(values) // 4, 1)
    return (float(np.median(values[:share])), float(np.median(values[-share:]))) if len(values) else (np.nan, np.nan)


def terminal_phase(results: Results) -> Need:
    """Every trial has a terminal phase, not too late and with probes enough."""
    table = by_time(results)
    starts = table[table["terminal"]].groupby("trial")["epoch"].agg(["min", "size"]).reindex(results.trials["id"])
    ends = table.groupby("trial")["epoch"].max().reindex(results.trials["id"])
    there = (starts["min"] <= LONGEST_START * ends) & (starts["size"] >= FEWEST)
    return Need(
        "terminal phase",
        f"from {LONGEST_START:.0%} of the epochs on or earlier, {FEWEST} probes or more, in every trial",
        f"{there.sum()} of {len(there)} trials" + (f", from epoch {starts['min'].min():.0f} on" if there.any() else ""),
        bool(there.all()) and len(there) > 0,
    )


def time_enough(results: Results) -> Need:
    """The slowest law of the layer-peeled model, 1/sqrt(log t), would itself fall by the factor that is asked for."""
    kept = by_time(results)[["trial", "epoch", "log_t", "terminal"]]
    left = [np.sqrt(np.divide(*quarters(rows, "log_t"))) for _, rows in kept.groupby("trial")]
    most = max(left, default=np.nan) if not np.isnan(left).any() else np.nan
    required = f"1/sqrt(log t) falls to {FACTOR:g} or less between the phase's first and last quarter, in every trial"
    return Need("time enough", required, f"{most:.2f}", bool(most <= FACTOR))
