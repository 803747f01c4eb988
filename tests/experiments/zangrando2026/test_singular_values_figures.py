"""Spectra, distances and objectives as they are drawn, and what is drawn where there is nothing."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
from experiments.zangrando2026.singular_value_tables import DECAY, LIMIT, REPRODUCED, UNDECIDED, results
from nonsense import by_id, verdicts

from nc_runner import theory
from nc_runner.experiments.zangrando2026.singular_values import EXPERIMENT
from nc_runner.experiments.zangrando2026.singular_values.claims import DELTAS
from nc_runner.experiments.zangrando2026.singular_values.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def test_singular_values_and_the_predictions_are_plotted() -> None:
    drawing = figures(results(linear=1.01, relu=1.02, seeds=1))["figure_2"]
    axes = np.array(drawing.figure.axes).reshape(2, 6)
    assert [ax.get_title() for ax in axes[0]] == [f"δ = {delta:g}" for delta in (*DELTAS, 0)]
    assert [of_row[0].get_ylabel() for of_row in axes] == ["linear\nsingular value", "relu\nsingular value"]
    for column, delta in enumerate(DELTAS):
        best = theory.first_layer_delta_singular_values(DECAY, 3, 2, delta)
        for row, factor in enumerate((1.01, 1.02)):
            first, second, third, *circles = axes[row, column].lines
            assert second.get_xdata().tolist() == [1, 2, 3, 4]
            np.testing.assert_allclose(first.get_ydata(), [factor * best.first.item()] * 3 + [np.nan])
            np.testing.assert_allclose(second.get_ydata(), [factor * best.hidden.item()] * 3 + [0])
            np.testing.assert_allclose(third.get_ydata(), [factor * best.hidden.item()] * 3 + [np.nan])
            assert len(circles) == 2
            for circle, level in zip(circles, (best.first, best.hidden), strict=True):
                assert circle.get_xdata().tolist() == [1, 2, 3]
                np.testing.assert_allclose(circle.get_ydata(), level.item())
    assert [len(of_row[5].lines) for of_row in axes] == [3, 3]  # no prediction for delta = 0
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_distances_and_objectives_are_plotted_against_delta() -> None:
    drawing = figures(results(linear=1.02, relu=1.03, excess=3e-4, seeds=1))["distance"]
    limit, distance, excess = drawing.figure.axes
    for ax, linear, relu in (
        (limit, list(LIMIT.values()), list(LIMIT.values())),
        (distance, [0.02] * 5, [0.03] * 5),
        (excess, [1e-16] * 5, [3e-4] * 5),
    ):
        for line, name, values in zip(ax.lines, ("linear networks", "relu networks"), (linear, relu), strict=True):
            assert line.get_label() == name
            np.testing.assert_allclose(line.get_xdata(), DELTAS)
            np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-9)
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_a_folder_without_the_features_norm_is_drawn_and_leaves_the_limit_undecided() -> None:
    table = results(seeds=3, linear=1.0001)
    old = dataclasses.replace(table, metrics=table.metrics[table.metrics["metric"] != "largest_feature_norm"])
    found = by_id(EXPERIMENT, old)
    assert found["approaches_as_delta_falls"].verdict is UNDECIDED
    assert found["linear_agrees"].verdict is REPRODUCED
    drawings = figures(old)
    assert [[text.get_text() for text in ax.texts] for ax in drawings["distance"].figure.axes] == [
        ["not measured"],
        [],
        [],
    ]
    for drawing in drawings.values():
        plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawings = figures(table)
    assert [ax.texts[0].get_text() for ax in drawings["figure_2"].figure.axes] == ["no finished network"] * 12
    said = [ax.texts[0].get_text() for ax in drawings["distance"].figure.axes]
    assert said == ["no finished network with δ > 0"] * 3
    for drawing in drawings.values():
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
