"""Collapse against eps, the bounds and the eps they need, as they are drawn."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from experiments.pan2023.made import OPEN, verdicts
from experiments.pan2023.near_tables import FREE, GAPS, near

from nc_runner.experiments.pan2023.near_optimal.claims import ROUNDING, claims
from nc_runner.experiments.pan2023.near_optimal.figures import figures
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]


def test_nothing_is_decided_or_drawn_where_the_theorem_is_undefined(draw: Draw) -> None:
    table = near()
    undefined = table.metrics["metric"].isin(["eps", "intra_cosine_lower_bound", "vacuous_eps"])
    table.metrics.loc[undefined, "value"] = math.nan
    assert set(verdicts(claims(table)).values()) == {OPEN}
    for drawing in draw(figures, table).values():
        assert any(text.get_text() == "no trial has a defined ε" for text in drawing.figure.axes[0].texts)


@pytest.mark.parametrize("kinds", [{}, {"free": False}, {"networks": False}])
def test_collapse_is_drawn_against_eps_of_whatever_was_measured(kinds: dict[str, bool], draw: Draw) -> None:
    """Of a made table 1 - min intra goes to ``GAPS``, the others are of it; the squares are its last rows."""
    axes = draw(figures, near(**kinds))["theorem_2_3_1"].figure.axes
    share = np.arange(8) / 7
    for ax, exponent, factor in zip(axes, (1.0, 0.5, 1.0), (1, 1, 1 / 8), strict=True):
        drawn = {line.get_label(): line for line in ax.get_lines()}
        for norms, gap in [*GAPS.items()] * kinds.get("free", True):
            line = drawn[f"αβ = {norms:g}"]
            np.testing.assert_allclose(line.get_xdata(), 1e-12**share, rtol=1e-6)
            np.testing.assert_allclose(line.get_ydata(), factor * gap ** (exponent * share), rtol=2e-3)
        for label in ["λ = 0.001", "λ = 0.003", "λ = 0.01"] * kinds.get("networks", True):
            assert drawn[label].get_xdata().tolist() == pytest.approx([1e-2])
            assert drawn[label].get_ydata().tolist() == pytest.approx([factor * 0.1**exponent])
        assert ("before the last epoch" in drawn) == kinds.get("networks", True)


@pytest.mark.parametrize(("panel", "factor"), [(0, 1.0), (2, 0.25)])
def test_a_bound_ends_where_the_theorem_is_vacuous(panel: int, factor: float, draw: Draw) -> None:
    """That on NC3 is a quarter of that on min intra."""
    ax = draw(figures, near())["theorem_2_3_1"].figure.axes[panel]
    dashed = [line for line in ax.get_lines() if line.is_dashed() and len(line.get_xdata())]
    for line, norms in zip(dashed, FREE, strict=True):
        curve = 3 * math.exp(4 * norms) / (1 + 3 * math.exp(4 * norms)) ** 2
        end = (4 * norms / 24) ** 2 * curve / 6 / factor**2  # where 8 (3 / (4 norms)) sqrt(2 eps 3 / curve) = 1
        assert line.get_xdata()[1] == pytest.approx(end)
        assert line.get_ydata()[1] == 1
        assert line.get_ydata()[0] == pytest.approx((ROUNDING / end) ** 0.5)


def test_the_eps_needed_is_drawn_under_the_eps_reached(draw: Draw) -> None:
    (ax,) = draw(figures, near())["eps_needed"].figure.axes
    drawn = {line.get_label(): line for line in ax.get_lines()}
    needed = drawn["ε at which the bound becomes vacuous"]
    norms = np.asarray(needed.get_xdata())
    curve = 3 * np.exp(4 * norms) / (1 + 3 * np.exp(4 * norms)) ** 2
    np.testing.assert_allclose(needed.get_ydata(), (norms / 6) ** 2 * curve / 6)
    assert (drawn["λ = 0.001"].get_xdata(), drawn["λ = 0.001"].get_ydata()) == ([7.0], [pytest.approx(1e-2)])
    arrows = [np.stack(line.get_data(), 1) for line in ax.get_lines() if line.get_marker() == "v"]
    for arrow, (held, last) in zip(arrows, FREE.items(), strict=True):
        np.testing.assert_allclose(arrow, [[held, 1.0], [held, last]])
    orders = math.log10(1e-2 / np.interp(4.0, norms, needed.get_ydata()))
    said = [text.get_text() for text in ax.texts]
    assert f"nearest network:\n{orders:.1f} orders of\nmagnitude above" in said
    (rounding,) = np.unique(drawn["rounding in float64"].get_ydata())
    assert rounding == ROUNDING


def test_cosines_and_both_bounds_are_drawn_for_every_share_of_the_classes(draw: Draw) -> None:
    """Of a made network the k-th distance is 0.1/k, the sharper bound lets it be 0.15/k."""
    cosines, distances = draw(figures, near())["every_delta"].figure.axes
    for decay, norms in ((0, 7.0), (1, 5.0), (2, 4.0)):
        measured, sharper = cosines.get_lines()[2 * decay : 2 * decay + 2]
        k = np.arange(1, 5)
        np.testing.assert_allclose(measured.get_ydata(), 1 - 0.1 / k)
        np.testing.assert_allclose(sharper.get_ydata(), 1 - 0.15 / k)
        allowed, theirs = distances.get_lines()[2 * decay : 2 * decay + 2]
        np.testing.assert_allclose(allowed.get_ydata(), 0.15 / k)
        curve = 3 * math.exp(4 * norms) / (1 + 3 * math.exp(4 * norms)) ** 2
        vacuous = (norms / 6) ** 2 * curve / 6
        np.testing.assert_allclose(theirs.get_ydata(), np.sqrt(1e-2 / vacuous) * np.sqrt((4 - k[:3]) / k[:3] / 3))
