"""Figure 2, descent beside the flow and the theorems' panels, as they are drawn."""

import dataclasses
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from experiments.ji2022.ulpm_flow_tables import results

from nc_runner.experiments.ji2022 import panels
from nc_runner.experiments.ji2022.laws import REACH, by_time
from nc_runner.experiments.ji2022.ulpm_flow.figures import FIRST_REACHABLE, figures, slope_band
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


@pytest.mark.parametrize("descent", [True, False])
def test_whatever_was_measured_is_drawn_over_a_short_caption(descent: bool) -> None:
    drawings = figures(results(descent=descent))
    assert ("figure_2_reachable" in drawings) is descent
    for drawing in drawings.values():
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_figure_2_is_the_measures_and_their_slopes_against_log_t() -> None:
    of = results()
    flow = by_time(of).query("trial == 'flow'")
    axes = figures(of)["figure_2"].figure.axes
    curves = {line.get_label(): line for line in axes[1].lines}
    np.testing.assert_allclose(curves["mean distance"].get_xdata(), flow["log_t"], rtol=1e-9)
    np.testing.assert_allclose(curves["mean distance"].get_ydata(), flow["within_class_variation"])
    np.testing.assert_allclose(curves["tr $S_W$ / tr $S_B$"].get_ydata(), flow["within_between_trace_ratio"])
    slopes = [line.get_ydata() for line in axes[5].lines[:3]]  # under panel (b), before the lines of -1 and -1/2
    for found, expected in zip(slopes, (-1, -1, -0.5), strict=True):
        np.testing.assert_allclose(found, expected)
    assert [line.get_ydata()[0] for line in axes[5].lines[3:]] == [-1, -0.5]
    guides = [line for line in axes[1].lines if line.get_label().startswith("_")]
    powers = [np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata())) for line in guides]
    np.testing.assert_allclose(powers, [[-1], [-0.5]])
    for ax in axes:
        assert ax.get_xlim() == pytest.approx((1, flow["log_t"].max()))
        shade = next(patch for patch in ax.patches if patch.get_facecolor()[0] == 0.93)
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((1, math.log(1e5)))
    assert [ax.get_ylim()[0] for ax in axes[4:]] == [-1.6, -3.4, -1.6, -1.6]
    assert [len(ax.lines) - 2 for ax in axes[4:]] == [3, 3, 3, 1]  # slopes; the prediction of (a) has none
    plt.close("all")


def test_a_panel_has_the_measures_that_its_curves_are_named_after() -> None:
    assert [[(metric, label) for metric, label, *_ in curves] for _, _, curves in panels.PANELS] == [
        [
            ("norm_variation_class_means", "class means, centred"),
            ("norm_variation_weights", "classifiers"),
            ("norm_variation_centred_weights", "classifiers, centred"),
            ("norm_variation_weights_predicted", "classifiers, predicted"),
        ],
        [
            ("within_between_trace_ratio", "tr $S_W$ / tr $S_B$"),
            ("within_between_pinv_trace", "tr($S_W S_B^+$) / K"),
            ("within_class_variation", "mean distance"),
        ],
        [
            ("etf_cosine_deviation_class_means", "class means, centred"),
            ("etf_cosine_deviation_weights", "classifiers"),
            ("etf_cosine_deviation_centred_weights", "classifiers, centred"),
        ],
        [("self_duality_distance", "class means to classifiers")],
    ]


def test_guides_lie_under_and_over_the_curves_but_for_the_steepest() -> None:
    """Two decades before the end: the trace ratio 0.1 / log t, the distance 0.1 / sqrt(log t), and tr(S_W S_B^+) / K
    far below both."""
    of = results(within_between_pinv_trace=-3.0)
    axes = figures(of)["figure_2"].figure.axes
    under, over = [line for line in axes[1].lines if line.get_label().startswith("_")]
    start = by_time(of)["log_t"].max() / 100
    assert under.get_ydata()[0] == pytest.approx(0.2 * 0.1 / start, rel=0.15)
    assert over.get_ydata()[0] == pytest.approx(5 * 0.1 / start**0.5, rel=0.15)
    plt.close("all")


def test_local_slopes_of_several_flows_are_their_mean_and_band() -> None:
    log_t = np.geomspace(1, 100, 20)
    table = pd.concat(
        pd.DataFrame({"trial": f"{power}", "log_t": log_t, "m": log_t**power}) for power in (-1.0, -0.25, -0.1)
    )
    _, ax = plt.subplots()
    slope_band(ax, table.reset_index(drop=True), "m", "black", "-")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), -0.45)
    bounds = ax.collections[0].get_paths()[0].get_extents()
    assert (bounds.y0, bounds.y1) == pytest.approx((-1.0, -0.1))
    plt.close("all")


def test_descent_is_drawn_beside_the_flow_from_the_same_start() -> None:
    """Of seed 0, whose flow from a start of another scale is another."""
    of = results(seeds=2)
    other = of.trials[of.trials["id"] == "flow"].assign(id="other", **{"model.start_scale": 0.1})
    rows = of.metrics[of.metrics["trial"] == "flow"].assign(trial="other")
    rows["value"] = rows["value"].where(rows["metric"] == "log1p_time", 9.0)
    both = dataclasses.replace(of, trials=pd.concat([of.trials, other]), metrics=pd.concat([of.metrics, rows]))
    line, circles = figures(both)["figure_2_reachable"].figure.axes[3].lines
    assert max(line.get_ydata()) < 9
    note = next(note for note in figures(both)["figure_2_reachable"].notes if note.startswith("Descent: "))
    assert "It ends at t = 6e+04 after 9 steps;" in note
    assert len(circles.get_xdata()) == len(set(circles.get_xdata()))
    plt.close("all")


def test_circles_of_descent_lie_beside_the_line_of_the_flow() -> None:
    of = results()
    table = by_time(of)
    ax = figures(of)["figure_2_reachable"].figure.axes[3]
    line, circles = ax.lines
    for drawn, method, end in ((line, "flow", 1.05 * REACH), (circles, "gd", np.inf)):
        rows = table[(table["trial"] == method) & table["log_t"].between(FIRST_REACHABLE, end)]
        assert len(rows) > 5
        np.testing.assert_allclose(drawn.get_xdata(), rows["log_t"])
        np.testing.assert_allclose(drawn.get_ydata(), rows["self_duality_distance"])
    plt.close("all")


def test_the_theorems_panels_are_distances_from_their_limits() -> None:
    of = results(drift=1e-5)
    flow = by_time(of).query("trial == 'flow'")
    drawn = [ax.lines[0].get_ydata() for ax in figures(of)["margin"].figure.axes]
    epoch = np.arange(1, len(flow) + 1)
    np.testing.assert_allclose(drawn[0], 1 - flow["margin_ratio"])
    np.testing.assert_allclose(drawn[1], flow["kkt_residual"])
    np.testing.assert_allclose(drawn[2], 0.1 / epoch)
    np.testing.assert_allclose(drawn[3], 1e-5 * (1 - 0.5 / epoch))
    plt.close("all")


def test_where_nothing_flowed_the_axes_say_so() -> None:
    of = results()
    drawings = figures(dataclasses.replace(of, trials=of.trials[of.trials["train.method"] == "gd"]))
    for name in ("figure_2", "margin"):
        said = [[text.get_text() for text in ax.texts] for ax in drawings[name].figure.axes]
        assert said == [["no gradient flow"]] * len(said)
    plt.close("all")


def test_a_line_is_the_mean_of_logs_over_trials_and_its_band_goes_from_least_to_largest() -> None:
    table = pd.DataFrame({"trial": [*"aabb"], "log_t": [1.0, 2.0] * 2, "m": [1.0, 2.0, 4.0, 0.0]})
    _, ax = plt.subplots()
    panels.band(ax, table, "m", "black", "-", "")
    assert ax.lines[0].get_xydata().tolist() == [[1.0, 2.0], [2.0, 2.0]]  # not a 0, which has no log
    assert ax.collections[0].get_paths()[0].get_extents().bounds == (1.0, 1.0, 1.0, 3.0)
    off_by_rounding = table.assign(log_t=[1.0, 2.0, 1.0 + 4e-16, 2.0])
    assert len(panels.across(off_by_rounding, "m")) == 2
    plt.close("all")
