"""The paper's four panels, and the curves, bands and guides that are drawn in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from nc_runner.experiments.ji2022.laws import REACH
from nc_runner.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.drawing import say

Line = Literal["-", "--", "-.", ":"]

RED = ORANGE  # the paper's red, in a shade that colour-blind readers tell from its blue
EARLIEST = 1.0  # log t at the left edge: before, no law is meant
SHADE = "0.93"  # behind the times that descent reaches, and behind the terminal phase

# Title, y label, and the curves: metric, label, colour, line.
PANELS: list[tuple[str, str, list[tuple[str, str, str, Line]]]] = [
    (
        "(a) Norms",
        "std / mean over classes",
        [
            ("norm_variation_class_means", "class means, centred", BLUE, "-"),
            ("norm_variation_weights", "classifiers", RED, "-"),
            ("norm_variation_centred_weights", "classifiers, centred", RED, "--"),
            ("norm_variation_weights_predicted", "classifiers, predicted", "black", ":"),
        ],
    ),
    (
        "(b) Within-class variation",
        "within / between classes",
        [
            ("within_between_trace_ratio", r"tr $S_W$ / tr $S_B$", GREEN, "-"),
            ("within_between_pinv_trace", r"tr($S_W S_B^+$) / K", SKY, "--"),
            ("within_class_variation", "mean distance", YELLOW, "-."),
        ],
    ),
    (
        "(c) Cosines",
        "mean |cos + 1/(K−1)|",
        [
            ("etf_cosine_deviation_class_means", "class means, centred", BLUE, "-"),
            ("etf_cosine_deviation_weights", "classifiers", RED, "-"),
            ("etf_cosine_deviation_centred_weights", "classifiers, centred", RED, "--"),
        ],
    ),
    (
        "(d) Self-duality",
        "mean distance, centred",
        [("self_duality_distance", "class means to classifiers", PURPLE, "-")],
    ),
]

# Power of log t, the same in words, line and label of the grey guides.
GUIDES: tuple[tuple[float, str, Line, str], ...] = (
    (-1.0, "−1", ":", "∝ 1/log t"),
    (-0.5, "−1/2", "-.", "∝ 1/√(log t)"),
)
_GUIDE: dict[str, Any] = {"color": "0.4", "linewidth": 0.9}


def time_axis(ax: Axes, end: float) -> None:
    """log t on a log scale, with what descent reaches shaded."""
    ax.set(xscale="log", xlim=(EARLIEST, end))
    ax.axvspan(EARLIEST, REACH, color=SHADE, linewidth=0, zorder=0)
    ax.xaxis.set_major_locator(LogLocator(numticks=10))
    ax.xaxis.set_minor_formatter(NullFormatter())


def across(table: pd.DataFrame, column: str, clock: str = "log_t") -> pd.DataFrame:
    """One row an output time, one column a trial."""
    return table.assign(clock=table[clock].round(12)).pivot_table(index="clock", columns="trial", values=column)


def band(
    ax: Axes, table: pd.DataFrame, metric: str, colour: str, line: Line, label: str, *, clock: str = "log_t"
) -> None:
    """Geometric mean over the trials, with a band from least to largest, against ``clock``."""
    values = across(table[table[metric] > 0], metric, clock)
    if values.empty:
        return
    x = values.index.to_numpy()
    ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15, linewidth=0)
    ax.plot(x, np.exp(np.log(values).mean(axis=1)), color=colour, linestyle=line, label=label, linewidth=1.4)


def guides(ax: Axes, x: Any, growth: Any, *, under: float, over: float) -> None:
    """Two powers of log t, which has grown by ``growth`` at each x: -1 from ``under``, -1/2 from ``over``."""
    for (power, _, line, _), start in zip(GUIDES, (under, over), strict=True):
        ax.plot(x, start * growth**power, linestyle=line, **_GUIDE)


def guide_handles(*, slopes: bool) -> list[Artist]:
    """The guides' entries of a legend; with ``slopes`` the slope they have on a log log t axis."""
    return [
        Line2D([], [], linestyle=line, label=f"{label}: slope {power}" if slopes else label, **_GUIDE)
        for _, power, line, label in GUIDES
    ]


def legend_above(figure: Figure, handles: Sequence[Artist]) -> None:
    """One legend for all panels, in a row over their titles."""
    top = max(ax.get_position().y1 for ax in figure.axes) + 0.26 / figure.get_figheight()
    figure.legend(handles=list(handles), loc="lower center", bbox_to_anchor=(0.5, top), ncols=len(handles))


def say_if_empty(ax: Axes, words: str) -> None:
    """Words in the middle of axes without a line."""
    if not ax.lines:
        say(ax, words)
