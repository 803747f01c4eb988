"""A figure laid out anew for a width: panels in as many columns as fit, with legends, labels and titles wrapped.

What an experiment draws is panels in rows, with legends above or below them. Here each panel gets a place in a grid
that fits the width, and every text the room it needs at its own size: letters never shrink.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from nc_runner.figures.bands import Band, bands_of, caption_band, loosen_axes_legends, place_axes_legends
from nc_runner.figures.drawing import give_limits
from nc_runner.figures.texts import only_labelled_ticks, thin_ticks, wrap_labels

LEAST_PANEL = 1.5  # inches that a panel takes with its labels
LEAST_IMAGE = 0.4  # of a picture without any
RATIO = (0.5, 1.0)  # height of a panel over its width, at least and at most
FILLED = 0.8  # of a column's width, what a panel takes without its labels
FLAT = 0.7  # times as high where one panel stands under another over the whole width
NAME = 1.5  # times its letters' size, the height that a row's name takes
AROUND = 0.75  # inches that titles and labels of a row take, at first
ATTEMPTS = 4  # to find the height; labels of pictures move with their sizes
SETTLED = 0.003  # inches by which another attempt may still change the height
PAD = 0.04  # inches around everything


@dataclass
class Grid:
    """The panels in rows, as they were drawn.

    Attributes:
        rows: of axes, from the top.
        matrix: whether columns belong together, as those with one title at their top do.
        heights: of each row, over the width of its panels.
    """

    rows: list[list[Axes]]
    matrix: bool
    heights: list[float]


def fit(figure: Figure, width: float | None = None, caption: str = "") -> int:
    """Lay the figure out for ``width`` inches (None: its own), with the caption under it; its height follows.

    Every text keeps its size, and what does not fit is wrapped. A row of panels that is too wide becomes several.

    Returns:
        The number of the caption's lines.
    """
    saved_at = mpl.rcParams["savefig.dpi"]
    if saved_at != "figure":
        figure.set_dpi(saved_at)  # hinted letters are up to a tenth wider at one resolution than at another
    give_limits(figure)
    for ax in figure.axes:
        if not ax.axison and ax.get_legend() is None and not ax.texts:
            figure.delaxes(ax)  # a place that was left empty
    grid = read_grid(figure)
    width = figure.get_figwidth() if width is None else width
    above, below = bands_of(figure, width)
    under = [caption_band(figure, caption, width)] if caption else []
    below += under
    columns = columns_for(grid, width)
    while not placed(figure, grid, columns, width, above, below) and columns > 1:
        columns = -(-columns // 2)
    put_bands(figure, above, below)
    for ax in figure.axes:
        thin_ticks(ax)
    return sum(band.lines for band in under)


def placed(figure: Figure, grid: Grid, columns: int, width: float, above: list[Band], below: list[Band]) -> bool:
    """Put the panels into so many columns, as high as they are to be; whether there was room for them."""
    places = arranged(grid, columns)
    share_labels(grid, places)
    flat = FLAT if columns == 1 and len(places) > 1 else 1.0
    wanted = [
        max(width / columns * FILLED * grid.heights[number] * flat, *map(height_of_names, row))
        for number, row in places
    ]
    spec = GridSpec(len(places), columns, figure, height_ratios=wanted)
    for number, (_, row) in enumerate(places):
        for column, ax in enumerate(row):
            for twin in ax._twinned_axes.get_siblings(ax):  # type: ignore[attr-defined]
                twin.set_subplotspec(spec[number, column])
            if ax.get_aspect() != "auto":
                ax.set_anchor("W")  # so that its labels stay where they are, however high it gets
    top, bottom = (sum(band.height + PAD for band in bands) for bands in (above, below))
    loosen_axes_legends(figure)
    around = top + bottom + AROUND * len(places)
    for attempt in range(ATTEMPTS):  # what titles and labels take is known once they are there
        total = round(sum(wanted) + around, 3)
        figure.set_size_inches(width, total)
        if not lay_out(figure, top / total, bottom / total):
            return False
        if attempt < ATTEMPTS - 1:
            wrapped = wrap_labels([ax for _, row in places for ax in row])
            moved = place_axes_legends(figure)
            if (wrapped or moved) and not lay_out(figure, top / total, bottom / total):
                return False
        given = sum(max(ax.get_position(original=True).height for ax in row) for _, row in places) * total
        around = max(total - given, top + bottom)
        for number, (_, row) in enumerate(places):  # a picture is no higher than its shape lets it be
            if all(ax.get_aspect() != "auto" for ax in row):
                # A little more, so that its width decides: else its labels move with each attempt.
                wanted[number] = min(wanted[number], 1.06 * max(tallest(ax) for ax in row))
        spec.set_height_ratios(wanted)
        if abs(sum(wanted) + around - total) < SETTLED:
            break
    return True


def height_of_names(ax: Axes) -> float:
    """The inches that the names of a panel's rows take under one another; 0 of numbers, some of which may go."""
    if not isinstance(ax.yaxis.get_major_locator(), FixedLocator) or ax.get_aspect() != "auto":
        return 0.0
    names = [label for label in ax.get_yticklabels() if re.match(r"[^$]*[^\W\d]{2}", label.get_text())]
    return len(names) * NAME / 72 * max((float(label.get_fontsize()) for label in names), default=0.0)


def tallest(ax: Axes) -> float:
    """The height in inches that a picture has at the width of its place."""
    place, drawn = ax.get_position(original=True), ax.get_position()
    return float(place.width * drawn.height / drawn.width * ax.figure.bbox.height / ax.figure.dpi)


def read_grid(figure: Figure) -> Grid:
    """The panels by where they lie."""
    rows: dict[float, list[Axes]] = {}
    for ax in figure.axes:
        if ax is first_twin(ax) and not hasattr(ax, "_colorbar"):
            rows.setdefault(round(ax.get_position(original=True).y1, 2), []).append(ax)
    found = [sorted(rows[y], key=lambda ax: ax.get_position(original=True).x0) for y in sorted(rows, reverse=True)]
    titled = [any(ax.get_title() for ax in row) for row in found]
    matrix = len(found) > 1 and len({len(row) for row in found}) == 1 and titled[0] and not any(titled[1:])
    shape = figure.get_figheight() / figure.get_figwidth()
    heights = [min(max(shape * position_ratio(row), RATIO[0]), RATIO[1]) for row in found]
    return Grid(found, matrix, heights)


def first_twin(ax: Axes) -> Axes:
    """Of axes over one another the one drawn first; most are alone."""
    twins = list(ax._twinned_axes.get_siblings(ax))  # type: ignore[attr-defined]
    return next((other for other in ax.figure.axes if other in twins), ax)


def position_ratio(row: list[Axes]) -> float:
    """Height over width of a row's panels, in fractions of the figure; of pictures what makes them square."""
    if all(ax.images for ax in row):
        return 10.0
    box = row[-1].get_position(original=True)
    return box.height / box.width


def columns_for(grid: Grid, width: float) -> int:
    """How many panels fit beside each other; rather fewer than a last row that is not full."""
    most = max(len(row) for row in grid.rows)
    bare = all(ax.images and not ax.get_title() for row in grid.rows[1:] for ax in row) and len(grid.rows) > 1
    least = LEAST_IMAGE if bare else LEAST_PANEL
    fitting = max(1, min(most, int(width / least + 0.01)))
    if fitting == most:
        return most
    whole = [k for k in range(fitting, 0, -1) if most % k == 0]
    return whole[0] if whole[0] > 1 or most <= 3 else fitting


def arranged(grid: Grid, columns: int) -> list[tuple[int, list[Axes]]]:
    """The rows of the new grid, each with the number of the one its panels come from."""
    numbered = list(enumerate(grid.rows))
    if not grid.matrix:
        return [(n, row[i : i + columns]) for n, row in numbered for i in range(0, len(row), columns)]
    blocks = range(0, len(grid.rows[0]), columns)
    return [(n, row[i : i + columns]) for i in blocks for n, row in numbered]


def share_labels(grid: Grid, places: list[tuple[int, list[Axes]]]) -> None:
    """Panels that share an axis have its labels where no panel is beside or below them."""
    per_block = len(grid.rows) if grid.matrix else len(places)
    named = {ax: ax.get_xlabel() for row in grid.rows for ax in row}
    for number, (source, row) in enumerate(places):
        block_end = (number // per_block + 1) * per_block
        for column, ax in enumerate(row):
            first = grid.rows[source][0]
            if ax.get_shared_y_axes().joined(ax, first) and ax.axison:
                labelled = first.yaxis.get_tick_params().get("labelleft", True)
                ax.tick_params(axis="y", labelleft=column == 0 and labelled)
                if column == 0 and not ax.get_ylabel():
                    ax.set_ylabel(first.get_ylabel())
            lowest = grid.rows[-1][min(grid.rows[source].index(ax), len(grid.rows[-1]) - 1)]
            shares = ax.get_shared_x_axes().joined(ax, lowest) and len(grid.rows) > 1
            if shares and ax.axison and not ax.images:
                under = any(column < len(other) for _, other in places[number + 1 : block_end])
                ax.tick_params(axis="x", labelbottom=not under)
                ax.set_xlabel("" if under else named[ax] or named[lowest])


def lay_out(figure: Figure, top: float, bottom: float) -> bool:
    """Give the panels what the bands leave, so that no label covers another; whether there was room.

    Places are rounded: the solver's last digits differ from one call to the next, and figures are to be the same bytes.
    """
    figure.set_layout_engine("constrained", rect=(0, bottom, 1, 1 - top - bottom), w_pad=PAD, h_pad=PAD)
    with only_labelled_ticks(figure), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
    figure.set_layout_engine(None)  # and not "none", for which each file would be drawn twice
    for ax in figure.axes:
        place = ax.get_position(original=True)
        ax._set_position(Bbox(place.get_points().round(5)), which="original")  # type: ignore[attr-defined]
        ax.apply_aspect()
    return not any("constrained_layout" in str(warning.message) for warning in said)


def put_bands(figure: Figure, above: list[Band], below: list[Band]) -> None:
    """Legends from the top down, and from the panels down to the caption."""
    total = figure.get_figheight()
    y = total
    for band in above:
        band.move(y / total)
        y -= band.height + PAD
    y = sum(band.height + PAD for band in below)
    for band in below:
        band.move(y / total)
        y -= band.height + PAD
