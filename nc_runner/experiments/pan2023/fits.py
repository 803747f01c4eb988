"""Which trials the thesis's statements speak of: those that fit their training set, at weight decays where seeds do."""

from __future__ import annotations

import math

import pandas as pd

from nc_runner.experiments.base import Need, Results
from nc_runner.experiments.decay import decay_times_of
from nc_runner.experiments.needs import DECAY_TIMES, Check
from nc_runner.experiments.noise.shares import Count

WEIGHT_DECAY = "train.weight_decay"
SEEDS = 3  # [choice] with fewer nothing is known of their spread
LEVELS = 3  # [choice] fewer weight decays make no trend


def fitting(results: Results, **values: object) -> Results:
    """The trials that fit, of these values of keys (``norm="affine"`` for ``model.norm``, where it varies)."""
    mask = results.trials["status"] == "interpolated"
    for name, value in values.items():
        key = {"norm": "model.norm", "data": "data.name", "epochs": "train.epochs", "model": "model.name"}[name]
        if key in results.trials:
            mask &= results.trials[key] == value
    return results.only(mask)


def enough_seeds(results: Results, *keys: str) -> Results:
    """Without the weight decays, and values of keys, at which fewer than three seeds fit, where at another three do."""
    return results.only(of_enough_seeds(results.trials, *keys)) if len(results.trials) else results


def of_enough_seeds(trials: pd.DataFrame, *keys: str) -> pd.Series[bool]:
    """Which of one trial or more are at weight decays, and values of keys, where three seeds fit, if any has three."""
    counts = trials.groupby([WEIGHT_DECAY, *keys])["seed"].transform("nunique")
    kept: pd.Series[bool] = counts >= min(SEEDS, counts.max())
    return kept


def converged(results: Results) -> Results:
    """The trials of ten decay times or more, where they have three weight decays or more; else all."""
    late = results.only(decay_times_of(results) >= DECAY_TIMES)
    return late if late.trials[WEIGHT_DECAY].nunique() >= LEVELS else results


def left_out(results: Results, kept: Results) -> str:
    """The weight decays of ``results`` that ``kept`` lacks, with their decay times and the epochs that ten take."""
    gone = results.trials[~results.trials[WEIGHT_DECAY].isin(kept.trials[WEIGHT_DECAY])]
    times = decay_times_of(results)
    said = []
    for decay, rows in gone.groupby(WEIGHT_DECAY):
        reached = times[rows.index].min()
        epochs = math.ceil(rows["epochs"].min() * DECAY_TIMES / reached) if 0 < reached < DECAY_TIMES else 0
        said.append(
            f"{decay:g} ({reached:.2g} decay times; {DECAY_TIMES:g} take about {epochs:,} epochs)"
            if epochs
            else f"{decay:g} (too few seeds fit)"
        )
    return f"; left out: weight decays {', '.join(said)}" if said else ""


def groups(table: pd.DataFrame, x: str, y: str) -> dict[float, list[float]]:
    """The values of a column at each value of another, sorted, so that the order of the rows changes nothing."""
    return {float(level): sorted(rows.tolist()) for level, rows in table.groupby(x)[y]}  # type: ignore[arg-type]


def fit_as_said(trials: pd.DataFrame, fails: pd.Series[bool], *keys: str) -> dict[str, Count]:
    """At each setting, the values of keys in words, how many seeds fit, or of those that are to fail do not."""
    so = (trials["status"] == "interpolated") != fails[trials.index]
    return {
        " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in setting): Count(
            int(rows.sum()), len(rows)
        )
        for setting, rows in so.groupby([trials[key] for key in keys])
    }


def trained(least: int) -> Check:
    """As many seeds at each point of the grid, whatever became of them, that were trained to their end or diverged."""

    def need(results: Results) -> Need:
        trials = results.trials[results.trials["status"] != "unfinished"]
        counts = trials.groupby(results.varied)["seed"].nunique() if results.varied else trials[["seed"]].nunique()
        fewest = int(counts.min()) if len(counts) and len(trials) else 0
        return Need("seeds trained", f"{least} or more at each point", f"{fewest}", fewest >= least)

    return need


def measured(*columns: str) -> Check:
    """The tables of the trials, if there are any, have these metrics: those of older versions may lack one."""

    def need(results: Results) -> Need:
        if results.trials.empty:
            return Need("measured", ", ".join(columns), "no trial", met=True)
        there = set(results.metrics["metric"].unique())
        lacking = [column for column in columns if column not in there]
        found = f"not measured: {', '.join(lacking)}" if lacking else "all"
        return Need("measured", ", ".join(columns), found, not lacking)

    return need
