"""A figure laid out anew for a width: panels in as many columns as fit, legends, labels and titles no wider than theirs.

What an experiment draws is panels in rows, with legends above or below them. Here each panel gets a place in a grid
that fits the width, and every text the room it needs at its own size: letters never shrink.
"""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from nc_runner.figures.bands import Band, bands_of, caption_band, place_axes_legends
from nc_runner.figures.texts import thin_ticks, wrap_labels

LEAST_PANEL = 1.5  # inches that a panel takes with its labels
LEAST_IMAGE = 0.4  # of a picture without any
RATIO = (0.5, 1.0)  # height of a panel over its width, at least and at most
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


def fit(figure: Figure, width: float | None = None, caption: str = "") -> None:
    """Lay the figure out for ``width`` inches (None: its own), with the caption under it; its height follows.

    Every text keeps its size, and what does not fit is wrapped. A row of panels that is too wide becomes several.
    """
    for ax in figure.axes:
        if not ax.axison and ax.get_legend() is None and not ax.texts:
            figure.delaxes(ax)  # a place that was left empty
    grid = read_grid(figure)
    width = figure.get_figwidth() if width is None else width
    above, below = bands_of(figure, width)
    if caption:
        below.append(caption_band(figure, caption, width))
    columns = columns_for(grid, width)
    places = [row for row in arranged(grid, columns)]
    share_labels(grid, places)
    heights = [grid.heights[number] for number, _ in places]
    room = width / columns * 0.8
    wanted = [room * height for height in heights]
    spec = GridSpec(len(places), columns, figure, height_ratios=wanted)
    for number, (_, row) in enumerate(places):
        for column, ax in enumerate(row):
            ax.set_subplotspec(spec[number, column])
    top, bottom = (sum(band.height + PAD for band in bands) for bands in (above, below))
    around = top + bottom + 0.75 * len(places)
    for attempt in range(3):  # what titles and labels take is known once they are there
        total = sum(wanted) + around
        figure.set_size_inches(width, total)
        lay_out(figure, top / total, bottom / total)
        if attempt < 2:
            wrap_labels([ax for _, row in places for ax in row])
            place_axes_legends(figure)
            lay_out(figure, top / total, bottom / total)
        drawn = sum(max(ax.get_position().height for ax in row) for _, row in places) * total
        around = max(total - drawn, top + bottom)
    put_bands(figure, above, below)
    for ax in figure.axes:
        thin_ticks(ax)


def read_grid(figure: Figure) -> Grid:
    """The panels by where they lie."""
    rows: dict[float, list[Axes]] = {}
    for ax in figure.axes:
        rows.setdefault(round(ax.get_position(original=True).y1, 2), []).append(ax)
    found = [sorted(rows[y], key=lambda ax: ax.get_position(original=True).x0) for y in sorted(rows, reverse=True)]
    titled = [any(ax.get_title() for ax in row) for row in found]
    matrix = len(found) > 1 and len({len(row) for row in found}) == 1 and titled[0] and not any(titled[1:])
    shape = figure.get_figheight() / figure.get_figwidth()
    heights = [min(max(shape * position_ratio(row), RATIO[0]), RATIO[1]) for row in found]
    return Grid(found, matrix, heights)


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
    for number, (source, row) in enumerate(places):
        block_end = (number // per_block + 1) * per_block
        for column, ax in enumerate(row):
            first = grid.rows[source][0]
            if ax.get_shared_y_axes().joined(ax, first) and ax.axison:
                ax.tick_params(axis="y", labelleft=column == 0 and not ax.images)
                if column == 0 and not ax.get_ylabel():
                    ax.set_ylabel(first.get_ylabel())
            lowest = grid.rows[-1][min(grid.rows[source].index(ax), len(grid.rows[-1]) - 1)]
            shares = ax.get_shared_x_axes().joined(ax, lowest) and len(grid.rows) > 1
            if shares and ax.axison and not ax.images:
                under = any(column < len(other) for _, other in places[number + 1 : block_end])
                ax.tick_params(axis="x", labelbottom=not under)
                if not under and not ax.get_xlabel():
                    ax.set_xlabel(lowest.get_xlabel())


def lay_out(figure: Figure, top: float, bottom: float) -> None:
    """Give the panels what the bands leave, so that no label covers another."""
    figure.set_layout_engine("constrained", rect=(0, bottom, 1, 1 - top - bottom), w_pad=PAD, h_pad=PAD)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


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
