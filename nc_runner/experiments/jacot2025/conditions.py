"""What the statements of this wing need beside what all share: networks that fit, one schedule, the paper's sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Need, Results
from nc_runner.experiments.jacot2025.imbalance import one_clock
from nc_runner.experiments.jacot2025.layers import column
from nc_runner.experiments.needs import at_paper_sizes, plain_sgd

SEEDS = 3  # [choice] the least from which a trend is told from noise; the paper has 5

# The paper's figures are of its sizes; it does not state these. [choice]
paper_sizes = at_paper_sizes("seeds", "model.width", "model.init", "train.batch_size", "train.momentum")


def fit(results: Results) -> Results:
    """The trials that fit their training set, of which all statements are."""
    return results.only(results.trials["status"] == "interpolated")


def enough_fit(results: Results) -> Need:
    """As many seeds as tell a trend from noise fit at every point of the grid; to be asked of all trials."""
    trials = results.trials
    fitting = trials["seed"].where(trials["status"] == "interpolated")
    points = [trials[key] for key in results.varied] or trials["status"].notna()
    counts = fitting.groupby(points, dropna=False).nunique()
    fewest = int(counts.min()) if len(counts) else 0
    return Need("seeds that fit", f"{SEEDS} or more at each point", f"{fewest}", fewest >= SEEDS)


def one_schedule(results: Results) -> Need:
    """All trials have as many steps an epoch and drop their step sizes together, as the predictions assume."""
    one = one_clock(results)
    return Need("one schedule", "as many steps an epoch in every trial", "one" if one else "several", one)


def gradient_descent(results: Results) -> Need:
    """Trained by gradient descent on all samples at once; with momentum, which :func:`plain_sgd` allows, it says so."""
    train, trials = results.config.train, results.trials
    batch = column(trials, "train.batch_size", train.batch_size).astype(float)
    full = batch.isna() | (batch >= column(trials, "data.samples", results.config.data.samples))
    plain, momentum = plain_sgd(results), column(trials, "train.momentum", train.momentum)
    found = f"{full.sum()} of {len(full)} trials, momentum up to {momentum.max():g}"
    required = f"train.batch_size=null in every trial, {plain.required}"
    return Need("gradient descent", required, found if plain.met else plain.found, bool(full.all()) and plain.met)


def relative_error(table: pd.DataFrame) -> pd.Series:
    """||Z_L - Y||_F / sqrt(N) of rows with a ``loss``, (1/2N) ||Z_L - Y||_F^2."""
    return (2 * table["loss"]).map(np.sqrt)
