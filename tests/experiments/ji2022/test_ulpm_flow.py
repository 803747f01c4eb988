"""Each claim of ulpm_flow on tables made so that it holds, and so that it does not; the measures against formulas."""

import dataclasses
import itertools
import math
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from peeled import peeled

from nc_runner.config.choices import Method, Reduction, Start
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022 import measures, panels
from nc_runner.experiments.ji2022.laws import REACH, STATEMENTS, by_time, fitted_slope, fitting, local_slopes
from nc_runner.experiments.ji2022.ulpm_flow.claims import claims, in_the_limit, warnings
from nc_runner.experiments.ji2022.ulpm_flow.figures import FIRST_REACHABLE, figures
from nc_runner.experiments.ji2022.ulpm_flow.measure import measure
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit
from nc_runner.training.descent import GradientDescent
from nc_runner.training.flow import GradientFlow

HALF = ("norm_variation_weights", "etf_cosine_deviation_weights", "within_class_variation", "kkt_residual")
METRICS = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]


def results(*, descent: bool = True, end: float = 1e6, seeds: int = 3, **rates: float) -> Results:
    """Flows whose curves are pure powers of log t; ``metric=rate`` changes one, ``drift`` and ``off`` are values.

    ``off``: how many times the flow's values those of descent are; ``predicted``, those that are predicted.
    """
    drift, off, predicted = rates.pop("drift", 1e-7), rates.pop("off", 1.0), rates.pop("predicted", 1.0)
    outputs = {"flow": np.expm1(np.linspace(0.05, math.log1p(end), 200)), "gd": np.linspace(3, 11, 9)}
    trials, rows = [], []
    for method, seed in itertools.product(("flow", "gd")[: 1 + descent], range(seeds)):
        name = method if seed == 0 else f"{method} {seed}"
        trials.append([name, "interpolated", seed, method, 1.0])
        for epoch, log1p_time in enumerate(outputs[method], 1):
            log_t = log1p_time + math.log(-math.expm1(-log1p_time))
            values = {"log1p_time": log1p_time, "conserved_drift": drift * (1 - 0.5 / epoch)}
            values["loss_over_asymptote"] = 1 + 0.1 / epoch
            values["margin_ratio"] = 1 - 0.5 * max(log_t, 1.0) ** rates.get("margin_ratio", -1.0)
            for metric in (*METRICS, "kkt_residual", "norm_variation_weights_predicted"):
                of = metric.removesuffix("_predicted")
                rate = rates.get(of, -0.5 if of in HALF else -1.0)
                factor = predicted if metric.endswith("_predicted") else off if method == "gd" else 1.0
                values[metric] = 0.1 * factor * abs(log_t) ** rate
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "train.method", "model.start_scale"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(Config(), pd.DataFrame(trials, columns=columns), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def not_reproduced(table: Results) -> set[str]:
    """The claims that are; all others must be reproduced."""
    of = verdicts(table)
    assert set(of.values()) <= {Verdict.reproduced, Verdict.not_reproduced}
    return {name for name, verdict in of.items() if verdict is Verdict.not_reproduced}


def test_on_pure_powers_everything_holds_but_the_uncentred_classifier_norms() -> None:
    assert not_reproduced(results()) == {"limit_classifier_norms"}
    assert all(claim.needs and claim.number for claim in claims(results()))
    assert warnings(results()) == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_decay_of_the_caption_is_an_upper_rate(name: str) -> None:
    metric, half = STATEMENTS[name][1], {"limit_classifier_norms"}
    half = half if metric != "norm_variation_weights" else set()
    others = {"half_rate"} if metric == "norm_variation_weights" else set()
    for rate, fails in ((-0.99, False), (-1.5, False), (-0.97, True), (0.0, True), (0.3, True)):
        expected = half | others | ({f"limit_{name}"} if fails else set())
        assert not_reproduced(results(**{metric: rate})) == expected, rate


@pytest.mark.parametrize(
    ("claim", "fails", "holds"),
    [
        ("half_rate", {"norm_variation_weights": -0.53}, {"norm_variation_weights": -0.49}),
        ("half_rate", {"norm_variation_weights": -0.47}, {"norm_variation_weights": -0.51}),
        ("half_rate", {"predicted": 1.012}, {"predicted": 1.008}),
        ("half_rate", {"predicted": 0.988}, {"predicted": 0.992}),
        ("margin_limit", {"margin_ratio": -0.4}, {"margin_ratio": -0.5}),  # 1e6^-0.4 / 2 = 2e-3, 5e-4
        ("kkt", {"kkt_residual": 0.0}, {"kkt_residual": -0.45}),
        ("kkt", {"kkt_residual": -0.35}, {"kkt_residual": -2.0}),
        ("descent_follows_flow", {"off": 1.021}, {"off": 1.019}),
        ("descent_follows_flow", {"off": 0.979}, {"off": 0.981}),
    ],
)
def test_the_others_can_fail_and_no_other_suffers(claim: str, fails: dict[str, float], holds: dict[str, float]) -> None:
    assert not_reproduced(results(**fails)) == {claim, "limit_classifier_norms"}
    assert not_reproduced(results(**holds)) == {"limit_classifier_norms"}


@pytest.mark.parametrize(("ratio", "fails"), [(1 + 2e-12, True), (1 + 0.5e-12, False)])
def test_one_margin_above_its_bound_refutes_it(ratio: float, fails: bool) -> None:
    table = results()
    rows = table.metrics.query("metric == 'margin_ratio' and trial == 'gd 1' and epoch == 4").index
    table.metrics.loc[rows, "value"] = ratio
    assert not_reproduced(table) == {"limit_classifier_norms"} | ({"margin"} if fails else set())


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


IN_THE_LIMIT = {*(f"limit_{name}" for name in STATEMENTS), "half_rate", "margin_limit", "kkt"}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    assert undecided(results(end=1e3, descent=False)) == IN_THE_LIMIT | {"descent_follows_flow"}
    assert undecided(results(seeds=2)) == IN_THE_LIMIT
    assert undecided(results(drift=1.1e-3)) == IN_THE_LIMIT
    assert undecided(results(drift=0.9e-3)) == set()
    table = results()
    assert undecided(table.only(table.trials["id"] != "flow 1")) == IN_THE_LIMIT | {"descent_follows_flow"}
    old = dataclasses.replace(table, metrics=table.metrics[table.metrics["metric"] != "conserved_drift"])
    assert undecided(old) == IN_THE_LIMIT


@pytest.mark.parametrize(
    ("rate", "wrong"), [(-1.0, Verdict.not_reproduced), (-0.9, Verdict.reproduced), (0.0, Verdict.reproduced)]
)
def test_a_rate_in_the_limit_is_told_from_the_integrator_s_noise(rate: float, wrong: Verdict) -> None:
    """Of 200 tables with a relative noise of 1e-4, ten times what tolerances allow; flat ones among them."""
    of = results()
    random, flow, found = np.random.default_rng(1), fitting(of), Counter[Verdict]()
    table = by_time(flow)
    table = table[table["log_t"] > 1e4]
    for _ in range(200):
        noise = np.exp(1e-4 * random.normal(size=len(table)))
        found[
            in_the_limit(
                flow, table.assign(self_duality_distance=noise * table["log_t"] ** rate), "self_duality"
            ).verdict
        ] += 1
    assert found[wrong] <= 10, found


def test_a_large_drift_is_warned_of() -> None:
    (sentence,) = warnings(results(drift=0.02))
    assert "0.02" in sentence


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
    plt.close("all")


def test_slopes_are_those_of_a_power() -> None:
    log_t = pd.Series(np.geomspace(1, 1e6, 50))
    rows = pd.DataFrame({"log_t": log_t, "m": 3 * log_t**-0.7})
    assert fitted_slope(rows, "m", 1, 1e6) == pytest.approx(-0.7)
    assert math.isnan(fitted_slope(rows, "m", 2e6, 3e6))
    slopes = local_slopes(rows, "m")
    np.testing.assert_allclose(slopes.iloc[3:-3], -0.7)
    assert slopes.iloc[:3].isna().all()


def flow(**config: object) -> GradientFlow:
    of = peeled(4, 3, 6, epochs=40, **config)  # type: ignore[arg-type]
    return GradientFlow(make_trials(of), *load(of.data))


@pytest.mark.parametrize("reduction", list(Reduction))
def test_the_loss_tends_to_its_asymptote_and_the_conserved_matrix_stays(reduction: Reduction) -> None:
    training = flow(reduction=reduction)
    while not training.finished:
        training.advance()
    of = {name: value for _, name, value in measure(training.network, training.x, training.y, training.config)}
    assert of["loss_over_asymptote"].item() == pytest.approx(1, abs=1e-3)
    assert of["margin_ratio"].item() > 0.999
    assert of["conserved_drift"].item() < 1e-4
    assert of["norm_variation_weights"].item() == pytest.approx(of["norm_variation_weights_predicted"].item(), rel=1e-2)


def test_the_log_of_the_loss_is_right_where_the_loss_is_and_where_it_underflows() -> None:
    y = torch.arange(6) % 3
    logits = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    direct = torch.stack([torch.nn.functional.cross_entropy(z, y, reduction="sum") for z in logits])
    torch.testing.assert_close(measures.log_summed_loss(logits, y), direct.log(), rtol=1e-12, atol=0)
    far = 1e6 * torch.eye(3, dtype=torch.float64)[y][None]
    expected = -1e6 + math.log(12)  # six samples, two rivals each
    assert measures.log_summed_loss(far, y).item() == pytest.approx(expected, rel=1e-15)


def test_drift_is_relative_to_the_start() -> None:
    training = flow(start={"start": Start.normal})
    network = training.network
    network.params["2.weight"].mul_(2)
    of = dict(measures.on_its_way(network, dict(network.features(training.x))[2], training.y, training.config))
    weight, features = network.start["2.weight"][0], network.start["1.features"][0]
    expected = (3 * weight.T @ weight).norm() / (weight.square().sum() + features.square().sum())
    assert of["conserved_drift"].item() == pytest.approx(expected.item())


def test_a_descent_has_the_time_of_its_steps() -> None:
    config = dataclasses.replace(peeled(method=Method.gd, epochs=10))
    config.train.warmup = 4
    training = GradientDescent(make_trials(config), *load(config.data))
    while not training.finished:
        training.advance()
    steps = [0.01 * min(1.0, (k + 1) / 4) for k in range(10)]
    assert training.network.log1p_time.item() == pytest.approx(math.log1p(sum(steps)))
