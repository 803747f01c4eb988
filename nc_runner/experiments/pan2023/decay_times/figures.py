"""g over weight decay after equal epochs and at equal decay times, and g, NC1 and NC3 over decay times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.needs import DECAY_TIMES
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.bn_wd_converged import TITLES, by_decay
from nc_runner.experiments.pan2023.conjectures import NC3
from nc_runner.experiments.pan2023.dataset_complexity.measure import RATIO
from nc_runner.experiments.pan2023.equal_times import EPOCHS, TIMES, equally_long, growth, of_data, share
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

ORDER = ("teacher", "conic_hull")
TICKS = (0.1, 0.3, 1, 3, 10, 27, 100, 300)  # of decay times


def figures(results: Results) -> dict[str, Drawing]:
    """Time or weight decay, of g; NC1 and NC3 over decay times."""
    tables = of_data(results, ORDER)
    return {"time_or_weight_decay": answer(results, tables), "time_or_weight_decay_nc1_nc3": collapse(results, tables)}


def answer(results: Results, tables: dict[str, pd.DataFrame]) -> Drawing:
    """Top: g over weight decay, a line for equal epochs and one for equal decay times. Bottom: over decay times."""
    figure, axes = plt.subplots(2, len(ORDER), figsize=(8.2, 6.4), sharey=True)
    best = 1 + 1 / (results.config.data.classes - 1)
    for name, (over_decay, over_time) in zip(ORDER, axes.T, strict=True):
        epochs, times = equally_long(tables[name])
        over_decay.set(xscale="log", xlabel="weight decay λ", title=f"{TITLES[name]}\n{verdict(epochs, times)}")
        by_length(over_decay, epochs, times)
        ticks(over_decay, sorted({*epochs.get(WEIGHT_DECAY, []), *times.get(WEIGHT_DECAY, [])}))
        lines_over_time(results, over_time, tables[name], "gap")
        mean = epochs[np.isfinite(epochs["gap"])].groupby(TIMES)["gap"].mean() if len(epochs) else pd.Series()
        if len(mean):
            ring: dict[str, Any] = {
                "marker": "o",
                "markersize": 10,
                "fillstyle": "none",
                "linestyle": "none",
                "color": ORANGE,
            }
            over_time.plot(mean.index.to_numpy(), mean.to_numpy(), **ring, label=equal_epochs(epochs))
        for ax in (over_decay, over_time):
            ax.axhline(best, color=GREY, linestyle="--", linewidth=1, label="simplex ETF, C/(C−1)")
            if tables[name].empty:
                say(ax, words.none_fits(results.config))
    for ax in axes[:, 0]:
        ax.set_ylabel("g = min intra − max inter")
    legend(figure, axes[0], above=True)
    legend(figure, axes[1], above=False)
    figure.subplots_adjust(wspace=0.08, hspace=0.42)
    final = results.final()
    return Drawing(
        figure,
        "Top: g of the last layer over weight decay, after equal epochs and after equal decay times. Bottom: over "
        f"decay times, rings as above. {seeds_phrase(final).capitalize()}. {words.UNCENTRED}",
        [
            "The share that is training time: 1 less the growth of g from the smallest to the largest weight decay at "
            "equal decay times over that after equal epochs. Equal decay times are the most that every weight decay "
            "has, " + "; ".join(how_long(name, tables[name]) for name in ORDER) + ".",
            words.GAP,
            *words.COSINES,
            words.SELF_PAIRS,
            *time_notes(results, final),
        ],
    )


def collapse(results: Results, tables: dict[str, pd.DataFrame]) -> Drawing:
    """NC1 and NC3 over decay times, a line a weight decay."""
    figure, axes = plt.subplots(2, len(ORDER), figsize=(8.2, 5.6), sharey="row")
    for name, (nc1, nc3) in zip(ORDER, axes.T, strict=True):
        nc1.set(title=TITLES[name], yscale="log")
        for ax, metric in ((nc1, RATIO), (nc3, NC3)):
            lines_over_time(results, ax, tables[name], metric)
            if tables[name].empty:
                say(ax, words.none_fits(results.config))
    axes[0, 0].set_ylabel("NC1: tr $S_W$ / tr $S_B$")
    axes[1, 0].set_ylabel("NC3 cosine")
    legend(figure, axes[1], above=False)
    figure.subplots_adjust(wspace=0.08, hspace=0.35)
    final = results.final()
    return Drawing(
        figure,
        "NC1 (0 at collapse) and NC3 (1 at collapse) of the last layer over decay times, a line per weight decay, each "
        f"training annealed. {seeds_phrase(final).capitalize()}.",
        [
            "NC1: S_W and S_B are the covariance of the features within the classes, and of the class means; the ratio "
            "of their traces.",
            words.NC3,
            *time_notes(results, final),
        ],
    )


def time_notes(results: Results, final: pd.DataFrame) -> list[str]:
    """What both figures say of time, of the trials left out and of the setting."""
    return [
        "Decay times: the sum over the steps of 2 ηλ/(1 − momentum). After ten (dotted), e^−10 of a weight's start is "
        "left. Equal: within a factor of 1.1, as epochs are whole numbers.",
        "Each point is a training of its own, with the whole schedule of the step size fitted into it.",
        words.left_out(results.config, final),
        *words.setting(results.config, final),
    ]


def verdict(epochs: pd.DataFrame, times: pd.DataFrame) -> str:
    """What share of the growth after equal epochs is training time, and how long is equal, in words for a title."""
    if growth(epochs) <= 0:
        return f"no growth {equal_epochs(epochs)}"
    part = share(epochs, times)
    if part != part:
        return "not comparable at equal decay times"
    said = "all" if part > 1 else f"{part:.0%}"  # at equal times g falls, if above 1
    return f"{said} of the growth is time (at {times[TIMES].min():.2g} decay times)"


def how_long(name: str, table: pd.DataFrame) -> str:
    """How many decay times every weight decay has on a data set."""
    _, times = equally_long(table)
    return f"{TITLES[name]}: {f'{times[TIMES].min():.2g}' if len(times) else 'none that all have'}"


def equal_epochs(epochs: pd.DataFrame) -> str:
    """What the points after equal epochs are called."""
    return f"after {int(epochs[EPOCHS].iloc[0]):,} epochs each"


def by_length(ax: Axes, epochs: pd.DataFrame, times: pd.DataFrame) -> None:
    """g over weight decay, after equal epochs and after equal decay times."""
    if len(epochs):
        plot_over(ax, epochs, WEIGHT_DECAY, "gap", color=ORANGE, marker="o", label=equal_epochs(epochs))
    if len(times):
        plot_over(ax, times, WEIGHT_DECAY, "gap", color=BLUE, marker="s", label="after equal decay times")


def lines_over_time(results: Results, ax: Axes, table: pd.DataFrame, metric: str) -> None:
    """A line a weight decay of a metric over decay times, ten of them dotted."""
    ax.set(xscale="log", xlabel="decay times at the end of training")
    if metric in table:
        by_decay(ax, table, sorted(results.trials[WEIGHT_DECAY].unique()), metric)
        ticks(ax, [tick for tick in TICKS if table[TIMES].min() <= 1.02 * tick <= 1.04 * table[TIMES].max()])
    ax.axvline(DECAY_TIMES, color=GREY, linestyle=":", linewidth=1)


def ticks(ax: Axes, values: list[float]) -> None:
    """These alone on a logarithmic axis, written as numbers."""
    if values and np.isfinite(ax.dataLim.intervalx).all():  # else there is nothing that they would be ticks of
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.set_xticks([], minor=True)


def legend(figure: Figure, row: Iterable[Axes], *, above: bool) -> None:
    """Of the panel of a row with most entries, above it or under it."""
    handles, labels = max((ax.get_legend_handles_labels() for ax in row), key=lambda pair: len(pair[0]))
    if handles:
        figure.legend(
            handles,
            labels,
            loc="lower center" if above else "upper center",
            bbox_to_anchor=(0.5, 0.99 if above else 0.03),
            ncols=4,
        )
