"""What stands above and below a figure's panels over its whole width: legends, and the caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from nc_runner.figures.texts import renderer_of, wrap_to

COLUMN_GAP = 1.2  # between the columns of a legend, in letters


@dataclass
class Band:
    """A legend or a text over the whole width; ``height`` in inches."""

    artist: Legend | Text
    height: float

    @property
    def lines(self) -> int:
        """Of a text, how many it has."""
        return self.artist.get_text().count("\n") + 1 if isinstance(self.artist, Text) else 0

    def move(self, top: float) -> None:
        """Put its upper edge at a fraction of the figure's height."""
        if isinstance(self.artist, Text):
            self.artist.set_position((0.5, top))
        else:
            self.artist.set_bbox_to_anchor((0.5, top), transform=self.artist.figure.transFigure)


def bands_of(figure: Figure, width: float) -> tuple[list[Band], list[Band]]:
    """The figure's legends above and below its panels, in as many columns as fit the width."""
    above: list[Band] = []
    below: list[Band] = []
    if figure._suptitle is not None:  # type: ignore[attr-defined]
        title = figure._suptitle  # type: ignore[attr-defined]
        title.set(va="top", in_layout=False)
        wrap_to(title, width - 0.1)
        above.append(Band(title, height_of(title, figure)))
    for legend in list(figure.legends):
        anchor = legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted())
        is_above = anchor.y1 > 0.5
        legend.remove()
        new = fitted(figure, legend, width, loc="upper center", bbox_to_anchor=(0.5, 1.0))
        (above if is_above else below).append(Band(new, height_of(new, figure)))
    return above, below


def fitted(owner: Figure | Axes, legend: Legend, width: float, **where: Any) -> Legend:
    """The legend again, in the fewest rows that are no wider than ``width`` inches, all but the last column full."""
    handles, texts = legend.legend_handles, [text.get_text() for text in legend.get_texts()]
    figure = owner if isinstance(owner, Figure) else owner.get_figure(root=True)
    assert figure is not None
    title = legend.get_title().get_text() or None
    given: Sequence[Any] = [handle for handle in handles if handle is not None]
    most = legend._ncols if title else len(texts)  # type: ignore[attr-defined]
    even = dict.fromkeys(-(-len(texts) // rows) for rows in range(1, len(texts) + 1))
    for columns in [columns for columns in even if columns <= most]:
        new = owner.legend(
            given, texts, ncols=columns, title=title, columnspacing=COLUMN_GAP, handletextpad=0.5, borderpad=0.2,
            borderaxespad=0, **where,
        )  # fmt: skip
        box = new.get_window_extent(renderer_of(figure))
        if box.width / figure.dpi <= width:
            return new
        if columns > 1:
            new.remove()
    over = box.width / figure.dpi - width  # of one column: its words are too long
    for text in new.get_texts():
        length = text.get_window_extent(renderer_of(figure)).width / figure.dpi
        wrap_to(text, max(length - over, 0.5))
    return new


def height_of(artist: Legend | Text, figure: Figure) -> float:
    """In inches."""
    return float(artist.get_window_extent(renderer_of(figure)).height / figure.dpi)


def caption_band(figure: Figure, caption: str, width: float) -> Band:
    """The caption, wrapped to the width."""
    text = figure.text(0.5, 0.0, caption, ha="center", va="top", fontsize="small", color="0.25", gid="caption")
    wrap_to(text, width - 0.1)
    return Band(text, height_of(text, figure))


def loosen_axes_legends(figure: Figure) -> None:
    """Legends under their own panels take no part in the layout until they have found their place."""
    for ax in figure.axes:
        if (legend := ax.get_legend()) is not None and is_under(ax, legend):
            legend.set_in_layout(False)


def is_under(ax: Axes, legend: Legend) -> bool:
    """Whether a legend was put under its panel."""
    return ax.axison and bool(legend.get_bbox_to_anchor().transformed(ax.transAxes.inverted()).y1 < 0)


def place_axes_legends(figure: Figure) -> bool:
    """A legend under its own panel stands right under its labels, no wider than the panel; whether there is one."""
    found = False
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None or not is_under(ax, legend):
            continue
        renderer = renderer_of(figure)
        box, labels = ax.get_window_extent(renderer), ax.xaxis.get_tightbbox(renderer)
        depth = (box.y0 - min(labels.y0, box.y0)) / figure.dpi if labels is not None else 0.0
        transform = ax.transAxes + ScaledTranslation(0, -depth - 0.04, figure.dpi_scale_trans)
        where = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": transform}
        fitted(ax, legend, box.width / figure.dpi + 0.3, **where)
        found = True
    return found
