"""Figures of any width: no wider than asked for, every panel there, words wrapped and not shrunk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from overlap import faults

from nc_runner.figures import fit as fitting
from nc_runner.figures.fit import fit
from nc_runner.figures.look import rescale, styled
from nc_runner.figures.texts import only_labelled_ticks

WORDS = (
    "Points: trained networks, mean and min-max band over 3 seeds. Cosines of uncentred features, self pairs included."
)


@pytest.fixture(autouse=True)
def _styled() -> Iterator[None]:
    with styled(width=3.3):
        yield
    plt.close("all")


def panels(count: int, rows: int = 1) -> Figure:
    """Panels in rows, with a title over each column and one legend above them all."""
    figure, axes = plt.subplots(rows, count, figsize=(3.2 * count, 3.0 * rows), squeeze=False, sharex=rows > 1)
    for number, ax in enumerate(axes.flat):
        ax.plot([1e-4, 1e-2], [number, number + 1], marker="o", label="a line with a long name")
        ax.plot([1e-4, 1e-2], [number + 1, number], marker="s", label="another of them, of no less long a name")
    for number, ax in enumerate(axes[0]):
        ax.set_title(f"a title that is wider than its panel, {number}")
    for ax in axes[-1]:
        ax.set_xlabel("weight decay of the whole network")
    axes[0, 0].set_ylabel("condition number of the class means")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


@pytest.mark.parametrize("width", [3.3, 6.75])
@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (4, 2)])
def test_a_figure_has_its_width_and_nothing_in_it_is_lost(count: int, rows: int, width: float) -> None:
    figure = panels(count, rows)
    sizes = {text.get_fontsize() for ax in figure.axes for text in (ax.title, ax.xaxis.label)}
    assert fit(figure, width, WORDS) == (1 if width > 6 else 2)
    assert figure.get_figwidth() == width
    assert faults(figure, whole=True) == []
    assert {text.get_fontsize() for ax in figure.axes for text in (ax.title, ax.xaxis.label)} == sizes
    assert len(figure.axes) == count * rows
    assert min(ax.get_position().width for ax in figure.axes) * width > 0.6
    renderer = FigureCanvasAgg(figure).get_renderer()
    (text,) = (own for own in figure.texts if own.get_gid() == "caption")
    assert text.get_text().replace("\n", " ") == WORDS
    lowest = min(ax.get_tightbbox(renderer).y0 for ax in figure.axes)
    assert text.get_window_extent(renderer).y1 <= lowest


def test_columns_that_belong_together_stay_so() -> None:
    figure = panels(4, rows=2)
    top, bottom = figure.axes[:4], figure.axes[4:]
    fit(figure, 3.3)
    for over, under in zip(top, bottom, strict=True):
        assert over.get_position().x0 == pytest.approx(under.get_position().x0)
        assert under.get_xlabel()
        assert not over.get_xlabel()
    assert top[0].get_position().y0 > bottom[0].get_position().y1 > top[2].get_position().y1


def test_no_caption_is_no_text() -> None:
    figure = panels(2)
    assert fit(figure, 6.75) == 0
    assert not figure.texts


def test_a_log_axis_shows_its_points_and_one_with_zeros_stays() -> None:
    figure, (one, other) = plt.subplots(1, 2)
    one.plot([1e-4, 3e-4, 1e-2], [1, 2, 3])
    one.axhline(2)
    one.set_xlim(0, 0.02)
    other.plot([0, 1], [1, 2])
    rescale(figure, "log")
    assert (one.get_xscale(), other.get_xscale()) == ("log", "linear")
    assert one.get_xlim()[0] < 1e-4 < 1e-2 < one.get_xlim()[1]
    rescale(figure, "symlog")
    assert (one.get_xscale(), other.get_xscale()) == ("symlog", "symlog")
    assert np.isfinite(other.get_xlim()).all()


def test_ticks_that_would_touch_are_thinned_and_none_moves() -> None:
    figure, ax = plt.subplots(figsize=(8, 3))
    ax.plot(range(12))
    ax.set_xticks(range(12), [f"{10**-n:.0e} per cent" for n in range(12)])
    fit(figure, 3.3)
    ticks = dict(zip(ax.get_xticks(), (label.get_text() for label in ax.get_xticklabels()), strict=True))
    kept = {at: text for at, text in ticks.items() if text}
    assert 1 < len(kept) < 12
    assert all(text == f"{10**-at:.0e} per cent" for at, text in kept.items())


def log_panels() -> Figure:
    """Two that share an axis of many decades; two within a decade, the minor ticks of one with labels, then without."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3))
    axes[1].sharex(axes[0])
    for ax, low, high in zip(axes, (2, 2, 2, 0.53), (1e6, 1e6, 6, 0.56), strict=True):
        ax.loglog([low, high], [low, high])
        ax.set_ylabel("name")
    for axis in (axes[3].xaxis, axes[3].yaxis):
        axis.set_minor_formatter(NullFormatter())
    return figure


def test_ticks_without_labels_are_left_out_for_a_while() -> None:
    figure = log_panels()
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    before = [axis.get_minorticklocs().tolist() for axis in axes]
    with only_labelled_ticks(figure):
        assert [axis.get_minorticklocs().tolist() for axis in axes] == [[]] * 4 + before[4:]
    assert all(before)
    assert [axis.get_minorticklocs().tolist() for axis in axes] == before


@pytest.mark.parametrize("width", [3.3, 6.75])
def test_they_take_no_room(width: float, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, whole = log_panels(), log_panels()
    fit(quick, width)
    monkeypatch.setattr(fitting, "only_labelled_ticks", nullcontext)
    fit(whole, width)
    assert [ax.get_position().bounds for ax in quick.axes] == [ax.get_position().bounds for ax in whole.axes]


def test_the_checker_sees_words_on_each_other_cut_off_and_small() -> None:
    figure, ax = plt.subplots(figsize=(2, 2))
    ax.set(xticks=[], yticks=[])
    assert faults(figure, whole=True) == []
    ax.text(0.5, 0.5, "one")
    ax.text(0.52, 0.5, "two")
    ax.text(0.9, 0.1, "beyond the edge")
    ax.text(0.1, 0.8, "tiny", fontsize=5)
    said = " ".join(faults(figure, whole=True))
    for fault in ("'one' and 'two' overlap", "'beyond the edge' is cut off", "'tiny' is of 5.0 pt"):
        assert fault in said


def test_the_checker_sees_an_axis_whose_ticks_have_no_value() -> None:
    figure, (left, right) = plt.subplots(1, 2, sharey=True)
    assert faults(figure, whole=False) == []
    left.tick_params(axis="y", labelleft=False)
    left.set(title="left", ylabel="y")
    assert faults(figure, whole=False) == ["'left' has ticks without a value", "'' has ticks without a value"]
    left.set_yticks([])
    assert faults(figure, whole=False) == []
    right.tick_params(axis="x", labelbottom=False)
    assert faults(figure, whole=False) == ["'' has ticks without a value"]


def test_the_checker_sees_axes_that_end_before_a_line() -> None:
    figure, ax = plt.subplots()
    ax.plot([1, 2, 3, 4], [1, 2, 3, 4])
    ax.set_xlim(0.5, 2.5)
    assert faults(figure, whole=False) == []
    ax.set_xlim(0.5, 1.5)
    assert faults(figure, whole=False) == ["'' ends before half of a line"]


def test_a_row_of_images_keeps_its_values() -> None:
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True)
    for ax in axes:
        ax.imshow(np.eye(4))
        ax.set_yticks(range(4), [*"abcd"])
    fit(figure, 6.75)
    assert [[label.get_text() for label in ax.get_yticklabels() if label.get_visible()] for ax in axes] == [
        [*"abcd"], [], []
    ]  # fmt: skip
    assert faults(figure, whole=True) == []


@pytest.mark.parametrize("size", [7.0, 7.5, 8.0, 9.0, 10.0, 11.0])
def test_what_is_saved_has_an_empty_edge(size: float, tmp_path: Path) -> None:
    """Letters are wider at the resolution of a file than at a screen's: the file itself is looked at."""
    figure, ax = plt.subplots(figsize=(6.6, 3.0))
    ax.set_yticks([0, 1], ["2.4.4, two classes and all of their pairs", "other"], fontsize=size)
    fit(figure, caption=WORDS)
    figure.savefig(tmp_path / "figure.png")
    pixels = plt.imread(tmp_path / "figure.png")
    assert pixels.shape[1] == round(6.6 * plt.rcParams["savefig.dpi"])
    assert (pixels[:, :2] == 1).all()


@pytest.mark.parametrize("width", [3.3, 13.0])
def test_every_named_row_keeps_its_name(width: float) -> None:
    names = [f"setting {number}" for number in range(15)]
    figure, axes = plt.subplots(1, 6, figsize=(13.0, 4.4), sharey=True)
    axes[0].set_yticks(range(15), names)
    fit(figure, width, WORDS)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == names
    assert faults(figure, whole=True) == []


@pytest.mark.parametrize("width", [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
def test_the_rows_of_a_legend_are_as_even_as_can_be(width: float) -> None:
    figure, ax = plt.subplots(figsize=(width, 3.0))
    for number in range(9):
        ax.plot([0, 1], [number, number], label=f"layer {number}")
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=9)
    fit(figure, width)
    (legend,) = figure.legends
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    heights = [round(text.get_window_extent(renderer).y0) for text in legend.get_texts()]
    rows = [heights.count(height) for height in sorted(set(heights))]
    assert sum(rows) == 9
    assert max(rows) == -(-9 // len(rows))
