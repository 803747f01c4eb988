"""Depth, its control without weight decay, and the norms, on tables where each holds or fails; what is plotted."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.pan2023.made import NO, OPEN, WD, YES, Edit, composed, deeper, verdicts, without_needs

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.conjectures import INTRA
from nc_runner.experiments.pan2023.depth_collapse import claims as module
from nc_runner.experiments.pan2023.depth_collapse.claims import claims
from nc_runner.experiments.pan2023.depth_collapse.figures import figures
from nc_runner.experiments.pan2023.fits import fitting
from nc_runner.figures import GREY
from nc_runner.figures.drawing import Drawing

DEEPER, CONTROL = "deeper_collapses_more", "weight_decay_is_needed"
NORMS, PRODUCT = "norms_fall_with_weight_decay", "norms_above_threshold"
HOLDS = dict.fromkeys((DEEPER, CONTROL, NORMS, PRODUCT), YES)


def at(change: dict[str, float], **where: float) -> Edit:
    """Multiplies metrics (adds to min intra) at a depth or a weight decay."""

    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        of = {"depth": point["model.depth"], "decay": point[WD]}
        if all(of[name] == value for name, value in where.items()):
            for name, by in change.items():
                metrics[name] = metrics[name] + by if name == INTRA else metrics[name] * by

    return edit


def test_all_hold_on_a_table_made_so() -> None:
    found = {claim.id: claim for claim in claims(deeper())}
    assert {name: claim.verdict for name, claim in found.items()} == HOLDS
    assert found[DEEPER].number == "3 of 3 weight decays"
    assert found[NORMS].number == "20 of 20 steps"
    assert found[CONTROL].number.startswith("0.46") or found[CONTROL].number.startswith("0.47")


@pytest.mark.parametrize(
    ("claim", "edit"),
    [
        (DEEPER, at({INTRA: -0.3}, depth=15, decay=5e-3)),
        (CONTROL, at({INTRA: 0.5}, depth=6, decay=0.0)),
        (NORMS, at({"feature_second_moment": 2.0}, depth=9, decay=5e-3)),
        (NORMS, at({"weight_squared_norm": 2.0}, depth=9, decay=5e-3)),
        (PRODUCT, at({"weight_squared_norm": 0.01, "feature_second_moment": 0.1}, decay=5e-3)),
    ],
)
def test_it_alone_fails(claim: str, edit: Edit) -> None:
    assert verdicts(claims(deeper(edit))) == {**HOLDS, claim: NO}


@pytest.mark.parametrize(
    ("claim", "edit", "verdict"),
    [
        # g of depth 3 is 0.97 at 1e-3, of depth 6 1.03
        (DEEPER, at({INTRA: -0.105}, depth=6, decay=1e-3), YES),
        (DEEPER, at({INTRA: -0.12}, depth=6, decay=1e-3), NO),
        (CONTROL, at({INTRA: 0.415}, depth=3, decay=0.0), YES),
        (CONTROL, at({INTRA: 0.425}, depth=3, decay=0.0), NO),
    ],
)
def test_thresholds(claim: str, edit: Edit, verdict: object) -> None:
    assert verdicts(claims(deeper(edit, spread=2e-4)))[claim] is verdict


@pytest.mark.parametrize(("product", "verdict"), [(0.7501, YES), (0.7499, NO)])
def test_the_product_s_threshold_is_three_quarters(product: float, verdict: object) -> None:
    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if point[WD] == 5e-3:  # alpha is twice the product, beta half
            metrics |= {"feature_second_moment": 4 * product**2, "weight_squared_norm": 1.0}

    (found,) = (claim for claim in claims(deeper(edit)) if claim.id == PRODUCT)
    assert found.verdict is verdict
    assert found.number.startswith("0.75")
    assert found.measured.startswith("least alpha beta 0.75, to be above 0.75; means by weight decay 10 at 0, ")


def test_what_lacks() -> None:
    assert verdicts(claims(deeper(seeds=2))) == {**dict.fromkeys(HOLDS, OPEN), PRODUCT: YES}
    small = dataclasses.replace(deeper(), config=composed("experiment=depth_collapse", "scale=cpu"))
    assert verdicts(claims(small)) == {**dict.fromkeys(HOLDS, OPEN), PRODUCT: YES}
    table = deeper()
    decayed = table.only(table.trials[WD] > 0)
    assert verdicts(claims(decayed)) == {**HOLDS, CONTROL: OPEN, PRODUCT: OPEN}
    early = dataclasses.replace(table, trials=table.trials.assign(epochs=60))
    assert verdicts(claims(early)) == {DEEPER: OPEN, CONTROL: YES, NORMS: OPEN, PRODUCT: YES}


@pytest.mark.parametrize(
    ("word", "lacks", "claims_open"),
    [
        ("model.activation=tanh", "network of the theory", set(HOLDS)),
        ("data=conic_hull", "the statement's data", {DEEPER, CONTROL, NORMS}),
    ],
)
def test_other_networks_and_data_are_not_the_statement_s(word: str, lacks: str, claims_open: set[str]) -> None:
    other = dataclasses.replace(deeper(), config=composed("experiment=depth_collapse", word))
    found = {claim.id for claim in claims(other) if lacks in {need.name for need in claim.lacks}}
    assert found == claims_open


def test_two_depths_make_no_trend() -> None:
    table = deeper()
    assert verdicts(claims(table.only(table.trials["model.depth"] > 6)))[DEEPER] is YES
    assert verdicts(claims(table.only(table.trials["model.depth"] > 9)))[DEEPER] is OPEN


def test_a_point_at_which_too_few_seeds_fit_is_left_out() -> None:
    def edit(point: dict[str, Any], metrics: dict[str, float]) -> None:
        if (point["model.depth"], point[WD], point["seed"]) == (15, 5e-3, 0):
            point["status"] = "underfit"
        elif (point["model.depth"], point[WD]) == (15, 5e-3):
            metrics[INTRA] = -0.5

    assert verdicts(claims(deeper(edit))) == HOLDS


def flat(point: dict[str, Any], metrics: dict[str, float]) -> None:
    """g, alpha and beta alike everywhere."""
    metrics |= {INTRA: 0.7, "feature_second_moment": 20.0, "weight_squared_norm": 20.0}


@pytest.mark.parametrize(("edit", "wrong"), [(None, NO), (flat, YES)])
def test_both_errors_are_five_percent_at_most(
    edit: Edit | None, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a spread of 0.03 of g, and of 3 % of the squared norms."""
    for name in ("DEEPER", "CONTROL", "SMALLER_NORMS"):
        monkeypatch.setattr(module, name, without_needs(getattr(module, name)))
    made, random = deeper(edit, spread=0), np.random.default_rng(0)
    found: dict[str, list[object]] = {DEEPER: [], CONTROL: [], NORMS: []}
    value, metric = made.metrics["value"], made.metrics["metric"]
    for _ in range(200):
        normal = 0.03 * random.standard_normal(len(value))
        shaken = (value + normal).where(metric == INTRA, value * np.exp(normal * metric.isin(module.NORMS)))
        fits = fitting(Results(made.config, made.trials, made.metrics.assign(value=shaken)))
        decayed = fits.only(fits.trials[WD] > 0)
        found[DEEPER].append(module.deeper(decayed).verdict)
        found[CONTROL].append(module.control(fits).verdict)
        found[NORMS].append(module.smaller_norms(decayed).verdict)
    for claim, of in found.items():
        assert of.count(wrong) <= 10, claim
        if wrong is NO:
            assert of.count(YES) >= 100, claim


Draw = Callable[..., dict[str, Drawing]]


def test_lines_are_the_measures_over_depth(draw: Draw) -> None:
    table = deeper(seeds=1, spread=0)
    axes = draw(figures, table)["collapse_by_depth"].figure.axes
    depths = np.arange(3, 16, 3)
    g = 0.9 + 0.02 * depths + 10 * 3e-3
    norm = np.full(5, 20 * np.exp(-200 * 3e-3))
    for ax, values in zip(axes, (g, np.exp(-4 * g), norm**0.5, (norm / 4) ** 0.5), strict=True):
        line = next(line for line in ax.get_lines() if line.get_label() == "λ = 0.003")
        assert line.get_xdata().tolist() == depths.tolist()
        np.testing.assert_allclose(line.get_ydata(), values)
    without = next(line for line in axes[0].get_lines() if line.get_label() == "no weight decay")
    np.testing.assert_allclose(without.get_ydata(), np.full(5, 0.5))
    assert (without.get_color(), without.get_linestyle()) == (GREY, ":")
    simplex = next(line for line in axes[0].get_lines() if line.get_label() == "simplex ETF: C/(C−1) = 1.33")
    np.testing.assert_allclose(simplex.get_ydata(), 4 / 3)
    assert [ax.get_yscale() for ax in axes] == ["linear", "log", "linear", "linear"]


def test_axes_without_a_trial_that_fits_say_so(draw: Draw) -> None:
    nothing = deeper(lambda point, metrics: point.update(status="underfit"))
    for ax in draw(figures, nothing)["collapse_by_depth"].figure.axes:
        assert "reaches\ntraining accuracy 0.999" in ax.texts[0].get_text()
