"""Each claim on costs and gradients, on tables made so that it holds, fails or cannot be decided; and the figure."""

import dataclasses
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.zangrando2026.zero_tcv_tables import CONFIG, REFUSED, REPRODUCED, UNDECIDED, results
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
    without_needs,
)

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.zero_tcv import EXPERIMENT
from nc_runner.experiments.zangrando2026.zero_tcv import claims as module
from nc_runner.experiments.zangrando2026.zero_tcv.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

MLP, RESIDUAL = "zero_tcv_is_optimal_mlp", "zero_tcv_is_optimal_residual_mlp"
LINEAR, RELU, CENTROIDS = "predicted_cost_linear", "predicted_cost_relu", "gradient_of_class_means"


def test_all_hold_on_a_table_made_so() -> None:
    found = verdicts(EXPERIMENT, results())
    assert found == dict.fromkeys((MLP, RESIDUAL, LINEAR, RELU, CENTROIDS), REPRODUCED)


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        (LINEAR, {"level": {"linear": 1.00099}}, {"level": {"linear": 1.00101}}),
        (LINEAR, {"level": {"linear": 0.99901}}, {"level": {"linear": 0.99899}}),
        (RELU, {"level": {"relu": 0.99901}}, {"level": {"relu": 0.9}}),
        (CENTROIDS, {"power": 0.901}, {"power": 0.899}),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim: str, within: dict, without: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {REPRODUCED}
    found = verdicts(EXPERIMENT, results(**without))
    assert found.pop(claim) is REFUSED
    assert set(found.values()) == {REPRODUCED}


@pytest.mark.parametrize(("name", "claim"), [("mlp", MLP), ("residual_mlp", RESIDUAL)])
def test_free_features_that_cost_less_refuse_optimality(name: str, claim: str) -> None:
    """Where zero variation costs what is predicted, so that the cost of free features is off the prediction too."""
    for free, verdict in ((0.99901, REPRODUCED), (0.99899, REFUSED)):
        found = verdicts(EXPERIMENT, results(free=free, of=(name, "relu")))
        assert found.pop(claim) is verdict
        assert found.pop(RELU) is verdict
        assert set(found.values()) == {REPRODUCED}


@pytest.mark.parametrize(
    ("lacks", "changes", "decided"),
    [
        ("starts", {"starts": 19}, {CENTROIDS}),
        ("found again", {"again": 2}, {CENTROIDS}),
        ("free first layer", {"rank": 5.0}, {CENTROIDS}),
        ("a search that is as good", {"free": 1.051}, {RESIDUAL, LINEAR, RELU, CENTROIDS}),
        ("grid complete", {"activations": ("linear",)}, {LINEAR, CENTROIDS}),
        ("grid complete", {"names": ("mlp",)}, {MLP}),
        ("networks", {"names": ("mlp",), "activations": ("linear",), "networks": 3}, set()),
        ("something to judge", {"names": ("mlp",), "activations": ("relu",)}, set()),
        (
            "noisy samples",
            {"config": dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, sigma=0.0))},
            set(),
        ),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks: str, changes: dict, decided: set[str]) -> None:
    found = by_id(EXPERIMENT, results(**changes))
    assert {name for name, claim in found.items() if claim.verdict is not UNDECIDED} == decided
    named = {need.name for claim in found.values() for need in claim.lacks}
    assert lacks in named


def test_gradients_of_relu_networks_are_told_and_decide_nothing() -> None:
    """At a kink between samples of a class the gradient jumps, however small TCV is."""
    table = results()
    relu = table.trials.loc[table.trials["model.activation"] == "relu", "id"]
    metrics = table.metrics
    jump = metrics["trial"].isin(relu) & metrics["metric"].str.startswith("error_")
    jumping = dataclasses.replace(table, metrics=metrics.assign(value=metrics["value"].mask(jump, 0.01)))
    found = by_id(EXPERIMENT, jumping)[CENTROIDS]
    assert found.verdict is REPRODUCED
    assert "of ReLU networks p " in found.measured


def test_a_search_may_end_a_little_above_the_other() -> None:
    assert set(verdicts(EXPERIMENT, results(free=1.049)).values()) == {REPRODUCED}


def changed(metric: str, factor: float, trial: str = "mlp-linear", layer: int | None = None) -> Results:
    """The table with the metrics of a trial that a regular expression fits times a factor."""
    table = results()
    metrics = table.metrics
    rows = metrics["metric"].str.fullmatch(metric) & (metrics["trial"] == trial)
    rows &= (metrics["layer"] == layer) if layer else True
    assert rows.any()
    return dataclasses.replace(
        table, metrics=metrics.assign(value=metrics["value"].mask(rows, metrics["value"] * factor))
    )


def without(metric: str, layers: tuple[int, ...] = ()) -> Results:
    """The table without the metrics that a regular expression fits, of linear feedforward networks."""
    table = results()
    gone = table.metrics["metric"].str.fullmatch(metric) & (table.metrics["trial"] == "mlp-linear")
    gone &= table.metrics["layer"].isin(layers) if layers else True
    assert gone.any()
    return dataclasses.replace(table, metrics=table.metrics[~gone])


@pytest.mark.parametrize(
    ("lacks", "table", "claims"),
    [
        ("free first layer", lambda: changed("input_rank", 5 / 6), {MLP, LINEAR}),
        ("found again", lambda: changed("free_000", 0.9989), {MLP, LINEAR}),
        ("starts", lambda: without("free_019"), {MLP, LINEAR}),
    ],
)
def test_one_search_lacks_it_for_all(lacks: str, table: Callable[[], Results], claims: set[str]) -> None:
    found = by_id(EXPERIMENT, table())
    assert {name for name, claim in found.items() if claim.verdict is UNDECIDED} == claims
    assert {need.name for name in claims for need in found[name].lacks} == {lacks}


def test_a_search_within_a_thousandth_finds_the_least_again() -> None:
    for factor, verdict in ((1.00099, REPRODUCED), (1.00101, UNDECIDED)):
        assert verdicts(EXPERIMENT, changed("free_00[12]", factor))[MLP] is verdict


def test_one_layer_whose_error_is_not_of_tcv_refuses_and_what_is_at_large_tcv_does_not() -> None:
    """At steps of ten from 1, the exponent is taken from 1e-2 on."""
    flat = changed(r"error_1_0[4-6]", 100.0, layer=3)
    assert verdicts(EXPERIMENT, flat)[CENTROIDS] is REFUSED
    assert by_id(EXPERIMENT, changed(r"error_1_0[01]", 1e-3, layer=3))[CENTROIDS].measured.startswith(
        "p 1.000 to 1.000 in 12 layers of networks; the constant is at most 3; of ReLU networks p 1.000 to 1.000"
    )


def test_ten_layers_of_networks_are_enough() -> None:
    for layers, verdict in (((2, 3), REPRODUCED), ((2, 3, 4), UNDECIDED)):
        assert verdicts(EXPERIMENT, without(r"error_1_\d+", layers))[CENTROIDS] is verdict


def test_nothing_that_says_nothing_changes_a_verdict() -> None:
    assert_nonsense_changes_nothing(EXPERIMENT, results(), ["diverged", "unfinished"])
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 8


def test_costs_and_exponents_are_told_from_those_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs within 3e-4 of each other, against free ones 1 % less; errors as TCV or its root, a tenth of scatter.

    Of one architecture and one activation: the rules are the same for the others.
    """
    without_needs(monkeypatch, module)
    draw, of = np.random.default_rng(0), results(again=6)
    least, searches, gradients = module.least, module.costs(of), module.errors(of)
    gradients = gradients[gradients[module.ACTIVATION] == "linear"]  # ReLU ones decide nothing

    def simulated(less: float, power: float) -> dict[str, Verdict]:
        scatter = 1 + draw.uniform(0, 3e-4, len(searches))
        cost = searches["cost"] * scatter * np.where(searches["kind"] == "free", 1 - less, 1.0)
        drawn = least(searches.assign(cost=cost))
        error = 3 * gradients["variation"] ** power * 10 ** draw.normal(0, 0.04, len(gradients))
        monkeypatch.setattr(module, "errors", lambda _: gradients.assign(error=error))
        found = [module.class_means(of)]
        for judge, statement, rows in (
            (module.is_optimal, module.FEEDFORWARD, drawn[module.NAME] == "mlp"),
            (module.is_predicted, module.LINEAR, drawn[module.ACTIVATION] == "linear"),
        ):
            monkeypatch.setattr(module, "least", lambda _, rows=rows: drawn[rows])
            found.append(judge(statement, of))
        return {claim.id: claim.verdict for claim in found}

    held = [simulated(0.0, 1.0) for _ in range(200)]
    failed = [simulated(0.01, 0.5) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


def test_costs_over_the_predicted_one_and_errors_are_drawn() -> None:
    """Of the errors one of a linear network is twice the others', one is none; one of a ReLU network ten times."""
    table = results(level={"relu": 0.9})
    metrics = table.metrics
    for trial, metric, value in (
        ("mlp-linear", "error_0_03", 6e-3), ("mlp-linear", "error_1_00", 0.0), ("mlp-relu", "error_0_03", 3e-2)
    ):  # fmt: skip
        rows = (metrics["trial"] == trial) & (metrics["metric"] == metric) & (metrics["layer"] == 2)
        metrics = metrics.assign(value=metrics["value"].mask(rows, value))
    drawing = figures(dataclasses.replace(table, metrics=metrics))["zero_tcv"]
    left, right = drawing.figure.axes
    marks = [list(line.get_ydata()) for line in left.lines if len(line.get_ydata()) == 20]
    expected = [[level] * 3 + [1.5 * level] * 17 for level in (1.0, 0.9) * 4]
    np.testing.assert_allclose(marks, expected)
    assert [list(line.get_ydata()) for line in left.lines if len(line.get_ydata()) != 20] == [[1, 1]]
    assert [line.get_label() for line in right.lines] == ["linear", "ReLU", "∝ TCV"]
    for line, others in zip(right.lines, ([6.0] + [3.0] * 82, [30.0] + [3.0] * 83, [6.0, 6.0]), strict=True):
        slopes = np.asarray(line.get_ydata()) / np.asarray(line.get_xdata())
        np.testing.assert_allclose(sorted(slopes, reverse=True), others)
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


@pytest.mark.parametrize("status", ["diverged", "unfinished"])
def test_nothing_measured_decides_nothing_and_is_said(status: str) -> None:
    table = results(status=status)
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawing = figures(table)["zero_tcv"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no search that fits", "not measured"]
    plt.close(drawing.figure)
