"""The numbers that lines and bands over several seeds have."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from nc_runner.figures.drawing import give_limits
from nc_runner.figures.series import plot_mean_std, plot_over, seeds_phrase

# Of unequal numbers of seeds, in no order; the last has one.
TABLE = pd.DataFrame({"x": [2, 1, 2, 1, 2, 3], "y": [4.0, 1.0, 6.0, 3.0, 11.0, 5.0], "seed": [0, 1, 2, 0, 1, 0]})


@pytest.fixture
def ax() -> Axes:
    _, ax = plt.subplots()
    return ax


def band(ax: Axes) -> dict[float, tuple[float, float]]:
    """The least and the largest y of the only band at each x."""
    (of,) = ax.collections
    corners = of.get_paths()[0].vertices
    return {x: (corners[corners[:, 0] == x, 1].min(), corners[corners[:, 0] == x, 1].max()) for x in (1.0, 2.0, 3.0)}


def test_a_line_is_the_mean_and_its_band_goes_from_least_to_largest(ax: Axes) -> None:
    plot_over(ax, TABLE, "x", "y", color="red")
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == [2.0, 7.0, 5.0]
    assert band(ax) == {1.0: (1.0, 3.0), 2.0: (4.0, 11.0), 3.0: (5.0, 5.0)}


def test_one_seed_has_no_band(ax: Axes) -> None:
    plot_over(ax, TABLE.drop_duplicates("x"), "x", "y")
    plot_mean_std(ax, TABLE.drop_duplicates("x"), "x", "y")
    assert not ax.collections
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1.0, 4.0, 5.0]] * 2


def test_a_band_of_one_standard_deviation_divides_by_one_less(ax: Axes) -> None:
    plot_mean_std(ax, TABLE[TABLE["x"] < 3], "x", "y")
    assert ax.lines[0].get_ydata().tolist() == [2.0, 7.0]
    corners = ax.collections[0].get_paths()[0].vertices
    for x, mean, values in ((1.0, 2.0, [1.0, 3.0]), (2.0, 7.0, [4.0, 6.0, 11.0])):
        of = corners[corners[:, 0] == x, 1]
        np.testing.assert_allclose([of.min(), of.max()], [mean - np.std(values, ddof=1), mean + np.std(values, ddof=1)])


def test_on_a_logarithmic_axis_a_band_ends_at_a_tenth_of_the_mean(ax: Axes) -> None:
    ax.set_yscale("log")
    table = pd.DataFrame({"x": [1, 1], "y": [1.0, 199.0], "seed": [0, 1]})
    plot_mean_std(ax, table, "x", "y")
    assert ax.collections[0].get_paths()[0].vertices[:, 1].min() == pytest.approx(10.0)


def test_seeds_in_words() -> None:
    assert seeds_phrase(TABLE) == "mean and min-max band over 3 seeds"
    assert seeds_phrase(TABLE, band=False) == "3 seeds"
    assert seeds_phrase(TABLE[TABLE["seed"] == 0]) == "one seed"


def test_a_logarithmic_axis_with_nothing_on_it_gets_a_decade(ax: Axes) -> None:
    ax.set(xscale="log", yscale="log", xlim=(2, 5), ylim=(0.5, 5))
    give_limits(ax.figure)
    assert (ax.get_xlim(), ax.get_ylim()) == ((2, 5), (0.5, 5))
    _, empty = plt.subplots()
    empty.plot([1.0, 2.0], [np.nan, np.nan])
    assert empty.get_ylim()[0] < 0  # asked for while it is linear, as a layout does
    empty.set_yscale("log")
    with pytest.raises((ValueError, UserWarning), match="cannot be log-scaled"):
        empty.figure.draw_without_rendering()
    give_limits(empty.figure)
    empty.figure.draw_without_rendering()
    assert empty.get_ylim() == (0.1, 1)
    plt.close("all")
