"""The page of a figure's caption and notes."""

from matplotlib.figure import Figure

from nc_runner.figures.drawing import Drawing


def test_the_notes_are_a_page() -> None:
    page = Drawing(Figure(), "What is shown.", ["g is a gap.", "N = 400."]).markdown("figure_1")
    assert page == "# figure_1\n\nWhat is shown.\n\n- g is a gap.\n- N = 400.\n"
    assert Drawing(Figure(), "What is shown.").markdown("figure_1") == "# figure_1\n\nWhat is shown.\n"
