"""Distances from low rank and their bound as they are drawn."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
from experiments.zangrando2026.rank_tcv_tables import DECAYS, SEEDS, SIGMAS, UNDECIDED, results
from nonsense import verdicts

from nc_runner.experiments.zangrando2026.rank_tcv import EXPERIMENT
from nc_runner.experiments.zangrando2026.rank_tcv.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def test_heat_maps_show_the_distance_of_every_hidden_layer() -> None:
    drawing = figures(results())["figure_1"]
    *panels, _ = drawing.figure.axes
    assert [panel.get_title() for panel in panels] == ["layer 1", "layer 2"]
    expected = [[1e-5 * decay**-2 * sigma**2 for decay in DECAYS] for sigma in SIGMAS]
    for panel in panels:
        np.testing.assert_allclose(panel.images[0].get_array(), expected)
        assert [text.get_text() for text in panel.texts][:4] == ["−3.6", "−5.0", "−6.4", "−2.6"]
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0.02", "0.1", "0.5"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["0.1", "0.3", "1", "2", "3"]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_distances_below_the_floor_are_written_as_that() -> None:
    drawing = figures(results(floor=True))["figure_1"]
    assert {text.get_text() for text in drawing.figure.axes[0].texts} == {"≤−10"}
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_bound_and_distance_are_plotted_against_cluster_variation_over_weight_decay() -> None:
    drawing = figures(results(bound=7.0))["bound"]
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}
    assert [len(line.get_xdata()) for line in lines.values()] == [90, 90, 90, 90]
    points = [(s**0.5 / d, (1e-5 * d**-2 * s**2) ** 0.5) for d in DECAYS for s in SIGMAS]
    times = {"distance, after": 1.0, "bound, after": 7.0, "distance, in": 1.0, "bound, in": 10.0}
    for name, factor in ((f"{name} training", factor) for name, factor in times.items()):
        drawn = sorted(zip(lines[name].get_xdata(), lines[name].get_ydata(), strict=True))
        expected = sorted((x, factor * y) for x, y in points for _ in range(2 * len(SEEDS)))
        np.testing.assert_allclose(drawn, expected)
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_small_values_are_drawn_at_the_edge_and_that_is_said() -> None:
    table = results(floor=True)
    table.metrics.loc[table.metrics["metric"] == "input_cluster_variation", "value"] = 0.0
    drawing = figures(table)["bound"]
    (ax,) = drawing.figure.axes
    measured = next(line for line in ax.lines if line.get_label() == "distance, after training")
    assert set(measured.get_xdata()) == {0.3}
    assert set(measured.get_ydata()) == {1e-8}
    assert ax.texts[0].get_text() == "0.3 or less"
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_no_direction_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawing = figures(table)["figure_1"]
    assert [ax.texts[0].get_text()[:19] for ax in drawing.figure.axes] == ["no finished network"] * 2
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
    drawing = figures(dataclasses.replace(table, metrics=table.metrics.assign(value=np.nan)))["bound"]
    assert drawing.figure.axes[0].texts[0].get_text() == "no finished network"
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
