"""Each claim of ulpm_saddle on tables made so that it holds, and so that it does not; what is drawn."""

import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.ulpm_saddle.claims import claims
from nc_runner.experiments.ji2022.ulpm_saddle.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

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
    seeds: int = 3,
    found: int = 10,
    drift: float = 1e-6,
) -> Results:
    """Flows with two noises and without, Example 3.1, other saddles and neural collapse, ``found`` times each."""
    trials, rows = [], []
    flows = itertools.product((("ray", 0.0, ray), ("noisy", 0.1, noisy), ("small", 1e-3, small)), range(seeds))
    for (kind, noise, last), seed in flows:
        name = kind if seed == 0 else f"{kind} of {seed}"
        trials.append([name, "interpolated", seed, "flow", "saddle", 1.0, noise])
        for epoch in range(1, 6):
            ratio = last if kind == "ray" else 1 / 8 + (last - 1 / 8) * (epoch / 5) ** 4
            values = {"log1p_time": end * 10.0 ** (epoch - 5), "margin_over_squared_norm": ratio}
            values["conserved_drift"] = drift
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    points = (
        ("example", "saddle", 1 / 8, eigenvalue, "interpolated"),
        ("other", "normal", -0.1, other, "underfit"),
        ("collapse", "normal", 1 / 6, collapsed, "interpolated"),
    )
    for (kind, start, ratio, least, status), seed in itertools.product(points, range(found)):
        name = kind if seed == 0 else f"{kind} of {seed}"
        trials.append([name, status, seed, "critical_point", start, 1.5, 0.0])
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
    found = claims(results())
    assert {claim.verdict for claim in found} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found)


@pytest.mark.parametrize(
    ("claim", "fails", "holds"),
    [
        ("stays_on_ray", {"ray": 1 / 8 + 1.1e-6}, {"ray": 1 / 8 + 0.9e-6}),
        ("stays_on_ray", {"ray": 1 / 8 - 1.1e-6}, {"ray": 1 / 8 - 0.9e-6}),
        ("strict_saddle", {"eigenvalue": -0.021496}, {"eigenvalue": -0.021494}),
        ("escapes", {"noisy": 1 / 6 - 1.1e-3}, {"noisy": 1 / 6 - 0.9e-3}),
        ("escapes", {"small": 0.1249}, {"small": 0.1251}),
        ("escapes", {"small": 0.125}, {"small": 1 / 6}),
        ("others_are_strict_saddles", {"other": 0.0}, {"other": -0.01}),
        ("collapse_is_a_minimum", {"collapsed": -0.1}, {"collapsed": 0.1}),
    ],
)
def test_each_can_fail_and_no_other_suffers(claim: str, fails: dict[str, float], holds: dict[str, float]) -> None:
    of = verdicts(results(**fails))  # type: ignore[arg-type]
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}
    assert set(verdicts(results(**holds)).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("claim", "trial", "metric", "value"),
    [
        ("stays_on_ray", "ray of 2", "margin_over_squared_norm", 0.13),
        ("strict_saddle", "example of 3", "second_hessian_eigenvalue", -0.02),
        ("strict_saddle", "example of 3", "negative_hessian_eigenvalues", 3.0),
        ("escapes", "small of 1", "margin_over_squared_norm", 0.125),
        ("others_are_strict_saddles", "other of 4", "negative_hessian_eigenvalues", 0.0),
        ("collapse_is_a_minimum", "collapse of 4", "negative_hessian_eigenvalues", 1.0),
    ],
)
def test_one_trial_in_which_it_fails_is_enough(claim: str, trial: str, metric: str, value: float) -> None:
    table = results()
    table.metrics.loc[(table.metrics["trial"] == trial) & (table.metrics["metric"] == metric), "value"] = value
    of = verdicts(table)
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    points = {"others_are_strict_saddles", "collapse_is_a_minimum"}
    assert undecided(results(end=1e3)) == {"escapes"}
    assert undecided(results(end=1e3, small=1 / 6)) == set()  # all have arrived
    assert undecided(results(seeds=2)) == {"escapes"}
    assert undecided(results(drift=1.1e-3)) == {"stays_on_ray", "escapes"}
    assert undecided(results(gradient=1.1e-8)) == {"strict_saddle", *points}
    assert undecided(results(gradient=0.9e-8)) == set()
    assert undecided(results(found=9)) == {"collapse_is_a_minimum"}  # of other points there are 18
    assert undecided(results(found=4)) == points
    table = results()
    assert undecided(table.only(table.trials["model.start_noise"] != 0.1)) == {"escapes"}


def test_a_flow_that_comes_back_has_not_escaped() -> None:
    """At 1/6 for a while, and then back between the two."""
    table = results()
    rows = table.metrics.query("trial == 'noisy' and metric == 'margin_over_squared_norm'").index
    table.metrics.loc[rows, "value"] = [0.126, 0.13, 1 / 6, 1 / 6, 0.15]
    assert verdicts(table)["escapes"] is Verdict.not_reproduced


def test_the_escape_is_the_ratio_of_each_noise_against_log_t() -> None:
    of = results(seeds=1)
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
    band = ax.collections[-1].get_paths()[0].vertices  # of the largest noise, from the least seed to the largest
    for time, least in zip(x, y - 0.002, strict=True):
        of_time = band[np.isclose(band[:, 0], time), 1]
        np.testing.assert_allclose([of_time.min(), of_time.max()], [least, least + 0.03])
    words = {text.get_position()[1]: text.get_text().replace("\n", " ") for text in ax.texts}
    assert words == {1 / 8: "1/8: Example 3.1", 1 / 6: "1/6: neural collapse"}
    assert "over 3 seeds" in drawing.caption
    plt.close(drawing.figure)


def test_the_landscape_is_the_critical_points_by_ratio_and_eigenvalue() -> None:
    drawing = figures(results(found=1))["landscape"]
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
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
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
