import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.ulpm_saddle.claims import claims
from nc_runner.experiments.ji2022.ulpm_saddle.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES, add_caption

COLUMNS = ["id", "status", "seed", "train.method", "model.start", "model.start_scale", "model.start_noise"]


def results(
    *,
    ray: float = 1 / 8,
    noisy: float = 1 / 6,
    small: float = 0.13,
    eigenvalue: float = -0.02149,
    other: float = -0.3,
    collapsed: float = 0.0,
    gradient: float = 1e-12,
    end: float = 1e6,
) -> Results:
    """Two flows with noise and one without, Example 3.1, another saddle and neural collapse."""
    trials, rows = [], []
    for name, noise, last in (("ray", 0.0, ray), ("noisy", 0.1, noisy), ("small", 1e-3, small)):
        trials.append([name, "interpolated", 0, "flow", "saddle", 1.0, noise])
        for epoch in range(1, 6):
            log1p_time = end * 10.0 ** (epoch - 5)
            ratio = last if name == "ray" else 1 / 8 + (last - 1 / 8) * (epoch / 5) ** 4
            rows += [
                [name, epoch, None, "log1p_time", log1p_time],
                [name, epoch, None, "margin_over_squared_norm", ratio],
            ]
    for name, start, ratio, least in (
        ("example", "saddle", 1 / 8, eigenvalue),
        ("other", "normal", -0.1, other),
        ("collapse", "normal", 1 / 6, collapsed),
    ):
        trials.append([name, "interpolated", 0, "critical_point", start, 1.5, 0.0])
        values = {
            "margin_over_squared_norm": ratio, "riemannian_gradient": gradient, "least_hessian_eigenvalue": least,
            "second_hessian_eigenvalue": least, "least_hessian_eigenvalue_relative": least,
            "negative_hessian_eigenvalues": 2.0 * (least < 0), "log1p_time": math.nan,
        }  # fmt: skip
        rows += [[name, 1, None, metric, value] for metric, value in values.items()]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(Config(), pd.DataFrame(trials, columns=COLUMNS), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("stays_on_ray", {"ray": 0.126}),
        ("strict_saddle", {"eigenvalue": -0.03}),
        ("escapes", {"noisy": 0.14}),
        ("escapes", {"small": 0.12}),
        ("others_are_strict_saddles", {"other": 0.0}),
        ("collapse_is_a_minimum", {"collapsed": -0.1}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_nothing_is_decided_too_early_or_of_points_that_are_not_critical() -> None:
    assert verdicts(results(end=1e3, noisy=0.14))["escapes"] is Verdict.undecided
    of = verdicts(results(gradient=1e-3))
    for name in ("strict_saddle", "others_are_strict_saddles", "collapse_is_a_minimum"):
        assert of[name] is Verdict.undecided


def test_the_escape_is_the_ratio_of_each_noise_against_log_t() -> None:
    of = results()
    trials, metrics = [of.trials], [of.metrics]
    for seed, higher in ((1, 0.002), (2, 0.03)):
        more = of.metrics[of.metrics["trial"] == "noisy"].assign(trial=f"noisy {seed}")
        more.loc[more["metric"] == "margin_over_squared_norm", "value"] += higher
        metrics.append(more)
        trials.append(of.trials[of.trials["id"] == "noisy"].assign(id=f"noisy {seed}", seed=seed))
    drawing = figures(Results(of.config, pd.concat(trials), pd.concat(metrics)))["escape"]
    (ax,) = drawing.figure.axes
    lines = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert set(lines) == {"none: on the ray", "0.001", "0.1"}
    x, y = lines["0.1"].get_data()
    np.testing.assert_allclose(x, [1e2, 1e3, 1e4, 1e5, 1e6])
    np.testing.assert_allclose(y, 1 / 8 + (1 / 6 - 1 / 8) * np.arange(0.2, 1.1, 0.2) ** 4 + 0.002)  # the median
    np.testing.assert_allclose(lines["none: on the ray"].get_ydata(), 1 / 8)
    assert "over 3 seeds" in drawing.caption
    plt.close(drawing.figure)


def test_the_landscape_is_the_critical_points_by_ratio_and_eigenvalue() -> None:
    drawing = figures(results())["landscape"]
    (ax,) = drawing.figure.axes
    points = {line.get_label(): line.get_xydata().tolist() for line in ax.lines[:2]}
    assert points == {
        "other critical points (2)": [[1 / 8, -0.02149], [-0.1, -0.3]],
        "neural collapse (1)": [[1 / 6, 0.0]],
    }
    assert "3 searches" in drawing.caption
    plt.close(drawing.figure)


@pytest.mark.parametrize("gradient", [1e-12, 1e-3])
def test_whatever_was_found_is_drawn_over_a_short_caption(gradient: float) -> None:
    for drawing in figures(results(gradient=gradient)).values():
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_where_there_is_nothing_the_axes_say_so() -> None:
    of = results(gradient=1e-3)
    searches = of.trials["train.method"] == "critical_point"
    without_flows = Results(of.config, of.trials[searches], of.metrics)
    said = {
        name: [text.get_text() for text in drawing.figure.axes[0].texts]
        for name, drawing in figures(without_flows).items()
    }
    assert "no gradient flow" in said["escape"]
    assert "no critical point found" in said["landscape"]
    plt.close("all")
