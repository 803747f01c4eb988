"""Each claim of ufm_weight_decay on tables made so that it holds, and so that it does not; what is drawn."""

import dataclasses
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nc_runner import theory
from nc_runner.config.schema import Config, DataConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.ufm_weight_decay.claims import COLLAPSED, COMPARED, claims, compared
from nc_runner.experiments.ji2022.ufm_weight_decay.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

CONFIG = Config(
    data=DataConfig(samples=40, classes=4),
    train=TrainConfig(batch_size=None, learning_rate=0.5, momentum=0.9, lr_milestones=[]),
)


BOTH_SIDES = (1e-2, 0.3)  # r = sqrt(10 decay^2 / 4): 0.016 and 0.47, either side of 1/4


def results(
    *, decays: tuple[float, ...] = BOTH_SIDES, epochs: int = 60_000, seeds: int = 2, zero: float = 0.0, **changes: float
) -> Results:
    """Trials that reach the optimum at each weight decay; ``metric=factor`` multiplies one, ``zero`` adds to a norm."""
    trials, rows = [], []
    for decay, seed in itertools.product(decays, range(seeds)):
        name, optimum = f"{decay}" + (f" {seed}" if seed else ""), theory.ufm_optimum(4, 10, decay, decay / 4)
        beyond = optimum.logit_gap.item() == 0
        trials.append([name, "underfit" if beyond else "interpolated", seed, decay, decay / 4, epochs])
        values = {
            "logit_gap": optimum.logit_gap.item(), "weight_norm_squared": optimum.weight_norm_squared.item(),
            "feature_norm_squared": optimum.feature_norm_squared.item(), "loss": optimum.cross_entropy.item(),
            "within_between_trace_ratio": 1e-9, "etf_cosine_deviation_class_means": 1e-9,
            "etf_cosine_deviation_weights": 1e-9,
        }  # fmt: skip
        values = {metric: changes.get(metric, 1.0) * value for metric, value in values.items()}
        values["weight_norm_squared"] += zero if beyond else 0.0
        rows += [[name, epochs, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "train.weight_decay", "train.weight_decay_first", "epochs"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(CONFIG, pd.DataFrame(trials, columns=columns), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_at_the_optimum() -> None:
    found = claims(results())
    assert {claim.verdict for claim in found} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found)


@pytest.mark.parametrize(
    ("claim", "fails", "holds"),
    [
        *(("closed_form", {m: 1 + 1.1e-4}, {m: 1 + 0.9e-4}) for m in ("logit_gap", "weight_norm_squared", "loss")),
        *(("neural_collapse", {m: 1.1e5}, {m: 0.9e5}) for m in COLLAPSED),
        ("collapse_to_zero", {"zero": 1.1e-8}, {"zero": 0.9e-8}),
    ],
)
def test_each_can_fail_and_no_other_suffers(claim: str, fails: dict[str, float], holds: dict[str, float]) -> None:
    of = verdicts(results(**fails))  # type: ignore[arg-type]
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}
    assert set(verdicts(results(**holds)).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


@pytest.mark.parametrize(("factor", "verdict"), [(1 - 1e-10, Verdict.not_reproduced), (1 - 1e-14, Verdict.reproduced)])
def test_an_objective_below_the_optimum_refutes_it(factor: float, verdict: Verdict) -> None:
    of = verdicts(results(loss=factor))
    assert of.pop("no_lower") is verdict
    assert set(of.values()) == {Verdict.reproduced}


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    """2 * 5 * 2.5e-3 a step below the threshold, 30 times as much beyond it: 40 decay times are 1,600 and 54 steps."""
    below = {"closed_form", "neural_collapse"}
    assert undecided(results(epochs=1601)) == set()
    assert undecided(results(epochs=1599)) == below
    assert undecided(results(epochs=50)) == {*below, "collapse_to_zero"}
    assert undecided(results(seeds=1)) == {*below, "collapse_to_zero"}
    assert undecided(results(decays=BOTH_SIDES[:1])) == {"collapse_to_zero"}
    assert undecided(results(decays=BOTH_SIDES[1:])) == {*below, "no_lower"}


def test_r_and_the_objective_are_those_of_the_formula() -> None:
    row = compared(results(decays=(0.04,))).iloc[0]
    assert row["r"] == pytest.approx(math.sqrt(10 * 0.04 * 0.01))
    assert row["total"] == pytest.approx(row["optimum_total"], rel=1e-12)


def test_points_are_what_was_trained_and_lines_the_closed_form() -> None:
    of = results(seeds=1, loss=1.1)
    table = compared(of)
    drawing = figures(of)["closed_form"]
    for ax, (metric, _, name) in zip(drawing.figure.axes, COMPARED, strict=False):
        line, points, threshold = ax.lines
        np.testing.assert_allclose(points.get_xdata(), table["r"])
        np.testing.assert_allclose(points.get_ydata(), table[metric])
        on_weight = line.get_xdata() / math.sqrt(10 / 4)  # r = sqrt(10 decay^2 / 4)
        optimum = [theory.ufm_optimum(4, 10, decay, decay / 4)._asdict()[name].item() for decay in on_weight]
        np.testing.assert_allclose(line.get_ydata(), optimum)
        assert threshold.get_xdata()[0] == 1 / 4
    points, _ = drawing.figure.axes[-1].lines  # of the two trials the one below 1/4
    (x,), (y,) = points.get_data()
    assert x == pytest.approx(math.sqrt(10 / 4) * 1e-2)
    optimum = theory.ufm_optimum(4, 10, 1e-2, 1e-2 / 4)
    assert y == pytest.approx(0.1 * optimum.cross_entropy.item() / optimum.total.item())
    plt.close(drawing.figure)


def test_the_caption_is_short_and_says_how_many_seeds() -> None:
    drawing = figures(results(seeds=1))["closed_form"]
    assert "1 seed at each weight decay" in drawing.caption
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_where_there_is_nothing_the_axes_say_so() -> None:
    of = results()
    axes = figures(dataclasses.replace(of, trials=of.trials.assign(status="unfinished")))["closed_form"].figure.axes
    assert [ax.texts[0].get_text() for ax in axes] == ["nothing trained"] * 4 + ["nothing trained\nbelow r = 1/K"]
    plt.close("all")
