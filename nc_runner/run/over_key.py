"""The figure that any run can have: metrics at the end of training over a varied key, a line a value of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.errors import UserError, did_you_mean
from nc_runner.experiments.base import Results
from nc_runner.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase
from nc_runner.run.alike import differs, plain

COLOURS, LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW), ("-", "--", ":")
MARKERS = "os^vDP"
MOST_LINES = len(COLOURS) * len(LINES)
DRAWN = ("interpolated", "measured", "underfit")
DECADE = 20.0  # times the least value, from where an axis of positive values is logarithmic


def over_key(results: Results, headline: Sequence[str]) -> Drawing:
    """A panel a metric, over the key ``figures.x``; a point some of whose trials do not fit has a cross.

    Of several other keys the one with the fewest values has a row of panels for each.

    Raises:
        UserError: the key does not vary, a metric was not measured, or there are more lines than one can tell apart.
    """
    x, metrics, others = asked_for(results, headline)
    final = results.final()
    kept = final[final["status"].isin(DRAWN)]
    rows = {"": kept}
    if len(others) > 1:
        row_key = min(others, key=lambda key: final[key].nunique())
        others = [key for key in others if key != row_key]
        rows = {f"{word_of(row_key)} {plain(value)}": of for value, of in kept.groupby(row_key, sort=False)}
    size = (3.1 * len(metrics) + 0.4, 2.6 * max(len(rows), 1) + 0.5)
    figure, axes = plt.subplots(max(len(rows), 1), len(metrics), figsize=size, squeeze=False, sharex=True, sharey="col")
    for number, of_row in enumerate(axes):
        name, of = list(rows.items())[number] if rows else ("", kept)
        for ax, metric in zip(of_row, metrics, strict=True):
            draw_lines(ax, of, others, x, metric)
            ax.set_title(word_of(metric) if number == 0 else "")
        of_row[0].set_ylabel(name)
    for ax in axes[-1]:
        ax.set_xlabel(word_of(x))
    handles, labels = max((ax.get_legend_handles_labels() for ax in axes.flat), key=lambda pair: len(pair[1]))
    if labels:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=len(labels))
    misfits, left = (kept["status"] == "underfit").sum(), len(final) - len(kept)
    crosses = f" Crosses: {misfits} of {len(kept)} do not fit." if misfits else ""
    without = f" {left} without a finite loss are left out." if left else ""
    return Drawing(
        figure,
        f"Trials after training, over {x}: {seeds_phrase(kept)}.{crosses}{without}",
        [
            f"A line is one value of {', '.join(others)}." if others else f"Lines: the trials differ in {x} alone.",
            f"A trial fits with a training accuracy of at least {results.config.train.target_accuracy:g}; a point "
            "has a cross where some of its seeds do not.",
            "Metrics are those of metrics.parquet at the last epoch, at the last layer where there are several.",
        ],
    )


def asked_for(results: Results, headline: Sequence[str]) -> tuple[str, list[str], list[str]]:
    """The key that the figure is over, its metrics, and the keys that make its lines.

    Raises:
        UserError: as :func:`over_key`.
    """
    x, varied = str(results.config.figures.x), [key for key in results.varied if differs(results, key)]
    if x not in [*varied, "seed"]:
        raise UserError(f"x={x}: does not vary in these runs; {did_you_mean(x, [*varied, 'seed'])}")
    measured = [str(name) for name in results.metrics["metric"].unique()]
    metrics = results.config.figures.metrics or [m for m in headline if m in measured] or ["loss", "accuracy"]
    for name in metrics:
        if name not in measured:
            raise UserError(f"metrics={name}: was not measured; {did_you_mean(name, sorted(measured))}")
    others = [key for key in varied if key != x]
    counts = sorted(results.trials[key].nunique() for key in others)
    count = math.prod(counts[1:] if len(counts) > 1 else counts)  # the key with the fewest values has panels
    if count > MOST_LINES:
        most = max(others, key=lambda key: results.trials[key].nunique())
        raise UserError(
            f"x={x}: {count} lines a panel, for {', '.join(others)}, are more than one can tell apart; allowed are "
            f"{MOST_LINES}, as with x={most}, or in folders with fewer values of it."
        )
    return x, metrics, others


def draw_lines(ax: Axes, kept: pd.DataFrame, others: list[str], x: str, metric: str) -> None:
    """One metric over x, a line a value of the other keys."""
    lines = list(kept.groupby(others)) if others else [((), kept)]
    numbers = pd.api.types.is_numeric_dtype(kept[x])
    names: list[Any] = sorted(kept[x].unique()) if numbers else [plain(value) for value in dict.fromkeys(kept[x])]
    # Open markers of several shapes: one line over another hides neither.
    styles: list[dict[str, Any]] = [
        {"color": colour, "linestyle": line, "marker": marker, "markerfacecolor": "none"}
        for line, (colour, marker) in product(LINES, zip(COLOURS, MARKERS, strict=True))
    ]
    for (values, rows), style in zip(lines, styles, strict=False):
        at = rows[x] if numbers else rows[x].map(plain).map(names.index)
        words = (f"{word_of(key)} {plain(value)}" for key, value in zip(others, values, strict=True))
        plot_over(ax, rows.assign(at=at), "at", metric, label=", ".join(words) or None, **style)
        misfits = at[rows["status"] == "underfit"].unique()
        ax.plot(misfits, rows.groupby(at)[metric].mean()[misfits], "x", color=style["color"])
    if kept.empty:
        say(ax, "no finite loss")
    elif not numbers:
        ax.set_xticks(range(len(names)), names)
    elif min(names) > 0 and max(names) > DECADE * min(names):
        ax.set_xscale("log")


def word_of(key: str) -> str:
    """A key or a metric in words."""
    return key.split(".")[-1].replace("_", " ")
