"""The claims on a wide first layer and their panels, on tables made so that each holds or fails."""

import dataclasses
import itertools
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.jacot2025.head_tables import with_value
from nonsense import without_needs
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import wide_first_layer
from nc_runner.experiments.jacot2025.wide_first_layer import EXPERIMENT, by_run
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

WIDTHS = (16, 64, 256, 1024)
OF_WIDE = {"wide_first_layer_fits", "wide_first_layer_balances", "error_above_shrinkage"}


def wide(
    *, error: float = 0.02, balance: float = 1e-4, shrink: float = 0.5, seeds: int = 3, words: tuple[str, ...] = (),
) -> Results:  # fmt: skip
    """What weight decay costs is ``shrink`` of the error, which is ten times as large of narrow first layers."""
    config = compose(["experiment=wide_first_layer", *words])
    trials, rows = [], []
    for width, seed in itertools.product(WIDTHS, range(seeds)):
        name, narrow = f"{width}-{seed}", width < 200
        trials.append([name, "interpolated", seed, width, config.train.epochs, 0.01, 1.0])
        for epoch in (1, 100, 1000, config.train.epochs):
            off = 0.9 if epoch == 1 else min(0.3, error * (10 if narrow else 1))
            lost = off * shrink
            loss = off**2 / 2
            values = {"loss": loss, "accuracy": 1.0, "objective": loss + 2.5 * lost * (1 - lost)}
            values["linear_head_condition_number"] = 2.0
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
            for layer in range(4):
                values = {"within_between_trace_ratio": 0.01, "class_mean_condition_number": 1.5}
                if layer in (1, 2):
                    imbalance = balance * (layer / 2) * (10 if narrow else 1)
                    values |= {"imbalance": 2 * imbalance, "balancedness": imbalance, "gradient_imbalance": 1e-9}
                if layer == 2:
                    for metric, short in (("within_between_trace_ratio", "trace_ratio"),
                                          ("class_mean_condition_number", "condition_number")):  # fmt: skip
                        values |= {f"{short}_bound": 9 * values[metric], f"{short}_sharper_bound": 3 * values[metric]}
                rows += [[name, epoch, layer, metric, value] for metric, value in values.items()]
    return make_results(config, ["model.first_width"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in EXPERIMENT.claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    found = {claim.id: claim for claim in EXPERIMENT.claims(wide())}
    assert {claim.verdict for claim in found.values()} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found.values())
    assert found["wide_first_layer_fits"].measured.endswith("0.632 at 64, 0.0632 at 256, 0.0632 at 1024")


@pytest.mark.parametrize(
    ("fail", "changes"),
    [
        ("wide_first_layer_fits", {"error": 0.159}),  # of s_K(Y) / sqrt(N) = 0.316
        ("wide_first_layer_balances", {"balance": 0.0101}),
        ("error_above_shrinkage", {"shrink": 1 / 0.949}),
        ("", {"error": 0.158}),
        ("", {"balance": 0.0099}),
        ("", {"shrink": 1 / 0.951}),
    ],
)
def test_each_can_fail_at_its_limit_and_no_other_suffers(fail: str, changes: dict[str, float]) -> None:
    of = verdicts(wide(**changes))  # type: ignore[arg-type]
    assert {name for name, verdict in of.items() if verdict is Verdict.not_reproduced} == set(fail.split())
    assert set(of.values()) <= {Verdict.reproduced, Verdict.not_reproduced}


def test_an_imbalance_that_the_steps_alone_leave_refutes_nothing() -> None:
    table = with_value(wide(balance=0.02), "gradient_imbalance", 1e9, "epoch > 0")
    found = {claim.id: claim for claim in EXPERIMENT.claims(table)}["wide_first_layer_balances"]
    assert found.verdict is Verdict.undecided
    assert [need.name for need in found.lacks] == ["steps small enough"]


def test_a_wide_network_that_does_not_fit_refutes_that_it_does() -> None:
    table = with_value(wide(), "loss", 0.08, "trial == '256-1' and epoch > 1")
    status = table.trials["status"].where(table.trials["id"] != "256-1", "underfit")
    of = verdicts(dataclasses.replace(table, trials=table.trials.assign(status=status)))
    assert of["wide_first_layer_fits"] is Verdict.not_reproduced


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    assert undecided(wide(seeds=2)) == OF_WIDE
    for word in ("train.epochs=12400", "train.batch_size=50", "train.optimizer=nesterov", "model.activation=tanh"):
        assert undecided(wide(words=(word,))) == OF_WIDE, word
    table = wide()
    assert undecided(table.only(table.trials["model.first_width"] < 200)) == OF_WIDE
    diverged = table.trials["status"].where(table.trials["id"] != "256-1", "diverged")
    assert undecided(dataclasses.replace(table, trials=table.trials.assign(status=diverged))) >= {
        "wide_first_layer_fits"
    }


@pytest.mark.parametrize(("level", "holds"), [(0.7, True), (1.2, False)])
def test_a_limit_is_told_from_noise(level: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables of six wide runs, at a share of each limit, with noise of a tenth."""
    without_needs(monkeypatch, wide_first_layer)
    of, random, found = wide_first_layer.wide(wide()), np.random.default_rng(4), Counter[tuple[str, Verdict]]()
    rows = by_run(of)
    for _ in range(200):
        noise = level * np.exp(0.1 * random.normal(size=(3, len(rows))))
        table = rows.assign(error=noise[0] * 0.5 / 10**0.5, balancedness=noise[1] * 0.01)
        found["fits", wide_first_layer.fits(of, table).verdict] += 1
        found["balances", wide_first_layer.balances(of, table).verdict] += 1
        found["shrinks", wide_first_layer.shrinks(of, table.assign(shrinkage=table["error"] * noise[2])).verdict] += 1
    wrong = Verdict.not_reproduced if holds else Verdict.reproduced
    assert max(found[claim, wrong] for claim in ("fits", "balances", "shrinks")) <= 10, found


def test_panels_show_what_is_measured_and_predicted_at_each_width() -> None:
    drawing = EXPERIMENT.figures(wide(shrink=1.1))["wide_first_layer"]
    error, balance, nc1, nc2 = drawing.figure.axes
    for ax, measured, predicted in (
        (error, [0.2, 0.2, 0.02, 0.02], [0.22, 0.22, 0.022, 0.022]),
        (nc1, [0.01] * 4, [0.03] * 4),
        (nc2, [1.5] * 4, [4.5] * 4),
    ):
        for line, expected in zip(ax.lines, (measured, predicted), strict=False):
            np.testing.assert_array_equal(line.get_xdata(), WIDTHS)
            np.testing.assert_allclose(line.get_ydata(), expected)
    np.testing.assert_allclose(balance.lines[0].get_ydata(), [1e-3, 1e-3, 1e-4, 1e-4])  # the larger of two pairs
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_without_a_run_that_fits_it_is_said() -> None:
    table = wide()
    diverged = dataclasses.replace(table, trials=table.trials.assign(status="diverged"))
    drawing = EXPERIMENT.figures(diverged)["wide_first_layer"]
    assert [[text.get_text() for text in ax.texts] for ax in drawing.figure.axes] == [["no run fits"]] * 4
    assert set(verdicts(diverged).values()) == {Verdict.undecided}
    plt.close(drawing.figure)
