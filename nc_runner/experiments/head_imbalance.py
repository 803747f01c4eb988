"""The imbalance of consecutive linear layers in training: how fast it decays, where to, and what was predicted.

All from the tables. Under SGD the imbalance D of two linear layers follows D <- (1 - eta lambda)^2 D + eta^2 q, eta the
step size over 1 - momentum and q = ||mean over batches of S^T S - T T^T||_op (``theory.imbalance_decay``).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from nc_runner import theory
from nc_runner.config import Config
from nc_runner.experiments.base import Results

SETTLED = 2.0  # [choice] the loss has settled where it is at most twice that of the last probe before the first drop
CLEAR = 10.0  # [choice] an imbalance is clear of its plateau where it is at least ten times as large
LAST_SHARE = 0.2  # [choice] of the epochs before the first drop; the plateau is the median of the probes there
FEWEST = 4  # [choice] probes for a fit


def steps_per_epoch(config: Config) -> int:
    """Steps that an epoch has."""
    samples = config.data.samples
    return math.ceil(samples / min(config.train.batch_size or samples, samples))


def drop_epochs(config: Config) -> list[int]:
    """Whole epochs done when the step size drops."""
    return [math.ceil(fraction * config.train.epochs) for fraction in config.train.lr_milestones]


def first_drop(config: Config) -> int:
    """Epochs at the first step size."""
    return min([*drop_epochs(config), config.train.epochs])


def linear_pairs(results: Results) -> pd.DataFrame:
    """One row a trial, epoch and linear layer followed by a linear one, with its imbalance and what drives it.

    ``rate`` is the first step size over 1 - momentum, ``decay`` the weight decay, ``loss`` that of the probe.
    """
    train = results.config.train
    table = results.by_layer("imbalance", "balancedness", "gradient_imbalance").dropna(subset="gradient_imbalance")
    table = table[table["status"] != "diverged"].drop(columns="loss")
    loss = results.metrics[results.metrics["metric"] == "loss"].rename(columns={"trial": "id", "value": "loss"})
    table = table.merge(loss[["id", "epoch", "loss"]], on=["id", "epoch"])
    rate = table.get("train.learning_rate", pd.Series(train.learning_rate, table.index))
    return table.assign(
        rate=rate / (1 - table.get("train.momentum", train.momentum)),
        decay=table.get("train.weight_decay", pd.Series(train.weight_decay, table.index)),
    )


def predicted(rows: pd.DataFrame, config: Config) -> pd.Series:
    """The imbalance by the recursion, from that measured at the first of ``rows``, of one trial and layer.

    Between two probes q is the mean of theirs; a drop of the step size between them splits the way there.
    """
    epochs, driving = rows["epoch"].to_numpy(), rows["gradient_imbalance"].to_numpy()
    rate, decay = float(rows["rate"].iloc[0]), float(rows["decay"].iloc[0])
    values = [float(rows["imbalance"].iloc[0])]
    for i, (start, end) in enumerate(zip(epochs[:-1], epochs[1:], strict=True)):
        value = values[-1]
        corners = [start, *(drop for drop in drop_epochs(config) if start < drop < end), end]
        for a, b in zip(corners[:-1], corners[1:], strict=True):
            passed = sum(drop <= a for drop in drop_epochs(config))
            curve = theory.imbalance_decay(
                int(b - a) * steps_per_epoch(config),
                value,
                (driving[i] + driving[i + 1]) / 2,
                rate * config.train.lr_gamma**passed,
                decay,
            )
            value = float(curve.imbalance)
        values.append(value)
    return pd.Series(values, rows.index)


def with_predictions(results: Results) -> pd.DataFrame:
    """:func:`linear_pairs` from where the loss has settled on, with column ``predicted``, and ``straight``.

    ``straight`` is (1 - eta lambda)^(2t) times the first imbalance, up to the first drop of the step size and NaN after.
    """
    table, parts = linear_pairs(results), []
    for _, rows in table.sort_values("epoch").groupby(["id", "layer"]):
        rows = rows[rows["epoch"] >= settled_from(rows, results.config)]
        if not len(rows) or not rows["imbalance"].iloc[0] > 0:
            continue
        kept = torch.tensor(rows["epoch"].to_numpy() - rows["epoch"].iloc[0]) * steps_per_epoch(results.config)
        rate, decay = float(rows["rate"].iloc[0]), float(rows["decay"].iloc[0])
        straight = theory.imbalance_decay(kept, 1.0, 0.0, rate, decay).kept.numpy() * rows["imbalance"].iloc[0]
        before = rows["epoch"] <= first_drop(results.config)
        parts.append(
            rows.assign(predicted=predicted(rows, results.config), straight=np.where(before, straight, np.nan))
        )
    return pd.concat(parts) if parts else table.assign(predicted=np.nan, straight=np.nan)


def settled_from(rows: pd.DataFrame, config: Config) -> int:
    """The first epoch from which on the loss stays settled, up to the first drop, of rows sorted by epoch."""
    before = rows[rows["epoch"] <= first_drop(config)]
    if not len(before):
        return int(rows["epoch"].iloc[-1]) + 1
    restless = before[~(before["loss"] <= SETTLED * before["loss"].iloc[-1])]
    after = before[before["epoch"] > (restless["epoch"].iloc[-1] if len(restless) else 0)]
    return int(after["epoch"].iloc[0]) if len(after) else int(rows["epoch"].iloc[-1]) + 1


def fits(results: Results) -> pd.DataFrame:
    """One row a trial and linear layer: the rate of decay per step fitted in the window, and its plateau.

    The window: from the first probe from which on the loss is at most ``SETTLED`` times that of the last probe before
    the first drop of the step size, as long as the imbalance is at least ``CLEAR`` times its plateau. The plateau is the
    median imbalance over the last ``LAST_SHARE`` of the epochs before the drop. The rate is the slope of log imbalance
    by least squares, NaN with fewer than ``FEWEST`` probes in the window.

    Columns: id, layer, ``probes`` in the window, ``fitted`` and ``expected`` = 2 |log(1 - eta lambda)| per step,
    ``plateau`` and ``predicted_plateau`` (the median of the recursion's values at the same probes), ``at_drop`` and
    ``at_end``, ``predicted_end``.
    """
    config, rows_out = results.config, []
    drop, columns = first_drop(config), ["id", "layer"]
    for (trial, layer), rows in with_predictions(results).groupby(columns):
        before = rows[rows["epoch"] <= drop].dropna(subset="predicted")
        if not len(before):
            continue
        last = before[before["epoch"] > (1 - LAST_SHARE) * drop]
        plateau = float(last["imbalance"].median())
        near = before["imbalance"] < CLEAR * plateau
        window = before[~near.cummax()]
        steps = window["epoch"] * steps_per_epoch(config)
        enough = len(window) >= FEWEST
        slope = np.polyfit(steps, np.log(window["imbalance"]), 1)[0] if enough else np.nan
        rate, decay = float(before["rate"].iloc[0]), float(before["decay"].iloc[0])
        rows_out.append(
            {
                "id": trial, "layer": layer, "probes": len(window),
                "from": window["epoch"].min(), "to": window["epoch"].max(),
                "fitted": -slope, "expected": -2 * math.log1p(-rate * decay),
                "plateau": plateau, "predicted_plateau": float(last["predicted"].median()),
                "at_drop": float(before["imbalance"].iloc[-1]), "at_end": float(rows["imbalance"].iloc[-1]),
                "predicted_end": float(rows["predicted"].iloc[-1]),
            }
        )  # fmt: skip
    names = "id layer probes from to fitted expected plateau predicted_plateau at_drop at_end predicted_end"
    return pd.DataFrame(rows_out, columns=names.split())
