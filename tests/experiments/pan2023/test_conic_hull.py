"""The claims on the conic hull on tables made so that they hold, fail, or say nothing; what is plotted of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.pan2023.made import NO, OPEN, YES, composed, conic, verdicts
from tables import make_results

from nc_runner.config.schema import Config, DataConfig
from nc_runner.data.synthetic import conic_hull as conic_hull_data
from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import conic_hull
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]
HOLDS = {"authors_counts": YES, "classes_are_cones": YES, "classes_are_convex": YES}


def of_dim(dim: int, **values: float) -> Callable[[dict[str, Any], dict[str, float]], None]:
    """Sets metrics of the set of a dimension."""
    return lambda point, metrics: metrics.update(values) if point["data.dim"] == dim else None


@pytest.mark.parametrize(
    ("edit", "against"),
    [
        (None, set()),
        (of_dim(16, count_class_2=2606, count_class_3=2417), {"authors_counts"}),
        (of_dim(2, count_class_2=2606, count_class_3=2417), set()),  # of the other set
        (of_dim(2, kept_when_scaled=0.9999), {"classes_are_cones"}),
        (of_dim(16, kept_when_averaged=0.9999), {"classes_are_convex"}),
    ],
)
def test_they_alone_fail(edit: Any, against: set[str]) -> None:
    assert verdicts(conic_hull.claims(conic(edit))) == {**HOLDS, **dict.fromkeys(against, NO)}


def test_the_authors_counts_are_of_their_size() -> None:
    table = conic(counts=(100, 100, 100, 100))
    smaller = Results(composed("experiment=conic_hull", "data.samples=400"), table.trials, table.metrics)
    assert verdicts(conic_hull.claims(smaller)) == {**HOLDS, "authors_counts": OPEN}
    flat = table.only(table.trials["data.dim"] == 2)
    assert verdicts(conic_hull.claims(flat))["authors_counts"] is OPEN


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
