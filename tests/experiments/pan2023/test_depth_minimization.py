"""Each claim of Figure 3.3 on tables made so that it holds or fails; what is plotted of them."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.pan2023.made import DEPTH, FIRST, NO, OPEN, WD, YES, Edit, depths, verdicts, without_needs

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.depth_minimization import claims as module
from nc_runner.experiments.pan2023.depth_minimization.claims import claims
from nc_runner.experiments.pan2023.depth_minimization.figures import figures
from nc_runner.experiments.pan2023.effective_depth import NCC
from nc_runner.figures.drawing import Drawing

CONJECTURES = ("growth_with_layer", "depth_falls_with_weight_decay", "growth")  # of other data
SEEN = ("convergence", "near_perfect_ncc_early", "sharpening", "fewer_layers_with_weight_decay", "inter_above_zero",
        "inter_less_stable", "g_by_layer_at_300_epochs", "g_at_300_epochs")  # fmt: skip
HOLDS = {**dict.fromkeys(SEEN, YES), **dict.fromkeys(CONJECTURES, OPEN)}


def lift(change: Callable[[dict[str, Any], int], float], *metrics: str) -> Edit:
    """Adds to metrics of the hidden layers."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            for metric in metrics:
                values[layer, metric] += change(point, layer)

    return edit


def flat(point: dict[str, Any], values: dict[Any, float]) -> None:
    """Every layer alike."""
    for layer in range(1, DEPTH):
        values |= {(layer, NCC): 0.9, (layer, INTRA): 0.5, (layer, INTER): -0.1}


def test_every_claim_holds_where_it_should() -> None:
    assert verdicts(claims(depths())) == HOLDS


def test_the_conjectures_are_judged_on_their_own_data() -> None:
    judged = verdicts(claims(depths(words=("experiment=depth_minimization", "data=conic_hull", "train.epochs=680"))))
    assert judged == {**dict.fromkeys(CONJECTURES, YES), **dict.fromkeys(SEEN, OPEN)}


def status(decay: float, seeds: int, word: str, accuracy: float) -> Edit:
    """Of the first seeds at a weight decay."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        if point[WD] == decay and point["seed"] < seeds:
            point["status"] = word
            values["accuracy"] = accuracy

    return edit


def ncc_by(first: dict[float, int], low: float = 0.5, slope: float = 0.02) -> Edit:
    """NCC accuracy 1 from a layer on at each weight decay, rising up to it."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH + 1):
            step = first[point[WD]]
            values[layer, NCC] = 1.0 if layer >= step else low + slope * layer

    return edit


@pytest.mark.parametrize(
    ("claim", "edit"),
    [
        ("convergence", status(1e-2, 5, "interpolated", 1.0)),
        ("near_perfect_ncc_early", ncc_by({**FIRST, 1e-4: 10})),
        ("sharpening", ncc_by(FIRST, 0.93, 0.005)),  # NCC accuracy rises by less than a tenth
        ("fewer_layers_with_weight_decay", ncc_by({decay: 9 - layer for decay, layer in FIRST.items()})),
        ("inter_above_zero", lift(lambda p, k: -0.6 if 3e-3 <= p[WD] <= 5e-3 else 0.0, INTER, INTRA)),
        ("inter_less_stable", lift(lambda p, k: 0.05 * (k % 2) * (p[WD] < 5e-4), INTER)),
        ("g_at_300_epochs", lift(lambda p, k: -0.3 * k / 14 if p[WD] == 5e-3 else 0.0, INTRA)),
    ],
)  # fmt: skip
def test_it_alone_fails(claim: str, edit: Edit) -> None:
    assert verdicts(claims(depths(edit))) == {**HOLDS, claim: NO}


def test_a_layer_that_falls_is_against_both_that_speak_of_it() -> None:
    fallen = depths(lift(lambda p, k: -0.4 if p[WD] == 1e-4 and k == 9 else 0.0, INTRA))
    against = dict.fromkeys(("sharpening", "g_by_layer_at_300_epochs"), NO)
    assert verdicts(claims(fallen)) == {**HOLDS, **against}


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (status(1e-2, 5, "underfit", 0.9989), YES),
        (status(1e-2, 5, "diverged", math.nan), YES),
        (status(1e-2, 2, "interpolated", 1.0), YES),
        (status(1e-2, 3, "interpolated", 1.0), OPEN),
        (status(1e-2, 4, "interpolated", 1.0), NO),
        (status(5e-3, 2, "underfit", 0.99), YES),
        (status(5e-3, 3, "underfit", 0.99), OPEN),
        (status(1e-4, 4, "diverged", math.nan), NO),
    ],
)
def test_converging_is_fitting(edit: Edit, verdict: object) -> None:
    assert verdicts(claims(depths(edit)))["convergence"] is verdict


@pytest.mark.parametrize(
    ("share", "largest", "verdict"), [(0.11, 0.0, NO), (0.09, 0.0, YES), (0.02, 0.099, YES), (0.02, 0.101, NO)]
)
def test_few_exceptions_and_no_large_fall(share: float, largest: float, verdict: object) -> None:
    """Of 6 x 13 steps of min intra a share falls by 0.011, or one by more; the others rise."""
    falls = round(share * 6 * 13)
    order = [(decay, layer) for layer in range(2, DEPTH) for decay in list(FIRST)[:6]]
    fallen = dict.fromkeys(order[:falls], 0.011)
    if largest:
        fallen = {order[0]: largest}

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        level = 0.0
        for layer in range(1, DEPTH):
            level += -fallen[point[WD], layer] if (point[WD], layer) in fallen else 0.03
            values[layer, INTRA] = level
            values[layer, INTER] = -0.2 + (0.2 if point[WD] >= 3e-3 and layer > 3 else 0.0) - 0.5 * layer

    assert verdicts(claims(depths(edit)))["sharpening"] is verdict


def test_small_falls_are_none() -> None:
    """Of 0.009 in every second step: within the tolerance of a step."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            values[layer, INTRA] = 0.05 * (layer // 2) - 0.009 * (layer % 2) + 0.009
            values[layer, INTER] = -0.1 * layer

    assert verdicts(claims(depths(edit)))["sharpening"] is YES


@pytest.mark.parametrize(("layers", "verdict"), [(3, YES), (2, NO)])
def test_many_layers_are_three(layers: int, verdict: object) -> None:
    """Of the middle ones, 4 to 11; layers outside of them, or with an NCC error above 0.01, do not count."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        for layer in range(1, DEPTH):
            above = 5 <= layer < 5 + layers or layer < 4 or layer > 11
            values[layer, INTER] = 0.05 if above else -0.05
        values[4, INTER] = 0.05
        values[4, NCC] = 0.989

    assert verdicts(claims(depths(edit)))["inter_above_zero"] is verdict


@pytest.mark.parametrize(("first", "verdict"), [(7, YES), (8, NO)])
def test_early_is_the_first_half(first: int, verdict: object) -> None:
    """Layer 7 of 15 is, 8 is not."""
    found = {claim.id: claim for claim in claims(depths(ncc_by({**FIRST, 1e-4: first})))}
    assert found["near_perfect_ncc_early"].number == f"layer {first} of 15"
    assert found["near_perfect_ncc_early"].verdict is verdict


def test_one_seed_decides_nothing() -> None:
    assert set(verdicts(claims(depths(seeds=1))).values()) == {OPEN}


def simulate(name: str, made: Results, spread: float = 0.01) -> list[object]:
    """The verdicts of 200 tables that differ by noise in every metric of the layers, but for a perfect NCC accuracy."""
    rule, random, found = getattr(module, name), np.random.default_rng(0), []
    of_layers = made.metrics["metric"].isin([NCC, INTRA, INTER]) & (made.metrics["value"] != 1)
    for _ in range(200):
        shaken = made.metrics["value"] + spread * random.standard_normal(len(made.metrics)) * of_layers
        found.append(rule(module.fitting(Results(made.config, made.trials, made.metrics.assign(value=shaken)))).verdict)
    return found


@pytest.mark.parametrize(
    ("name", "statement", "failing"),
    [
        ("early_ncc", "EARLY_NCC", ncc_by(dict.fromkeys(FIRST, 8))),
        ("sharpening", "SHARPENING", flat),
        ("inter_above_zero", "INTER_ABOVE_ZERO", lift(lambda p, k: -0.6, INTER)),
        ("inter_less_stable", "INTER_LESS_STABLE", flat),
    ],
)
def test_both_errors_are_five_percent_at_most(
    name: str, statement: str, failing: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, statement, without_needs(getattr(module, statement)))
    assert simulate(name, depths(seeds=3, spread=0)).count(NO) <= 10
    assert simulate(name, depths(failing, seeds=3, spread=0)).count(YES) <= 10


Draw = Callable[..., dict[str, Drawing]]


def hidden(table: Results, trial: str, metric: str) -> list[float]:
    """The values of a metric at the hidden layers of a trial."""
    rows = table.metrics[(table.metrics["trial"] == trial) & (table.metrics["metric"] == metric)]
    return rows[rows["layer"] < DEPTH].sort_values("layer")["value"].tolist()


def test_a_panel_has_the_layers_of_its_weight_decay(draw: Draw) -> None:
    table = depths(seeds=1)
    panels = draw(figures, table)["figure_3_3"].figure.axes[: len(FIRST)]
    for number, ax in enumerate(panels):
        for line, metric in zip(ax.get_lines(), (NCC, INTRA, INTER), strict=False):
            assert line.get_xdata().tolist() == list(range(1, DEPTH))
            assert line.get_ydata().tolist() == hidden(table, f"t{number}", metric)
        dashed = {str(line.get_label()): line for line in ax.get_lines()}["simplex ETF, −1/(C−1)"]
        assert dashed.get_ydata() == [-1 / 3, -1 / 3]
    assert [ax.get_title() for ax in panels[-2:]] == ["λ = 0.005", "λ = 0.01, underfit\naccuracy 0.9600"]


def test_where_some_fit_those_that_do_not_are_left_out(draw: Draw) -> None:
    """Of two seeds at 0.005 one ends at an accuracy of 0.96, with features of its own; at 0.01 neither fits."""

    def edit(point: dict[str, Any], values: dict[Any, float]) -> None:
        if point[WD] == 5e-3 and point["seed"] == 1:
            point["status"] = "underfit"
            values |= {(layer, metric): 0.77 for layer in range(1, DEPTH) for metric in (NCC, INTRA, INTER)}
            values["accuracy"] = 0.96

    table = depths(edit, seeds=2)
    drawings = draw(figures, table)
    number = list(FIRST).index(5e-3)
    fits = f"t{2 * number}"
    panel = drawings["figure_3_3"].figure.axes[number]
    assert panel.get_title() == "λ = 0.005\n1 of 2 underfit, left out"
    for line, metric in zip(panel.get_lines(), (NCC, INTRA, INTER), strict=False):
        assert line.get_ydata().tolist() == hidden(table, fits, metric)
    gap = np.subtract(hidden(table, fits, INTRA), hidden(table, fits, INTER))
    (line,) = drawings["sharpening"].figure.axes[number].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), gap)
    image = drawings["effective_depth"].figure.axes[1].get_images()[0]
    np.testing.assert_array_equal(image.get_array()[number], gap)
    of = "that do not fit their training set, with their training accuracy"
    left = f"Left out: trials {of}: 0.9600 at λ = 0.005."
    said = f"{left} Drawn, as none fits there: trials {of}: 0.9600, 0.9600 at λ = 0.01."
    for name in ("figure_3_3", "sharpening"):
        assert said in drawings[name].notes


def test_layers_are_whole_numbers(draw: Draw) -> None:
    """Of two hidden layers as of fourteen."""
    table = depths(seeds=1)
    few = Results(table.config, table.trials, table.metrics[table.metrics["layer"] <= 2])
    for name, results in itertools.product(("figure_3_3", "sharpening"), (table, few)):
        ticks = draw(figures, results)[name].figure.axes[0].get_xticks()
        assert all(tick == round(tick) for tick in ticks)


def test_effective_depth_is_of_trials_that_fit_and_g_of_all(draw: Draw) -> None:
    table = depths(seeds=1)
    left, right = draw(figures, table)["effective_depth"].figure.axes[:2]
    for line in left.get_lines()[:2]:
        assert dict(zip(*line.get_data(), strict=True)) == {d: k for d, k in FIRST.items() if d < 1e-2}
    gap = [np.subtract(hidden(table, f"t{n}", INTRA), hidden(table, f"t{n}", INTER)) for n in range(len(FIRST))]
    np.testing.assert_array_equal(right.get_images()[0].get_array(), gap)


def test_a_line_is_g_at_an_epoch(draw: Draw) -> None:
    table = depths(seeds=1)
    drawing = draw(figures, table)["sharpening"]
    for number, ax in enumerate(drawing.figure.axes[: len(FIRST)]):
        (line,) = ax.get_lines()
        expected = np.subtract(hidden(table, f"t{number}", INTRA), hidden(table, f"t{number}", INTER))
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert any("training accuracy: 0.9600 at λ = 0.01." in note for note in drawing.notes)


def test_effective_depth_of_no_trial_that_fits_says_so(draw: Draw) -> None:
    nothing = depths(lambda point, values: point.update(status="underfit"), seeds=1)
    left = draw(figures, nothing)["effective_depth"].figure.axes[0]
    assert left.texts[0].get_text() == "no trial reaches\ntraining accuracy 0.999"
