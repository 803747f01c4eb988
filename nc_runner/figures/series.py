"""Lines over a varied key: one line for one seed, mean with a min-max band for several; how many seeds, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes


def plot_over(ax: Axes, table: pd.DataFrame, x: str, y: str, **line: Any) -> None:
    """The mean of column ``y`` at each value of ``x``, with a band from least to largest where there are several."""
    grouped = table.groupby(x)[y]
    mean, low, high = grouped.mean(), grouped.min(), grouped.max()
    (drawn,) = ax.plot(mean.index.to_numpy(), mean.to_numpy(), **line)
    if (grouped.size() > 1).any():
        ax.fill_between(
            mean.index.to_numpy(), low.to_numpy(), high.to_numpy(), color=drawn.get_color(), alpha=0.2, linewidth=0
        )


def plot_mean_std(ax: Axes, table: pd.DataFrame, x: str, y: str, **line: Any) -> None:
    """The mean of column ``y`` at each value of ``x``, with a band of one standard deviation where there are several.

    The deviation divides by n - 1. On a logarithmic axis the band reaches down to a tenth of the mean at most.
    """
    grouped = table.groupby(x)[y]
    mean, deviation = grouped.mean(), grouped.std()
    (drawn,) = ax.plot(mean.index.to_numpy(), mean.to_numpy(), **line)
    if (grouped.size() > 1).any():
        low = (mean - deviation).clip(lower=mean / 10) if ax.get_yscale() == "log" else mean - deviation
        ax.fill_between(
            mean.index.to_numpy(), low.to_numpy(), (mean + deviation).to_numpy(), color=drawn.get_color(), alpha=0.2,
            linewidth=0,
        )  # fmt: skip


def seeds_phrase(table: pd.DataFrame, *, band: bool = True) -> str:
    """How many seeds a figure shows, in words for its caption; ``band``: whether as a mean with a min-max band."""
    count = table["seed"].nunique()
    if count == 1:
        return "one seed"
    return f"mean and min-max band over {count} seeds" if band else f"{count} seeds"
