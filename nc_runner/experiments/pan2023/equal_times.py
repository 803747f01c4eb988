"""Trials by their decay times: which count as equally long, and where every weight decay can be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from nc_runner.experiments.base import Need, Results
from nc_runner.experiments.decay import decay_times_of
from nc_runner.experiments.needs import DECAY_TIMES
from nc_runner.experiments.pan2023.conjectures import with_gap
from nc_runner.experiments.pan2023.fits import SEEDS, WEIGHT_DECAY, fitting
from nc_runner.training.schedules import factor

EPOCHS, TIMES, LEVEL = "train.epochs", "decay times", "level"
SAME = 1.1  # [choice] factor within which decay times count as equal: epochs are whole numbers
ANNEALED = 0.01  # [choice] share of the first step size that the last may have


def by_time(fits: Results) -> pd.DataFrame:
    """The final table with g, the decay times, and as ``level`` the least of those that count as equal to them."""
    table = with_gap(fits.final())
    times = dict(zip(fits.trials["id"], decay_times_of(fits), strict=True))
    table[TIMES] = table["id"].map(times).astype(float)
    ordered = table[TIMES].sort_values()
    table[LEVEL] = ordered.groupby((ordered > SAME * ordered.shift()).cumsum()).transform("min")
    return table


def shared(table: pd.DataFrame, key: str, least: float = 0.0) -> pd.DataFrame:
    """The rows at the largest value of ``key`` from ``least`` on at which every weight decay has trials that fit.

    One at which all have three seeds goes before one at which they have fewer.
    """
    if table.empty or EPOCHS not in table:
        return table.iloc[:0]
    decays = sorted(table[WEIGHT_DECAY].unique())
    seeds = table[table[key] >= least].groupby([key, WEIGHT_DECAY])["seed"].nunique().unstack(WEIGHT_DECAY)
    fewest = seeds.reindex(columns=decays).fillna(0).min(axis=1).clip(upper=SEEDS)
    if fewest.empty or fewest.max() == 0:
        return table.iloc[:0]
    rows: pd.DataFrame = table[table[key] == fewest.index[fewest == fewest.max()].max()]
    return rows


def equally_long(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows at equal epochs, and those at equal decay times, ten or more."""
    return shared(table, EPOCHS), shared(table, LEVEL, DECAY_TIMES)


def growth(rows: pd.DataFrame) -> float:
    """Of the mean of g over seeds from the smallest weight decay to the largest; NaN where there are not two."""
    mean = rows.groupby(WEIGHT_DECAY)["gap"].mean()
    return float(mean.iloc[-1] - mean.iloc[0]) if len(mean) > 1 else float("nan")


def share(epochs: pd.DataFrame, times: pd.DataFrame) -> float:
    """Of the growth after equal epochs, what is not there at equal decay times; NaN where g does not grow."""
    whole = growth(epochs)
    return 1 - growth(times) / whole if whole > 0 else float("nan")


def of_data(results: Results, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The table of each data set, of the trials that fit."""
    return {name: by_time(fitting(results, data=name)) for name in names}


def annealed(results: Results) -> Need:
    """Every trial was trained to the end of its own schedule, where the step size is a hundredth of the first."""
    train = results.config.train
    planned = results.trials.get(EPOCHS, pd.Series(train.epochs, results.trials.index))
    done = results.trials.get("epochs", planned)
    last = [
        factor(dataclasses.replace(train, epochs=int(whole)), int(end) - 1) if end > 0 else 1.0
        for whole, end in zip(planned, done, strict=True)
    ]
    worst = max(last, default=1.0)
    required = f"in each trial's last epoch the step size is at most {ANNEALED:g} of the first"
    return Need("annealed", required, f"{worst:.2g} at the most", worst <= ANNEALED)
