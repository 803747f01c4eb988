"""How figures look: our style sheet, then the person's own settings, then the style sheet they name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator, NullFormatter

from nc_runner.figures import style_path

AT_PRINT_SIZE = {"font.size": 8.5, "lines.markersize": 4.0, "lines.linewidth": 1.2}
"""For a figure of a column's width: the smallest letters, "small", are of 7.1 pt."""


@contextmanager
def styled(style: str | None = None, width: float | None = None) -> Iterator[None]:
    """Draw in this style: letters for the width, a matplotlibrc of one's own, then the sheet ``style``."""
    sheets: list[Any] = [style_path(), AT_PRINT_SIZE if width else {}, own_settings()]
    with plt.style.context([*sheets, style] if style else sheets):
        yield


def own_settings() -> dict[str, Any]:
    """What a matplotlibrc says that is not matplotlib's own: in the current folder, or where matplotlib looks."""
    path = mpl.matplotlib_fname()
    if Path(path).parent == Path(mpl.get_data_path()):
        return {}
    own: Any = mpl.rc_params_from_file(path, use_default_template=False)
    return dict(own)


def rescale(figure: Figure, scale: str | None) -> None:
    """Give the horizontal axes of panels with lines another scale; one with values that it lacks stays as it is."""
    for ax in figure.axes if scale else []:
        x = values_along(ax)
        if not len(x) or ax.images or (scale == "log" and x.min() <= 0):
            continue
        if scale == "symlog":
            positive = np.abs(x[x != 0])
            ax.set_xscale("symlog", linthresh=float(positive.min()) if len(positive) else 1.0)
        else:
            ax.set_xscale(str(scale))
        if scale == "linear":
            ax.xaxis.set_minor_locator(AutoMinorLocator())
        ax.xaxis.set_minor_formatter(NullFormatter())
        low, high = float(x.min()), float(x.max())
        if scale == "log":
            room = (high / low) ** 0.05 if high > low else 1.5
            ax.set_xlim(low / room, high * room)
        else:
            room = 0.05 * (high - low) or 0.5
            ax.set_xlim(low - room * (low < 0 or scale == "linear"), high + room)


def values_along(ax: Axes) -> np.ndarray:
    """The finite x of what is drawn over them; not of lines from edge to edge."""
    over = [line for line in ax.lines if line.get_transform().contains_branch_seperately(ax.transData)[0]]
    drawn = [np.asarray(line.get_xdata(), dtype=float) for line in over if len(np.atleast_1d(line.get_xdata()))]
    every = np.concatenate([np.atleast_1d(x) for x in drawn]) if drawn else np.array([])
    return np.asarray(every[np.isfinite(every)])
