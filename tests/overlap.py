"""What is wrong with the words in a figure: two on top of each other, one cut off or too small, an axis without one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEAST_SIZE = 6.0  # points
SLACK = 0.6  # points that two boxes may share: they have more room than their letters


def faults(figure: Figure, *, whole: bool) -> list[str]:
    """A sentence a fault; none in a good figure.

    Args:
        whole: whether the figure is saved as it is, so that what lies outside is lost, and not cut to what is drawn.
    """
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    point = figure.dpi / 72
    found = [(text, text.get_window_extent(renderer)) for text in words(figure)]
    said = [f"{text.get_text()!r} is of {text.get_fontsize():.1f} pt" for text, _ in found if too_small(text)]
    for text, box in found:
        limits = [figure.bbox] if whole else []
        if text.get_clip_on() and text.get_clip_box() is not None:
            limits.append(text.get_clip_box())
        said += [f"{text.get_text()!r} is cut off" for limit in limits if not inside(box, limit, SLACK * point)]
    for (one, a), (other, b) in itertools.combinations(found, 2):
        shared = Bbox.intersection(a, b)
        if shared is not None and min(shared.width, shared.height) > SLACK * point:
            said.append(f"{one.get_text()!r} and {other.get_text()!r} overlap")
    said += [f"{ax.get_title()!r} has ticks without a value" for ax in figure.axes if without_value(ax)]
    said += [f"{ax.get_title()!r} ends before half of a line" for ax in figure.axes if ends_early(ax)]
    return [*said, *legend_faults(figure)]


def legend_faults(figure: Figure) -> Iterator[str]:
    """What a reader of a legend takes for another line: one look of two labels in a panel, or, where one legend serves
    several panels, two looks of a label."""

    def look(line: Line2D) -> tuple[object, ...]:
        colours = (to_hex(colour, keep_alpha=True) for colour in (line.get_color(), line.get_markerfacecolor()))  # type: ignore[arg-type]
        return *colours, line.get_alpha(), line.get_marker(), line.get_linestyle()

    looks: dict[str, set[tuple[object, ...]]] = {}
    for ax in figure.axes:
        labelled = {str(line.get_label()): look(line) for line in ax.lines if not str(line.get_label()).startswith("_")}
        for (one, a), (other, b) in itertools.combinations(labelled.items(), 2):
            if a == b:
                yield f"{ax.get_title()!r}: {one!r} and {other!r} look the same"
        if figure.legends and ax.get_legend() is None:
            for label, of in labelled.items():
                looks.setdefault(label, set()).add(of)
    yield from (f"{label!r} has {len(of)} looks" for label, of in looks.items() if len(of) > 1)


def ends_early(ax: Axes) -> bool:
    """Whether most of the points of a curve lie to the left or right of what these axes show."""
    low, high = sorted(ax.get_xlim())
    for line in ax.lines:
        x = np.asarray(line.get_xdata(), dtype=float)
        curve = line.get_transform() == ax.transData and line.get_linestyle() != "None" and len(x) > 2
        if curve and 2 * np.mean((x < low) | (x > high)) > 1:
            return True
    return False


def without_value(ax: Axes) -> bool:
    """Whether an axis of these has ticks, and no label beside any, here or where another panel shares it."""
    if not (ax.get_visible() and ax.axison):
        return False
    return any(
        any(tick.tick1line.get_visible() for tick in axis_of(ax)._update_ticks())  # type: ignore[attr-defined]
        and not any(
            label.get_text() for other in shared.get_siblings(ax) if other.axison for label in of_axis(axis_of(other))
            if label is not axis_of(other).label and label.get_visible()
        )
        for axis_of, shared in (
            (lambda of: of.xaxis, ax.get_shared_x_axes()), (lambda of: of.yaxis, ax.get_shared_y_axes())
        )
    )  # fmt: skip


def too_small(text: Text) -> bool:
    return text.get_fontsize() < LEAST_SIZE - 1e-6


def inside(box: Bbox, limit: Bbox, slack: float) -> bool:
    return (
        box.x0 >= limit.x0 - slack
        and box.x1 <= limit.x1 + slack
        and box.y0 >= limit.y0 - slack
        and box.y1 <= limit.y1 + slack
    )


def words(figure: Figure) -> list[Text]:
    """Every text that is drawn."""
    own: list[Text] = [*figure.texts, *(text for legend in figure.legends for text in of_legend(legend))]
    own += [text for text in (figure._suptitle, figure._supxlabel, figure._supylabel) if text is not None]  # type: ignore[attr-defined]
    for ax in figure.axes:
        own += of_axes(ax)
    unique = {id(text): text for text in own}
    return [text for text in unique.values() if text.get_visible() and text.get_text().strip()]


def of_legend(legend: Artist) -> Iterator[Text]:
    yield from legend.get_texts()  # type: ignore[attr-defined]
    yield legend.get_title()  # type: ignore[attr-defined]


def of_axes(ax: Axes) -> Iterator[Text]:
    if not ax.get_visible():
        return
    yield from ax.texts
    if ax.get_legend() is not None:
        yield from of_legend(ax.get_legend())
    for inner in ax.child_axes:
        yield from of_axes(inner)
    if not ax.axison:
        return
    yield from (ax.title, ax._left_title, ax._right_title)  # type: ignore[attr-defined]
    for axis in (ax.xaxis, ax.yaxis):
        yield from of_axis(axis)


def of_axis(axis: Axis) -> Iterator[Text]:
    if not axis.get_visible():
        return
    for tick in axis._update_ticks():  # type: ignore[attr-defined]
        yield from (label for label in (tick.label1, tick.label2) if label.get_visible())
    yield axis.label
    yield axis.offsetText
