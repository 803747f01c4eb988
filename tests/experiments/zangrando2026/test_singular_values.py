import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import make_results

from nc_runner import theory
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.singular_values.claims import claims, compared
from nc_runner.experiments.zangrando2026.singular_values.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES, add_caption

CONFIG = Config(data=DataConfig(classes=3), model=ModelConfig(depth=3, width=4), train=TrainConfig(weight_decay=1e-3))


def results(
    *,
    linear: float = 1.0,
    excess: float = 0.0,
    tail: float = 0.0,
    power: float = 0.5,
    status: str = "interpolated",
) -> Results:
    """Linear networks at ``linear`` times the optimum, ReLU ones off by 0.01 delta^power."""
    trials, rows = [], []
    for activation in ("linear", "relu"):
        for delta in (10.0, 1.0, 0.1, 0.0):
            name = f"{activation}-{delta}"
            trials.append([name, status, 0, activation, 1e-3 * delta, 9, 0.1, 1.0])
            best = theory.first_layer_delta_singular_values(1e-3, 3, 2, delta or 1.0)
            factor = linear if activation == "linear" else 1 + 0.01 * (delta or 1.0) ** power
            over = 0.0 if activation == "linear" else excess
            rows.append([name, 9, None, "objective", best.objective.item() * (1 + over)])
            for layer, size in ((1, 3), (2, 4), (3, 3)):
                value = factor * (best.first if layer == 1 else best.hidden).item()
                spectrum = [value] * 3 + [0.0] * (size - 3)
                rows += [[name, 9, layer, f"singular_value_{j}", s] for j, s in enumerate(spectrum, 1)]
                rows.append([name, 9, layer, "relative_rank_distance", tail])
    return make_results(CONFIG, ["model.activation", "train.weight_decay_first"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results(linear=1.0001)).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("linear_agrees", {"linear": 1.002}),
        ("relu_reaches_optimum", {"excess": 2e-3}),
        ("relu_reaches_optimum", {"excess": -2e-3}),
        ("relu_rank", {"tail": 1e-3}),
        ("approaches_as_delta_falls", {"power": -0.5}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_distance_and_error_are_relative_and_undefined_for_delta_0() -> None:
    table = compared(results(linear=1.01)).set_index("id")
    assert table.loc["linear-1.0", "distance"] == pytest.approx(0.01)
    assert table.loc["linear-1.0", "largest_error"] == pytest.approx(0.01)
    assert math.isnan(table.loc["linear-0.0", "distance"])


def test_singular_values_and_the_prediction_are_plotted() -> None:
    drawing = figures(results(linear=1.01))["figure_2"]
    axes = np.array(drawing.figure.axes).reshape(2, 4)
    assert [ax.get_title() for ax in axes[0]] == ["δ = 10", "δ = 1", "δ = 0.1", "δ = 0"]
    assert [of_row[0].get_ylabel() for of_row in axes] == ["linear\nsingular value", "relu\nsingular value"]
    for column, delta in enumerate((10.0, 1.0, 0.1)):
        best = theory.first_layer_delta_singular_values(1e-3, 3, 2, delta)
        for row, factor in enumerate((1.01, 1 + 0.01 * delta**0.5)):
            first, second, third, *circles = axes[row, column].lines
            assert second.get_xdata().tolist() == [1, 2, 3, 4]
            np.testing.assert_allclose(first.get_ydata(), [factor * best.first.item()] * 3 + [np.nan])
            np.testing.assert_allclose(second.get_ydata(), [factor * best.hidden.item()] * 3 + [0])
            np.testing.assert_allclose(third.get_ydata(), [factor * best.hidden.item()] * 3 + [np.nan])
            for circle, level in zip(circles, (best.first, best.hidden), strict=True):
                assert circle.get_xdata().tolist() == [1, 2, 3]
                np.testing.assert_allclose(circle.get_ydata(), level.item())
    assert [len(of_row[3].lines) for of_row in axes] == [3, 3]  # no prediction for delta = 0
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_distances_and_objectives_are_plotted_against_delta() -> None:
    drawing = figures(results(linear=1.02, excess=3e-4))["distance"]
    distance, excess = drawing.figure.axes
    for ax, linear, relu in (
        (distance, [0.02] * 3, [0.01 * delta**0.5 for delta in (10.0, 1.0, 0.1)]),
        (excess, [1e-16] * 3, [3e-4] * 3),
    ):
        for line, name, values in zip(ax.lines, ("linear networks", "relu networks"), (linear, relu), strict=True):
            assert line.get_label() == name
            np.testing.assert_allclose(line.get_xdata(), [10.0, 1.0, 0.1])
            np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-9)
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(table).values()) == {Verdict.undecided}
    drawings = figures(table)
    assert [ax.texts[0].get_text() for ax in drawings["figure_2"].figure.axes] == ["no finished network"] * 8
    said = [ax.texts[0].get_text() for ax in drawings["distance"].figure.axes]
    assert said == ["no finished network with δ > 0"] * 2
    for drawing in drawings.values():
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
