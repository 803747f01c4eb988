"""Texts of a figure: where they lie, their wrapping, and tick labels that leave one another room."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

BEYOND = 0.06  # inches that a label may be longer than its panel's side
APART = 0.25  # of a letter's height, between neighbouring tick labels


def renderer_of(figure: Figure) -> RendererAgg:
    """What measures text."""
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    renderer: RendererAgg = canvas.get_renderer()
    return renderer


def wrapped(text: str, lines: int) -> list[str]:
    """The text in at most ``lines`` lines of nearly equal length; words and formulas are kept whole."""
    whole = re.sub(r"\$[^$]*\$", lambda found: found.group().replace(" ", "\0"), text)
    width = max(-(-len(whole) // lines), max(map(len, whole.split()), default=1))
    while len(found := textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False)) > lines:
        width += 1
    return [line.replace("\0", " ") for line in found]


def wrap_to(text: Text, inches: float, *, upright: bool = False) -> None:
    """Break a text's lines until it is no longer than so many inches, as far as its words allow."""
    figure = text.get_figure()
    content = " ".join(text.get_text().split())
    if figure is None or not content:
        return
    given = [line for line in text.get_text().split("\n") if line]
    renderer = renderer_of(figure)  # type: ignore[arg-type]

    def length() -> float:
        box = text.get_window_extent(renderer)
        return (box.height if upright else box.width) / figure.dpi

    if length() <= inches:
        return
    for lines in range(1, len(content.split()) + 1):
        parts = [part for line in given for part in wrapped(line, lines)]
        text.set_text("\n".join(parts))
        if length() <= inches:
            return


def wrap_labels(axes: Iterable[Axes]) -> bool:
    """Titles and labels no longer than the side of the panel that they stand at; whether one was too long."""
    panels = list(axes)
    before = [words_at(ax) for ax in panels]
    for ax in panels:
        figure = ax.get_figure()
        box, (width, height) = ax.get_position(), figure.get_size_inches()  # type: ignore[union-attr]
        for text in (ax.title, ax.xaxis.label, *(own for own in ax.texts if own.get_transform() == ax.transAxes)):
            wrap_to(text, box.width * width + BEYOND)
        wrap_to(ax.yaxis.label, box.height * height + BEYOND, upright=True)
        drop_crowded(ax)
    return before != [words_at(ax) for ax in panels]


def words_at(ax: Axes) -> list[str]:
    """What stands in a panel and at its sides."""
    return [text.get_text() for text in (ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts)]


def drop_crowded(ax: Axes) -> None:
    """Numbers in the cells of a picture go where two of them touch: the colours say it too."""
    numbers = [text for text in ax.texts if text.get_gid() == "number"]
    renderer = renderer_of(ax.figure)  # type: ignore[arg-type]
    boxes = [text.get_window_extent(renderer) for text in numbers]
    if any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2)):
        for text in numbers:
            text.remove()


def thin_ticks(ax: Axes) -> None:
    """Leave out tick labels that would touch their neighbours: the minor ones first, then every other."""
    for axis in (ax.xaxis, ax.yaxis):
        if crowded(axis, shown(axis)):
            keep(axis)


@contextmanager
def only_labelled_ticks(figure: Figure) -> Iterator[None]:
    """Leave out minor ticks without labels for a while: they take no room, and finding their places takes long."""
    locators = {}  # one for all panels that share an axis
    for axis in [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        major = [place for place in axis.get_majorticklocs().tolist() if low <= place <= high]
        minor = axis.get_minor_formatter().format_ticks(axis.get_minorticklocs().tolist())
        # Without labels on the major ones either, it is the empty ones that keep an axis's name away from its ticks.
        if any(axis.get_major_formatter().format_ticks(major)) and not any(minor):
            locators[axis.minor] = axis.get_minor_locator()
    for ticker in locators:
        ticker.locator = NullLocator()
    try:
        yield
    finally:
        for ticker, locator in locators.items():
            ticker.locator = locator


def shown(axis: Axis) -> list[Text]:
    """The labels of an axis's ticks that are drawn."""
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    return [
        tick.label1
        for tick in ticks
        if tick.label1.get_visible() and tick.label1.get_text() and low - slack <= tick.get_loc() <= high + slack
    ]


def crowded(axis: Axis, labels: list[Text]) -> bool:
    """Whether two of these labels touch."""
    figure = axis.get_figure()
    renderer = renderer_of(figure)  # type: ignore[arg-type]
    along_x = isinstance(axis, XAxis)
    boxes = [label.get_window_extent(renderer) for label in labels]
    ends = sorted((b.x0, b.x1) if along_x else (b.y0, b.y1) for b in boxes)
    gap = APART * float(labels[0].get_fontsize()) / 72 * figure.dpi if labels else 0.0  # type: ignore[union-attr]
    return any(second[0] < first[1] + gap for first, second in itertools.pairwise(ends))


def keep(axis: Axis) -> None:
    """Label as many ticks as there is room for, and no others."""
    major = [label for label in shown(axis) if label in [tick.label1 for tick in axis.get_major_ticks()]]
    minor = axis.get_minorticklocs()
    at = {id(tick.label1): float(tick.get_loc()) for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]}
    labels = sorted(major if len(major) > 1 else shown(axis), key=lambda label: at[id(label)])
    step = 1
    while crowded(axis, labels[::step]) and step < len(labels):
        step += 1
    kept = labels[::step]
    words = {at[id(label)]: label.get_text() for label in kept}
    every = sorted({*(float(loc) for loc in axis.get_majorticklocs()), *words})
    offset = axis.get_offset_text().get_text()
    formatter = FixedFormatter([words.get(loc, "") for loc in every])
    formatter.set_offset_string(offset)
    axis.set_major_locator(FixedLocator(every))
    axis.set_major_formatter(formatter)
    rest = [loc for loc in minor if float(loc) not in words]
    axis.set_minor_locator(FixedLocator(rest) if len(rest) else NullLocator())
    axis.set_minor_formatter(FixedFormatter([""] * len(rest)))
