"""Captions: under everything drawn, no wider than it, in lines of about equal length."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nc_runner.figures import style_path
from nc_runner.figures.drawing import Drawing, add_caption

WORDS = (
    "Points: trained networks, mean and min-max band over 3 seeds. Cosines of uncentred features, self pairs included."
)


def a_figure(width: float) -> Figure:
    figure, ax = plt.subplots(figsize=(width, 3))
    ax.plot([1, 2], [3, 4], label="a line")
    ax.set(xlabel="weight decay")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3))
    return figure


@pytest.fixture(autouse=True)
def _saved_as_the_program_saves() -> Iterator[None]:
    with plt.style.context(style_path()):
        yield


@pytest.mark.parametrize(("width", "lines"), [(12.0, 1), (4.5, 2)])
def test_a_caption_lies_under_all_that_is_drawn_and_is_no_wider(width: float, lines: int) -> None:
    figure = a_figure(width)
    figure.dpi = 200
    before = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert add_caption(figure, WORDS) == lines
    (text,) = figure.texts
    box = text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).transformed(figure.dpi_scale_trans.inverted())
    assert text.get_text().replace("\n", " ") == WORDS
    assert box.y1 < before.y0
    assert box.width <= before.width
    assert (box.x0 + box.x1) / 2 == pytest.approx((before.x0 + before.x1) / 2, abs=0.01)
    plt.close(figure)


def test_no_caption_leaves_the_figure_as_it_is() -> None:
    figure = a_figure(4.0)
    assert add_caption(figure, "") == 0
    plt.close(figure)


def test_the_notes_are_a_page() -> None:
    page = Drawing(Figure(), "What is shown.", ["g is a gap.", "N = 400."]).markdown("figure_1")
    assert page == "# figure_1\n\nWhat is shown.\n\n- g is a gap.\n- N = 400.\n"
    assert Drawing(Figure(), "What is shown.").markdown("figure_1") == "# figure_1\n\nWhat is shown.\n"
