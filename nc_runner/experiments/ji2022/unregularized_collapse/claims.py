"""What Ji et al. 2022 say of real networks without weight decay: every measure falls in the terminal phase."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.ji2022.laws import STATEMENTS, spread
from nc_runner.experiments.ji2022.terminal import CELL, by_time, falls, slopes, together

CONSERVED = 1e-3  # relative change of the mean classifier's norm: float32 sums over thousands of steps [choice]


def claims(results: Results) -> list[Claim]:
    """The terminal phase is reached; six curves fall in it; the mean classifier stays."""
    table = by_time(results)
    return [
        terminal_phase(results, table),
        *(falls_in_terminal_phase(table, name) for name in STATEMENTS),
        mean_classifier_stays(results, table),
    ]


def terminal_phase(results: Results, table: pd.DataFrame) -> Claim:
    """Training goes on past perfect accuracy."""
    finished = results.final()
    starts = table[table["terminal"]].groupby("trial")["epoch"].min()
    holds, measured = None, "no trial has ended"
    if len(finished):
        holds = len(starts) == len(finished)
        measured = f"{len(starts)} of {len(finished)} trials"
        if len(starts):
            measured += f", from epoch {starts.min()} to {starts.max()} on, of {table['epoch'].max()}"
        ended = finished.loc[finished["status"] != "diverged", "accuracy"]
        if len(ended) < len(finished):
            measured += f"; {len(finished) - len(ended)} diverged"
        if len(ended):
            measured += f"; accuracy at the end {ended.min():.4f} and up"
    return Claim(
        "terminal_phase",
        "Without weight decay, training reaches perfect accuracy.",
        f"training accuracy of at least {results.config.train.target_accuracy:g} at some probe of every trial",
        measured,
        Claim.judge(holds),
    )


def falls_in_terminal_phase(table: pd.DataFrame, name: str) -> Claim:
    """One curve of the four panels, in every cell of networks and data sets."""
    words, metric, others = STATEMENTS[name]
    cells = list(table.groupby(CELL, sort=False))
    answers = [answer(rows, metric) for _, rows in cells]
    measured = f"falls in {answers.count(True)} of {len(cells)}" + "".join(
        f"; {what} in {[answer(rows, m) for _, rows in cells].count(True)}" for what, m in others.items()
    )
    for (model, data), rows in cells:
        epochs, times = (spread(slopes(rows, metric, clock)) for clock in ("log_epoch", "log_t"))
        measured += f"; slope on {data}, {model}: {epochs} ({times})"
    return Claim(
        f"falls_{name}",
        f"Figures 1, 3, 4 and 5: {words} decreases in the terminal phase.",
        "in every cell: mean over the last quarter of the phase's probes below that over the first, Kendall's tau < 0 "
        "[choice]. Slopes of log y against log log epoch (log log t) are told, not judged",
        measured,
        Claim.judge(together(answers)),
    )


def answer(cell: pd.DataFrame, metric: str) -> bool | None:
    """Whether the measure falls in every trial of a cell."""
    return together(falls(rows, metric) for _, rows in cell.groupby("trial"))


def mean_classifier_stays(results: Results, table: pd.DataFrame) -> Claim:
    """What the layer-peeled model's flow conserves, SGD conserves too."""
    norms = table.groupby("trial")["mean_classifier_norm"].agg(["min", "max"])
    decays = results.trials.get(
        "train.weight_decay", pd.Series(results.config.train.weight_decay, results.trials.index)
    )
    holds, measured = None, "nothing measured"
    if len(norms) and bool((decays == 0).all()):
        change = float((norms["max"] / norms["min"] - 1).max())
        holds = change <= CONSERVED if np.isfinite(change) else None
        measured = f"largest relative change of its norm {change:.1g}, over {len(norms)} trials"
    elif len(norms):
        measured = "there is weight decay, which shrinks it"
    return Claim(
        "mean_classifier_stays",
        "The gradient of the cross-entropy sums to 0 over the classifier's rows, so without weight decay their mean "
        "never moves, whatever the network, step size and momentum [derived, ours].",
        f"its norm the same at all probes of a trial, to {CONSERVED:g} relative [choice]",
        measured,
        Claim.judge(holds),
    )
