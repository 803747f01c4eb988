"""What Ji et al. 2022 say of real networks without weight decay: they collapse in the terminal phase, NC1 to NC4."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.ji2022.laws import SHORT, STATEMENTS, spread
from nc_runner.experiments.ji2022.terminal import CELL, FACTOR, by_time, quarters, slopes, terminal_phase, time_enough
from nc_runner.experiments.needs import at_paper_sizes, finished, interpolates, plain_sgd, seeds

LEVEL = 0.2  # of a measure of the four panels that is near collapse [choice]
LATE_RISE = 1.1  # times its least median of three probes in the phase, at the end [choice]
CONSERVED = 1e-3  # relative change of the mean classifier's norm: float32 sums over thousands of steps [choice]
NCC_ERROR = "ncc_error"
WHICH = {
    "class_mean_norms": "NC2", "classifier_norms": "NC2", "within_class": "NC1", "class_mean_cosines": "NC2",
    "classifier_cosines": "NC2", "self_duality": "NC3",
}  # fmt: skip

# The paper states neither these nor the epochs; step size, momentum and batches are recalled and unconfirmed.
_OURS = ("seeds", "train.epochs", "train.learning_rate", "train.momentum", "train.batch_size")
_TERMINAL = (
    interpolates,
    terminal_phase,
    time_enough,
    plain_sgd,
    seeds(3),
    at_paper_sizes(*_OURS, "model.name", "data.name"),
)
_SOURCE = "Figures 1, 3 and 4, and 5 on KMNIST"

FALLS = {
    name: Statement(
        f"falls_{name}",
        f"{WHICH[name]}: fall of {SHORT[name]} in the terminal phase",
        f"{words[0].upper()}{words[1:]} decreases in the terminal phase.",
        _SOURCE,
        "in every cell of networks and data sets, as the mean of logs over seeds: the median over the last quarter of "
        f"the phase's probes is at most {FACTOR:g} of that over the first, and at most {LEVEL:g}; and that of the last "
        f"three probes at most {LATE_RISE:g} times the least of any three [choice]. Slopes of log y against log log "
        "epoch (log log t) are told, not judged",
        _TERMINAL,
    )
    for name, (words, *_) in STATEMENTS.items()
}
NEAREST_MEAN = Statement(
    "falls_ncc",
    "NC4: the nearest class mean decides, in the terminal phase",
    "The network decides as the nearest class mean does: the error of the nearest class mean goes to 0.",
    "section 1, NC4; no panel shows it",
    "in every trial at most 1 - train.target_accuracy at each of the last quarter of the phase's probes [choice]",
    _TERMINAL,
)
MEAN_STAYS = Statement(
    "mean_classifier_stays",
    "without weight decay the mean classifier never moves",
    "The gradient of the cross-entropy sums to 0 over the classifier's rows, so without weight decay their mean never "
    "moves, whatever the network, step size and momentum.",
    "section 3: the columns of Y - P sum to 0",
    f"its norm the same at all probes of a trial, to {CONSERVED:g} relative [choice]",
    (finished, plain_sgd),
    Kind.derived,
)


def claims(results: Results) -> list[Claim]:
    """Six curves fall in the terminal phase; the nearest class mean decides; the mean classifier stays."""
    of = results.only(results.trials["status"] == "interpolated")
    table = by_time(of)
    return [
        *(falls_in_terminal_phase(of, table, name) for name in STATEMENTS),
        nearest_mean_decides(of, table),
        mean_classifier_stays(of, table),
    ]


def falls_in_terminal_phase(of: Results, table: pd.DataFrame, name: str) -> Claim:
    """One curve of the four panels, in every cell of networks and data sets."""
    _, metric, others = STATEMENTS[name]
    cells = list(table[table["terminal"]].groupby(CELL, sort=False))
    if not cells:
        return FALLS[name].judged(of, None, "no terminal phase")
    courses = [course(rows, metric) for _, rows in cells]
    answers = [falls(*found) for found in courses]
    measured = f"falls in {answers.count(True)} of {len(cells)}" + "".join(
        f"; {what} in {[falls(*course(rows, m)) for _, rows in cells].count(True)}" for what, m in others.items()
    )
    for ((model, data), rows), (first, last, rise) in zip(cells, courses, strict=True):
        epochs, times = (spread(slopes(rows, metric, clock)) for clock in ("log_epoch", "log_t"))
        measured += (
            f"; on {data}, {model}: {first:.3g} to {last:.3g}, {rise:.2f} of the least, slope {epochs} ({times})"
        )
    return FALLS[name].judged(of, all(answers), measured, f"in {answers.count(True)} of {len(cells)}")


def course(cell: pd.DataFrame, metric: str) -> tuple[float, float, float]:
    """Of a measure in the terminal phase of a cell: its first and last quarter, and its end over its least.

    Each the geometric mean over the cell's trials; the end and the least are medians of three probes.
    """
    found = []
    for _, rows in cell[["trial", "epoch", "terminal", metric]].groupby("trial"):
        of_three = rows[rows["terminal"]].sort_values("epoch")[metric].rolling(3, min_periods=1).median()
        found.append((*quarters(rows, metric), of_three.iloc[-1] / of_three.min()))
    first, last, rise = np.exp(np.log(found).mean(axis=0))
    return float(first), float(last), float(rise)


def falls(first: float, last: float, rise: float) -> bool:
    """Whether the course of a measure is a fall: by a factor, to a level, and without a late rise."""
    return bool(last <= FACTOR * first and last <= LEVEL and rise <= LATE_RISE)


def nearest_mean_decides(of: Results, table: pd.DataFrame) -> Claim:
    """NC4 in every trial, at the end of its terminal phase."""
    terminal = table[table["terminal"]].sort_values("epoch")
    if NCC_ERROR not in table or terminal.empty:
        return NEAREST_MEAN.judged(of, None, "not measured")
    worst = [
        rows[NCC_ERROR].to_numpy()[-max(len(rows) // 4, 1) :].max() for _, rows in terminal.groupby("trial", sort=False)
    ]
    most = 1 - of.config.train.target_accuracy
    told = f"error of the nearest class mean at most {max(worst):.2g} at the end, {len(worst)} trials"
    return NEAREST_MEAN.judged(of, bool(max(worst) <= most * (1 + 1e-9)), told, f"error {max(worst):.2g}")


def mean_classifier_stays(of: Results, table: pd.DataFrame) -> Claim:
    """What the layer-peeled model's flow conserves, SGD conserves too."""
    decays = of.trials.get("train.weight_decay", pd.Series(of.config.train.weight_decay, of.trials.index))
    most = float(decays.max()) if len(decays) else np.nan
    need = Need("no weight decay", "train.weight_decay=0", f"up to {most:g}", most == 0)
    if "mean_classifier_norm" not in table or table.empty:
        return MEAN_STAYS.judged(of, None, "not measured", needs=[need])
    norms = table.groupby("trial")["mean_classifier_norm"].agg(["min", "max"])
    change = float((norms["max"] / norms["min"] - 1).max(skipna=False))
    measured = f"largest relative change of its norm {change:.1g}, over {len(norms)} trials"
    return MEAN_STAYS.judged(of, change <= CONSERVED, measured, f"{change:.1g} off", [need])
