"""A row of panels against a number of layers: a curve for each step size or weight decay, one legend above them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation

from nc_runner.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.drawing import say
from nc_runner.figures.series import plot_mean_std

COLOURS, MARKERS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW), "osD^vP"


class PlainNumbers(LogFormatterSciNotation):
    """Labels of a logarithmic axis as plain numbers, 0.02 and not 2 × 10⁻²."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The number, at the ticks that the default would label."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def logarithmic(ax: Axes) -> None:
    """A logarithmic y-axis with plain numbers."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(PlainNumbers())
    ax.yaxis.set_minor_formatter(PlainNumbers())


def styles(table: pd.DataFrame, by: str) -> list[tuple[float, str, str]]:
    """Each value of a column with the colour and the marker of its curve."""
    return list(zip(sorted(table[by].unique()), cycle(COLOURS), cycle(MARKERS), strict=False))


def curves(ax: Axes, table: pd.DataFrame, x: str, y: str, *, by: str, name: str) -> None:
    """Means of y over x with one standard deviation, a curve for each value of ``by``, whose name the legend gives."""
    for value, colour, marker in styles(table, by):
        plot_mean_std(ax, table[table[by] == value], x, y, color=colour, marker=marker, label=f"{name} {value:g}")
    if not table[y].notna().any():
        say(ax, "no run fits")


def legend_above(figure: Figure, ax: Axes, more: Sequence[Artist] = ()) -> None:
    """One legend for all panels of a row: that of one of them, and what else there is."""
    figure.subplots_adjust(wspace=0.36)
    handles = [*ax.get_legend_handles_labels()[0], *more]
    if handles:
        figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=len(handles))
