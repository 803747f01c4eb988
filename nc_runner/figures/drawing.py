"""A figure with the words that belong to it: a short caption under it, and notes in a file beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nc_runner.figures import GREY

CAPTION_LINES = 2
_FONT_SIZE = 7.5
_GAP_INCHES = 0.06


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


def add_caption(figure: Figure, caption: str) -> int:
    """Write a caption under the figure, no wider than what is drawn; return its number of lines.

    Lines are about equally long. A caption that needs more than :data:`CAPTION_LINES` gets them; a test refuses it.
    """
    give_limits(figure)
    on_screen = figure.dpi
    if (saved := mpl.rcParams["savefig.dpi"]) != "figure":
        figure.dpi = saved  # letters are fitted to pixels, so their width in inches depends on the dpi
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()  # a layout engine moves what is drawn
    drawn = figure.get_tightbbox(renderer)  # in inches
    text = figure.text(
        (drawn.x0 + drawn.x1) / 2 / figure.get_figwidth(),
        (drawn.y0 - _GAP_INCHES) / figure.get_figheight(),
        "",
        ha="center",
        va="top",
        fontsize=_FONT_SIZE,
        color="0.25",
    )
    for lines in range(1, len(caption.split()) + 1):
        wrapped = _balanced(caption, lines)
        text.set_text("\n".join(wrapped))
        if text.get_window_extent(renderer).width / figure.dpi <= drawn.width:
            break
    figure.dpi = on_screen
    return len(wrapped) if caption else 0


def arrange(figure: Figure) -> None:
    """Lay out the axes so that no label covers another."""
    give_limits(figure)
    figure.tight_layout()


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
    ax.text(*at, words, transform=ax.transAxes, ha="center", va="center", fontsize=8, color=GREY, bbox=white)


def _balanced(text: str, lines: int) -> list[str]:
    """The text in at most ``lines`` lines of nearly equal length, words kept whole."""
    width = -(-len(text) // lines)
    while len(wrapped := textwrap.wrap(text, width, break_long_words=False)) > lines:
        width += 1
    return wrapped
