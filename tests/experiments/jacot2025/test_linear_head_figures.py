"""Figures 1 and 4: the numbers that are drawn, on the tables of the claims."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.jacot2025.head_tables import DECAY, STEP_SIZE, recursion, results, with_value

from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025 import linear_head_mlp, linear_head_resnet
from nc_runner.experiments.jacot2025.imbalance import steps_per_epoch, with_predictions
from nc_runner.figures.drawing import CAPTION_LINES, Drawing
from nc_runner.figures.fit import fit


def drawn(table: Results, *, resnet: bool = False) -> Drawing:
    (drawing,) = (linear_head_resnet if resnet else linear_head_mlp).EXPERIMENT.figures(table).values()
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
    return drawing


def lines(drawing: Drawing, panel: int) -> dict[str, np.ndarray]:
    """(x, y) of each line of a panel that the legend names."""
    named = drawing.figure.axes[panel].lines
    return {str(line.get_label()): np.array(line.get_xydata()) for line in named if str(line.get_label())[0] != "_"}


@pytest.mark.parametrize("resnet", [False, True])
def test_a_line_is_the_mean_of_a_layer_over_training(resnet: bool) -> None:
    depth = 6 if resnet else 7
    table = with_value(results(resnet=resnet), "class_mean_condition_number", 4.0, f"trial == 'b' and layer == {depth}")
    drawing = drawn(table, resnet=resnet)
    nc2, epochs = lines(drawing, 1), sorted(table.metrics["epoch"].unique())
    names = ["input", *["ReLU"] * 3, *["linear"] * (depth - 3)]
    assert list(nc2)[: depth + 1] == [f"layer {layer}, {name}" for layer, name in enumerate(names)]
    for layer in range(depth):
        of_layer = nc2[f"layer {layer}, {names[layer]}"]
        np.testing.assert_array_equal(of_layer[:, 0], epochs)
        np.testing.assert_allclose(of_layer[:, 1], 16 ** ((depth - layer) / (depth - 3)))
    np.testing.assert_allclose(nc2[f"layer {depth}, linear"][:, 1], 2.0)  # of 1, 4 and 1
    last = np.array(drawing.figure.axes[4 + depth - 3].lines[0].get_xydata())
    np.testing.assert_allclose(last[:, 1], [*(16 ** ((depth - layer) / (depth - 3)) for layer in range(depth)), 2.0])
    assert "mean over 3 seeds, band: one standard deviation" in drawing.caption


def test_predictions_and_bounds_are_drawn_over_what_they_are_of() -> None:
    drawing = drawn(results())
    np.testing.assert_allclose(lines(drawing, 0)["Theorem B.1, layer 6"][:, 1], 0.03)  # three times NC1
    np.testing.assert_allclose(lines(drawing, 1)["Theorem B.1, layer 6"][:, 1], 3 * 16**0.25)
    rows = with_predictions(results())
    rows = rows[rows["id"] == "a"].sort_values(["layer", "epoch"])
    dashed = [line for line in drawing.figure.axes[2].lines if line.get_linestyle() == "--"]
    *of_layers, entry = (np.array(line.get_xydata()) for line in dashed)
    assert entry.size == 0
    for (_, expected), line in zip(rows.groupby("layer"), of_layers, strict=True):
        np.testing.assert_array_equal(line[:, 0], expected["epoch"])
        np.testing.assert_allclose(line[:, 1], expected["predicted"])
    steps, alone = steps_per_epoch(results().config), lines(drawing, 2)["$(1-\\eta\\lambda)^{2t}$ alone"]
    kept = (1 - STEP_SIZE * DECAY) ** (2 * steps * (alone[:, 0] - alone[0, 0]))
    np.testing.assert_allclose(alone[:, 1], recursion(int(alone[0, 0]), steps, 1.0) * kept)
    balanced = lines(drawing, 8)["balanced head"]
    np.testing.assert_allclose(balanced, [[layer, 16 ** ((7 - layer) / 4)] for layer in range(4, 8)])


@pytest.mark.parametrize("resnet", [False, True])
def test_the_last_panel_is_the_geometry_of_the_last_class_means(resnet: bool) -> None:
    panel = lines(drawn(results(resnet=resnet), resnet=resnet), 8 if resnet else 9)
    nc2 = 16 ** (1 / 3 if resnet else 1 / 4)
    np.testing.assert_allclose(panel["|cos| of class means"][:, 1], 0.05)
    np.testing.assert_allclose(panel["its largest by NC2"][:, 1], (nc2**2 - 1) / (nc2**2 + 1))
    np.testing.assert_allclose(panel["1 − NC3"][:, 1], 0.01)


def test_gram_matrices_are_over_their_largest_entry() -> None:
    table = with_value(results(), "gram_0_1", -0.5, "layer == 4")
    matrices = [np.array(ax.images[0].get_array()) for ax in drawn(table).figure.axes[4:8]]
    expected = np.eye(10)
    for matrix in matrices[1:]:
        np.testing.assert_array_equal(matrix, expected)
    expected[0, 1] = expected[1, 0] = -0.5
    np.testing.assert_array_equal(matrices[0], expected)


@pytest.mark.parametrize("resnet", [False, True])
def test_little_or_nothing_is_drawn_too(resnet: bool) -> None:
    table = results(resnet=resnet)
    one = Results(table.config, table.trials[:1], table.metrics[table.metrics["trial"] == "a"])
    assert "one seed" in drawn(one, resnet=resnet).caption
    first = Results(table.config, table.trials, table.metrics[table.metrics["epoch"] == 1])
    assert [len(xy) for xy in lines(drawn(first, resnet=resnet), 3).values()] == [1] * (7 if resnet else 8)
    diverged = drawn(Results(table.config, table.trials.assign(status="diverged"), table.metrics), resnet=resnet)
    for panel in (0, 1, 2, 3, 7 if resnet else 8):
        assert [text.get_text() for text in diverged.figure.axes[panel].texts] == ["every run diverged"]
    assert diverged.figure.legends == []
