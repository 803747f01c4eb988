"""A figure with the words that belong to it: a short caption under it, and notes in a file beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from nc_runner.figures import GREY

CAPTION_LINES = 2


@dataclass(frozen=True)
class Drawing:
    """What an experiment's ``figures`` gives back for each file name.

    Attributes:
        figure: the figure without its caption.
        caption: what is shown, over how many runs, and the convention; at most two lines under the figure.
        notes: all else, for ``figures/NAME.md``: definitions, settings, what differs from the paper's sizes. A short
            sentence or two each.
    """

    figure: Figure
    caption: str
    notes: Sequence[str] = ()

    def markdown(self, title: str) -> str:
        """The caption and the notes as a page of their own."""
        notes = "".join(f"- {note}\n" for note in self.notes)
        return f"# {title}\n\n{self.caption}\n" + (f"\n{notes}" if notes else "")


def give_limits(figure: Figure) -> None:
    """A logarithmic axis with nothing positive on it has no limits that can be drawn: it gets a decade."""
    for ax in figure.axes:
        if ax.get_xscale() == "log" and not min(ax.get_xlim()) > 0:
            ax.set_xlim(0.1, 1)
        if ax.get_yscale() == "log" and not min(ax.get_ylim()) > 0:
            ax.set_ylim(0.1, 1)


def say(ax: Axes, words: str, at: tuple[float, float] = (0.5, 0.5)) -> None:
    """Write into axes that have nothing measured to show; ``at`` is in fractions of them."""
    white = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    ax.text(*at, words, transform=ax.transAxes, ha="center", va="center", fontsize="small", color=GREY, bbox=white)


def colour_bar(ax: Axes, image: ScalarMappable, label: str, **bar: Any) -> None:
    """What the colours mean, beside a panel and as high as it."""
    beside = ax.inset_axes((1.06, 0.0, 0.06, 1.0))
    figure = ax.get_figure(root=True)
    assert figure is not None
    colorbar = figure.colorbar(image, cax=beside, **bar)
    colorbar.set_label(label)
