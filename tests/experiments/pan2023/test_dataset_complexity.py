"""The claims on complexity, and those on the conic hull, on tables made so that they hold, fail, or say nothing;
what is plotted of them."""

from collections.abc import Callable

import numpy as np
import pytest
from tables import make_results

from nc_runner.config.schema import Config, DataConfig
from nc_runner.data.synthetic import conic_hull as conic_hull_data
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.pan2023 import conic_hull, dataset_complexity
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]
NAMES = ["data.name", "data.teacher_depth", "train.weight_decay"]


def complexity(intra: dict[int, float], ratio: dict[int, float]) -> Results:
    """One trial a data set and weight decay; complexity 0 is the conic hull."""
    trials, rows = [], []
    for depth in intra:
        for decay in (1e-3, 3e-3):
            trial, name = f"{depth}-{decay}", "teacher" if depth else "conic_hull"
            trials.append([trial, "interpolated", 0, name, depth or 1, decay, 300, 0.0, 1.0])
            for metric, value in ((INTRA, intra[depth]), (INTER, -0.2), ("within_between_trace_ratio", ratio[depth])):
                rows.append([trial, 300, 5, metric, value])
    return make_results(Config(), NAMES, trials, rows)


def verdicts(table: Results) -> list[Verdict]:
    return [claim.verdict for claim in dataset_complexity.claims(table)]


FALLING, RISING = {0: 0.9, 3: 0.8, 6: 0.7}, {0: 0.1, 3: 0.2, 6: 0.3}
YES, NO, OPEN = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


@pytest.mark.parametrize(
    ("intra", "ratio", "expected"),
    [
        (FALLING, RISING, [YES, YES, YES]),
        ({**FALLING, 3: 0.95}, RISING, [NO, YES, YES]),
        (FALLING, {**RISING, 6: 0.15}, [YES, NO, YES]),
        (RISING, FALLING, [NO, NO, NO]),
        ({3: 0.8}, {3: 0.2}, [OPEN, OPEN, OPEN]),
    ],
)
def test_complexity(intra: dict[int, float], ratio: dict[int, float], expected: list[Verdict]) -> None:
    assert verdicts(complexity(intra, ratio)) == expected


@pytest.mark.parametrize(
    ("counts", "kept", "expected"),
    [
        ([2308, 2669, 2607, 2416], 1.0, [YES, YES, YES]),
        ([2308, 2669, 2606, 2417], 0.9999, [NO, NO, NO]),
        ([100, 100, 100, 100], 1.0, [OPEN, YES, YES]),
    ],
)
def test_conic_hull(counts: list[int], kept: float, expected: list[Verdict]) -> None:
    metrics = {f"count_class_{c}": float(n) for c, n in enumerate(counts)}
    metrics |= {"kept_when_scaled": kept, "kept_when_averaged": kept}
    rows = [["t", 0, None, metric, value] for metric, value in metrics.items()]
    table = make_results(Config(), ["data.dim"], [["t", "measured", 0, 16, 0, None, None]], rows)
    assert [claim.verdict for claim in conic_hull.claims(table)] == expected


def test_the_lines_are_the_measures_of_each_data_set(draw: Draw) -> None:
    figure = draw(dataset_complexity.figures, complexity(FALLING, RISING))["collapse_by_complexity"].figure
    intra, inter, ratio = figure.axes
    for ax, values in ((intra, FALLING), (inter, dict.fromkeys(FALLING, -0.2)), (ratio, RISING)):
        lines = {line.get_label(): line for line in ax.get_lines()}
        for depth, label in ((0, "conic hull"), (3, "teacher of depth 3"), (6, "teacher of depth 6")):
            assert lines[label].get_xdata().tolist() == [1e-3, 3e-3]
            assert lines[label].get_ydata().tolist() == [values[depth]] * 2
    assert intra.get_lines()[-1].get_ydata() == [1, 1]  # dashed, as in the legend
    assert inter.get_lines()[-1].get_ydata() == [-1 / 3, -1 / 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "simplex ETF"


def test_axes_without_a_trial_that_fits_say_so(draw: Draw) -> None:
    table = complexity(FALLING, RISING)
    table.trials["status"] = "underfit"
    drawing = draw(dataset_complexity.figures, table)["collapse_by_complexity"]
    assert all("no trial reaches" in ax.texts[0].get_text() for ax in drawing.figure.axes)
    assert "Left out: trials with a training accuracy below 0.999, 6 of 6." in drawing.notes


def planar(dim: int) -> Results:
    return make_results(Config(), ["data.dim"], [["t", "measured", 0, dim, 0, None, None]], [])


def test_points_cells_and_boundaries_are_those_of_the_data(draw: Draw) -> None:
    (ax,) = draw(conic_hull.figures, planar(2))["figure_3_2"].figure.axes
    x, y = (values.numpy()[:1_500] for values in conic_hull_data(10_000, 2, 4))
    lines = {line.get_label(): np.stack(line.get_data(), 1) for line in ax.get_lines()}
    for c in range(4):
        np.testing.assert_allclose(lines[f"class {c}"], x[y == c], rtol=1e-6)
    cells = ax.get_images()[0].get_array()
    inside = np.abs(x).max(1) < 2.9
    column, row = np.rint((x[inside] + 3) / 6 * 800).astype(int).T
    assert (cells[row, column] == y[inside]).mean() > 0.98  # but for points nearer to a boundary than the grid is fine
    _, planes = conic_hull.points_and_planes(DataConfig(dim=2))
    for line, normal in zip(ax.get_lines(), planes, strict=False):
        np.testing.assert_allclose(np.stack(line.get_data(), 1) @ normal, 0, atol=1e-12)


def test_a_run_without_two_dimensions_says_so(draw: Draw) -> None:
    (ax,) = draw(conic_hull.figures, planar(16))["figure_3_2"].figure.axes
    assert ax.texts[0].get_text() == "no trial is two-dimensional"
