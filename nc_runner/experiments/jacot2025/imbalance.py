"""The imbalance of consecutive linear layers in training: how fast it decays, where to, and what was predicted.

All from the tables. Under SGD the imbalance D of two linear layers follows D <- (1 - eta lambda)^2 D + eta^2 q, eta the
step size over 1 - momentum and q = ||mean over batches of S^T S - T T^T||_op (``theory.imbalance_decay``).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from nc_runner import theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025.layers import with_columns

LEARNT = 0.1  # [choice] of the loss of the best constant output, (K-1)/(2K), below which the loss has settled
CLEAR = 10.0  # [choice] an imbalance is clear of its plateau where it is at least ten times as large
LAST_SHARE = 0.2  # [choice] of the epochs before the first drop; the plateau is the median of the probes there
FEWEST = 4  # [choice] probes for a fit

CLOCK = ("data.samples", "data.per_class", "train.batch_size", "train.epochs", "train.lr_milestones", "train.lr_gamma")


def one_clock(results: Results) -> bool:
    """Whether all trials have as many steps an epoch and drop their step sizes together, as predictions assume."""
    return all(len(results.trials[key].unique()) <= 1 for key in CLOCK if key in results.trials)


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

    ``rate`` is the first step size over 1 - momentum, ``decay`` the weight decay, ``loss`` that of the probe. There are
    none where the trials have no :func:`one_clock`.
    """
    train = results.config.train
    names = ("imbalance", "balancedness", "gradient_imbalance")
    table = with_columns(results.by_layer(*names), *names).dropna(subset="gradient_imbalance")
    table = table[(table["status"] != "diverged") & (table["imbalance"] > 0) & one_clock(results)].drop(columns="loss")
    loss = results.metrics[results.metrics["metric"] == "loss"].rename(columns={"trial": "id", "value": "loss"})
    table = table.merge(loss[["id", "epoch", "loss"]], on=["id", "epoch"]).sort_values("epoch", kind="stable")
    rate = table.get("train.learning_rate", pd.Series(train.learning_rate, table.index))
    return table.assign(
        rate=rate / (1 - table.get("train.momentum", train.momentum)),
        decay=table.get("train.weight_decay", pd.Series(train.weight_decay, table.index)),
    )


def predicted(rows: pd.DataFrame, config: Config) -> pd.Series:
    """The imbalance by the recursion, from that measured at the first of ``rows``, of one trial and layer.

    Between two probes q is the mean of theirs; a drop of the step size between them splits the way there.
    """
    epochs, driving, drops = rows["epoch"].tolist(), rows["gradient_imbalance"].to_numpy(), drop_epochs(config)
    pieces = [
        (i, a, b)
        for i, (start, end) in enumerate(pairwise(epochs))
        for a, b in pairwise([start, *(drop for drop in drops if start < drop < end), end])
    ]
    curves = theory.imbalance_decay(
        torch.tensor([b - a for _, a, b in pieces]) * steps_per_epoch(config),
        0.0,
        torch.tensor([(driving[i] + driving[i + 1]) / 2 for i, *_ in pieces], dtype=torch.float64),
        float(rows["rate"].iloc[0])
        * torch.tensor(
            [config.train.lr_gamma ** sum(drop <= a for drop in drops) for _, a, _ in pieces], dtype=torch.float64
        ),
        float(rows["decay"].iloc[0]),
    )
    values = [value := float(rows["imbalance"].iloc[0])]
    for (i, _, b), kept, driven in zip(pieces, curves.kept.tolist(), curves.imbalance.tolist(), strict=True):
        value = kept * value + driven
        if b == epochs[i + 1]:
            values.append(value)
    return pd.Series(values, rows.index)


def with_predictions(results: Results) -> pd.DataFrame:
    """:func:`linear_pairs` from where the window begins, or the first probe without one, with two more columns.

    ``predicted`` is the recursion's imbalance, ``straight`` (1 - eta lambda)^(2t) times the first imbalance, up to the
    first drop of the step size and NaN after.
    """
    return results.once(with_predictions, lambda: _with_predictions(results)).copy()


def _with_predictions(results: Results) -> pd.DataFrame:
    config, parts = results.config, []
    for _, rows in linear_pairs(results).groupby(["id", "layer"]):
        free = window(rows, config)
        rows = rows[rows["epoch"] >= (free["epoch"].iloc[0] if len(free) else 0)]
        passed = torch.tensor((rows["epoch"] - rows["epoch"].iloc[0]).to_numpy()) * steps_per_epoch(config)
        rate, decay = float(rows["rate"].iloc[0]), float(rows["decay"].iloc[0])
        straight = theory.imbalance_decay(passed, 1.0, 0.0, rate, decay).kept.numpy() * rows["imbalance"].iloc[0]
        before = rows["epoch"] <= first_drop(config)
        parts.append(rows.assign(predicted=predicted(rows, config), straight=np.where(before, straight, np.nan)))
    return pd.concat(parts) if parts else linear_pairs(results).assign(predicted=np.nan, straight=np.nan)


def settled(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The rows of the last ``LAST_SHARE`` of the epochs before the first drop of the step size."""
    return rows[rows["epoch"].between((1 - LAST_SHARE) * first_drop(config), first_drop(config))]


def plateau(rows: pd.DataFrame, column: str, config: Config) -> float:
    """Median of a column where the imbalance should have settled."""
    return float(settled(rows, config)[column].median())


def plateaus(results: Results) -> pd.DataFrame:
    """One row a trial and layer, of both kinds: the ``plateau`` of balancedness, and its second half over its first.

    The halves are those of the probes over which it is the median; ``change`` is NaN with fewer than two.
    """
    found, config = [], results.config
    for (trial, layer), rows in with_columns(results.by_layer("balancedness"), "balancedness").groupby(["id", "layer"]):
        values = settled(rows.sort_values("epoch"), config)["balancedness"].dropna()
        half = len(values) // 2
        change = values[half:].median() / values[:half].median() if half else np.nan
        found.append({"id": trial, "layer": layer, "plateau": values.median(), "change": change})
    table = pd.DataFrame(found, columns=["id", "layer", "plateau", "change"])
    keys = [key for key in results.varied if key.startswith("model.")]
    return table.merge(results.trials[["id", *keys]], on="id")


def left_after_drop(config: Config, rate: float, decay: float) -> float:
    """What weight decay alone leaves of the imbalance from the first drop of the step size to the end."""
    ends = [*drop_epochs(config), config.train.epochs]
    rates = [rate * config.train.lr_gamma ** (i + 1) for i in range(len(ends) - 1)]
    epochs = [end - start for start, end in pairwise(ends)]
    steps = steps_per_epoch(config)
    return math.exp(sum(2 * math.log1p(-r * decay) * e * steps for r, e in zip(rates, epochs, strict=True)))


def reached(rows: pd.DataFrame, config: Config) -> bool:
    """Whether there is a plateau: where it should begin nearly nothing is left of the straight decay."""
    straight = settled(rows, config)["straight"]
    return len(straight) > 0 and bool(straight.iloc[0] * CLEAR <= plateau(rows, "imbalance", config))


def window(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The probes, of one trial and layer, between which the imbalance decays freely.

    From the first probe at which the loss is at most ``LEARNT`` of (K-1)/(2K), to the last before the imbalance is less
    than ``CLEAR`` times its :func:`plateau`, or the step size drops.
    """
    classes = config.data.classes
    learnt = (rows["loss"] <= LEARNT * (classes - 1) / (2 * classes)).cummax()
    low = (rows["imbalance"] < CLEAR * plateau(rows, "imbalance", config)) | (rows["epoch"] > first_drop(config))
    return rows[learnt & ~low.cummax()]


def fits(results: Results) -> pd.DataFrame:
    """One row a trial and linear layer: the rate of decay fitted in the window, and the plateau.

    Columns: id, layer, ``probes`` in the :func:`window`, and its ends ``first`` and ``last``; ``fitted``, the slope of
    -log imbalance a step by least squares, with its ``r2``, NaN with fewer than ``FEWEST`` probes, and ``expected``,
    2 |log(1 - eta lambda)|; ``plateau``, and ``predicted_plateau`` that of the recursion; ``reached``, whether the
    straight decay is ``CLEAR`` times below the plateau where that begins; ``left`` by weight decay alone from the drop
    to the end; the imbalance ``at_end``, and ``predicted_end`` by the recursion.
    """
    config, found = results.config, []
    for (trial, layer), rows in with_predictions(results).groupby(["id", "layer"]):
        free = window(rows, config)
        steps = free["epoch"] * steps_per_epoch(config)
        logs = np.log(free["imbalance"])
        slope = np.polyfit(steps, logs, 1)[0] if len(free) >= FEWEST else np.nan
        rate, decay = float(rows["rate"].iloc[0]), float(rows["decay"].iloc[0])
        found.append(
            {
                "id": trial, "layer": layer,
                "probes": len(free), "first": free["epoch"].min(), "last": free["epoch"].max(),
                "fitted": -slope, "r2": steps.corr(logs) ** 2 if len(free) >= FEWEST else np.nan,
                "expected": -2 * math.log1p(-rate * decay), "left": left_after_drop(config, rate, decay),
                "plateau": plateau(rows, "imbalance", config),
                "predicted_plateau": plateau(rows, "predicted", config),
                "reached": reached(rows, config),
                "at_end": rows["imbalance"].iloc[-1], "predicted_end": rows["predicted"].iloc[-1],
            }
        )  # fmt: skip
    names = "id layer probes first last fitted r2 expected left plateau predicted_plateau reached at_end predicted_end"
    return pd.DataFrame(found, columns=names.split())
