"""From what the stacks measured to the two tables of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from nc_runner.config.choices import Method
from nc_runner.config.trials import Trial
from nc_runner.record.folder import METRIC_COLUMNS


@dataclass
class Outcome:
    """What a stack has produced so far: rows of the tidy table, and the epoch each diverged trial diverged at."""

    rows: list[tuple[str, int, int | None, str, float]] = field(default_factory=list)
    diverged: dict[str, int] = field(default_factory=dict)
    finished: bool = False


def metrics_table(trials: Sequence[Trial], outcomes: Mapping[str, Outcome]) -> pd.DataFrame:
    """The tidy table, in the order of the trials and not of who finished first."""
    rows = [row for outcome in outcomes.values() for row in outcome.rows]
    table = pd.DataFrame(rows, columns=METRIC_COLUMNS).astype(
        {"trial": "str", "epoch": "int64", "layer": "Int64", "metric": "str", "value": "float64"}
    )
    order = {trial.id: i for i, trial in enumerate(trials)}
    return table.sort_values("trial", key=lambda ids: ids.map(order), kind="stable").reset_index(drop=True)


def trials_table(
    trials: Sequence[Trial], outcomes: Mapping[str, Outcome], metrics: pd.DataFrame, headline: Sequence[str]
) -> pd.DataFrame:
    """One row a trial: id, status, seed, the varied keys, epochs done, final loss and accuracy, headline metrics."""
    diverged = {trial: epoch for outcome in outcomes.values() for trial, epoch in outcome.diverged.items()}
    finished = {row[0] for outcome in outcomes.values() if outcome.finished for row in outcome.rows}
    last_epoch = metrics.groupby("trial")["epoch"].max()
    final = metrics[metrics["epoch"] == metrics["trial"].map(last_epoch)]
    values = {
        (trial, metric): value for trial, metric, value in final[["trial", "metric", "value"]].itertuples(index=False)
    }
    rows = []
    for trial in trials:
        measured = {name: values.get((trial.id, name), float("nan")) for name in ("loss", "accuracy", *headline)}
        status = trial_status(trial, measured["accuracy"], trial.id in diverged, trial.id in finished)
        epochs = diverged.get(trial.id, last_epoch.get(trial.id, 0))
        rows.append(
            {"id": trial.id, "status": status, "seed": trial.seed, **trial.varied, "epochs": epochs, **measured}
        )
    return pd.DataFrame(rows)


def trial_status(trial: Trial, accuracy: float, diverged: bool, finished: bool) -> str:
    """One of interpolated, underfit (below ``train.target_accuracy``), diverged, unfinished, measured (untrained)."""
    if diverged:
        return "diverged"
    if not finished:
        return "unfinished"
    if trial.config.train.method is Method.none:
        return "measured"
    return "interpolated" if accuracy >= trial.config.train.target_accuracy else "underfit"
