"""What is plotted of Figure 3.3, with effective depth and g by layer."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from experiments.pan2023.made import DEPTH, FIRST, WD, depths

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.depth_minimization.figures import figures
from nc_runner.experiments.pan2023.effective_depth import NCC
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]


def hidden(table: Results, trial: str, metric: str) -> list[float]:
    """The values of a metric at the hidden layers of a trial."""
    rows = table.metrics[(table.metrics["trial"] == trial) & (table.metrics["metric"] == metric)]
    return rows[rows["layer"] < DEPTH].sort_values("layer")["value"].tolist()


def test_a_panel_has_the_layers_of_its_weight_decay(draw: Draw) -> None:
    table = depths(seeds=1)
    panels = draw(figures, table)["figure_3_3"].figure.axes[: len(FIRST)]
    for number, ax in enumerate(panels):
        for line, metric in zip(ax.get_lines(), (NCC, INTRA, INTER), strict=False):
            assert line.get_xdata().tolist() == list(range(1, DEPTH))
            assert line.get_ydata().tolist() == hidden(table, f"t{number}", metric)
        dashed = {str(line.get_label()): line for line in ax.get_lines()}["simplex ETF, −1/(C−1)"]
        assert dashed.get_ydata() == [-1 / 3, -1 / 3]
    assert [ax.get_title() for ax in panels[-2:]] == ["λ = 0.005", "λ = 0.01, underfit\naccuracy 0.9600"]


def test_where_some_fit_those_that_do_not_are_left_out(draw: Draw) -> None:
    """Of two seeds at 0.005 one ends at an accuracy of 0.96, with features of its own; at 0.01 neither fits."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        if point[WD] == 5e-3 and point["seed"] == 1:
            point["status"] = "underfit"
            values |= {(layer, metric): 0.77 for layer in range(1, DEPTH) for metric in (NCC, INTRA, INTER)}
            values["accuracy"] = 0.96

    table = depths(edit, seeds=2)
    drawings = draw(figures, table)
    number = list(FIRST).index(5e-3)
    fits = f"t{2 * number}"
    panel = drawings["figure_3_3"].figure.axes[number]
    assert panel.get_title() == "λ = 0.005\n1 of 2 underfit, left out"
    for line, metric in zip(panel.get_lines(), (NCC, INTRA, INTER), strict=False):
        assert line.get_ydata().tolist() == hidden(table, fits, metric)
    gap = np.subtract(hidden(table, fits, INTRA), hidden(table, fits, INTER))
    (line,) = drawings["sharpening"].figure.axes[number].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), gap)
    image = drawings["effective_depth"].figure.axes[1].get_images()[0]
    np.testing.assert_array_equal(image.get_array()[number], gap)
    of = "that do not fit their training set, with their training accuracy"
    left = f"Left out: trials {of}: 0.9600 at λ = 0.005."
    said = f"{left} Drawn, as none fits there: trials {of}: 0.9600, 0.9600 at λ = 0.01."
    for name in ("figure_3_3", "sharpening"):
        assert said in drawings[name].notes


def test_layers_are_whole_numbers(draw: Draw) -> None:
    """Of two hidden layers as of fourteen."""
    table = depths(seeds=1)
    few = Results(table.config, table.trials, table.metrics[table.metrics["layer"] <= 2])
    for name, results in itertools.product(("figure_3_3", "sharpening"), (table, few)):
        ticks = draw(figures, results)[name].figure.axes[0].get_xticks()
        assert all(tick == round(tick) for tick in ticks)


def test_effective_depth_is_of_trials_that_fit_and_g_of_all(draw: Draw) -> None:
    table = depths(seeds=1)
    left, right = draw(figures, table)["effective_depth"].figure.axes[:2]
    for line in left.get_lines()[:2]:
        assert dict(zip(*line.get_data(), strict=True)) == {d: k for d, k in FIRST.items() if d < 1e-2}
    gap = [np.subtract(hidden(table, f"t{n}", INTRA), hidden(table, f"t{n}", INTER)) for n in range(len(FIRST))]
    np.testing.assert_array_equal(right.get_images()[0].get_array(), gap)


def test_a_line_is_g_at_an_epoch(draw: Draw) -> None:
    table = depths(seeds=1)
    drawing = draw(figures, table)["sharpening"]
    for number, ax in enumerate(drawing.figure.axes[: len(FIRST)]):
        (line,) = ax.get_lines()
        expected = np.subtract(hidden(table, f"t{number}", INTRA), hidden(table, f"t{number}", INTER))
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert any("training accuracy: 0.9600 at λ = 0.01." in note for note in drawing.notes)


def test_effective_depth_of_no_trial_that_fits_says_so(draw: Draw) -> None:
    nothing = depths(lambda point, values: point.update(status="underfit"), seeds=1)
    left = draw(figures, nothing)["effective_depth"].figure.axes[0]
    assert left.texts[0].get_text() == "no trial reaches\ntraining accuracy 0.999"
