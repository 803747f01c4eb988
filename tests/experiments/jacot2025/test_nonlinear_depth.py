"""Figure 3's claims and panels, on tables made so that each claim holds or fails."""

import dataclasses
import itertools
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nonsense import without_needs
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import nonlinear_depth
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.experiments.jacot2025.nonlinear_depth import EXPERIMENT, by_run, falls_with_depth
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def nonlinear(
    *, balance: float = -0.1, negative: float = -0.1, last: float = 0.6, seeds: int = 3, words: tuple[str, ...] = ()
) -> Results:
    """4 to 12 non-linear layers at two step sizes; balancedness and negativity change by these factors a layer."""
    trials, rows = [], []
    config = compose(["experiment=nonlinear_depth", *words])
    for layers, rate, seed in itertools.product(range(4, 13), (1e-3, 2e-3), range(seeds)):
        name, end = f"{layers}-{rate}-{seed}", layers - 2
        decay = float(f"{0.016 / (4 + layers):.5g}")
        trials.append([name, "interpolated", seed, 4 + layers, decay, rate, config.train.epochs, 0.01, 1.0])
        for layer in range(1, end + 5):
            negativity = last if layer == end else 0.3 * (1 + negative) ** layers
            rows.append([name, 9, layer, "negativity", negativity])
            if layer < end + 4:
                rows.append([name, 9, layer, "balancedness", (0.3 if layer <= end else 1e-4) * (1 + balance) ** layers])
        for metric in ("within_between_trace_ratio", "class_mean_condition_number"):
            rows.append([name, 9, end + 3, metric, 2.0])
        for metric, kind in itertools.product(("trace_ratio", "condition_number"), ("bound", "sharper_bound")):
            rows.append([name, 9, end + 3, f"{metric}_{kind}", 3.0])
    return make_results(config, ["model.depth", "train.weight_decay", "train.learning_rate"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in EXPERIMENT.claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    found = EXPERIMENT.claims(nonlinear())
    assert {claim.verdict for claim in found} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found)


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("deeper_more_balanced", {"balance": 0.1}),
        ("deeper_less_negative", {"negative": 0.1}),
        ("last_stays_negative", {"last": 0.099}),
    ],
)
def test_each_can_fail_and_no_other_suffers(claim: str, changes: dict[str, float]) -> None:
    of = verdicts(nonlinear(**changes))  # type: ignore[arg-type]
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


def test_a_last_layer_just_negative_is_negative() -> None:
    assert verdicts(nonlinear(last=0.101))["last_stays_negative"] is Verdict.reproduced


OF_DEPTH = {"deeper_more_balanced", "deeper_less_negative", "last_stays_negative"}


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    assert undecided(nonlinear(words=("train.epochs=900",))) == OF_DEPTH
    assert undecided(nonlinear(seeds=2)) == OF_DEPTH
    table = nonlinear()
    assert undecided(table.only(table.trials["model.depth"] != 12)) == OF_DEPTH
    one_short = table.trials["status"].where(table.trials["id"] != "8-0.001-1", "underfit")
    assert undecided(dataclasses.replace(table, trials=table.trials.assign(status=one_short))) == OF_DEPTH


@pytest.mark.parametrize(("fall", "holds"), [(0.08, True), (0.0, False), (-0.02, False)])
def test_noise_is_told_from_a_trend(fall: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables: refused in at most 5 % where it holds, believed in at most 5 % where it does not."""
    without_needs(monkeypatch, nonlinear_depth)
    random, of = np.random.default_rng(3), nonlinear()
    enough, found = enough_fit(of), Counter[Verdict]()
    rows = by_run(of)
    for _ in range(200):
        for column in ("balancedness_min", "balancedness_mean"):
            noise = np.exp(0.2 * random.normal(size=len(rows)))
            rows[column] = noise * (1 - fall) ** rows["nonlinear_depth"]
        claim = falls_with_depth(of, rows, enough, nonlinear_depth.MORE_BALANCED, "balancedness")
        found[claim.verdict] += 1
    assert found[Verdict.not_reproduced if holds else Verdict.reproduced] <= 10, found
    if holds:
        assert found[Verdict.reproduced] >= 160, found


def test_every_step_size_counts() -> None:
    """At one of them the mean rises, while the least falls."""
    table = nonlinear()
    rows = by_run(table)
    high = rows["train.learning_rate"] == 2e-3
    rows["balancedness_mean"] = rows["balancedness_mean"].where(~high, 1 / rows["balancedness_mean"])
    claim = falls_with_depth(table, rows, enough_fit(table), nonlinear_depth.MORE_BALANCED, "balancedness")
    assert claim.verdict is Verdict.not_reproduced


def test_a_row_is_of_the_nonlinear_layers_of_one_run() -> None:
    runs = by_run(nonlinear()).set_index("id")
    assert runs.loc["12-0.001-0", "nonlinear_depth"] == 12
    assert runs.loc["12-0.001-0", "last_negativity"] == pytest.approx(0.6)
    assert runs.loc["12-0.001-0", "balancedness_min"] == pytest.approx(0.3 * 0.9**12)  # of no linear layer


def test_the_panels_show_the_least_and_the_mean_over_layers_at_each_depth() -> None:
    drawing = EXPERIMENT.figures(nonlinear())["figure_3"]
    depths = np.arange(4, 13)
    balance, negativity = 0.3 * 0.9**depths, 0.3 * 0.9**depths
    mean = (negativity * (depths - 3) + 0.6) / (depths - 2)  # of depth - 2 layers, the last at 0.6
    for ax, expected in zip(drawing.figure.axes, (balance, balance, negativity, mean), strict=True):
        assert [line.get_label() for line in ax.lines] == ["step size 0.001", "step size 0.002"]
        for line in ax.lines:
            np.testing.assert_array_equal(line.get_xdata(), depths)
            np.testing.assert_allclose(line.get_ydata(), expected)
    assert "54 of 54 trials fit" in drawing.caption
    assert "The weight decay is 0.016 over the number of layers." in drawing.notes
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_without_a_run_that_fits_every_panel_says_so_and_no_depth_is_judged() -> None:
    table = nonlinear()
    lost = Results(table.config, table.trials.assign(status="underfit"), table.metrics)
    drawing = EXPERIMENT.figures(lost)["figure_3"]
    assert [[text.get_text() for text in ax.texts] for ax in drawing.figure.axes] == [["no run fits"]] * 4
    assert "0 of 54 trials fit" in drawing.caption
    assert set(verdicts(lost).values()) == {Verdict.undecided}
    fit(drawing.figure, caption=drawing.caption)
    plt.close(drawing.figure)
