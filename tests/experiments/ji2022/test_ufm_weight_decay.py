"""Each claim of ufm_weight_decay on tables made so that it holds, and so that it does not; what is drawn."""

import dataclasses
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nc_runner import theory
from nc_runner.config.schema import Config, DataConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.ufm_weight_decay.claims import COMPARED, claims, compared
from nc_runner.experiments.ji2022.ufm_weight_decay.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES, add_caption

CONFIG = Config(data=DataConfig(samples=40, classes=4), train=TrainConfig(learning_rate=0.5, momentum=0.9))


def results(*, decays: tuple[float, ...] = (1e-2, 1e-1), epochs: int = 60_000, **changes: float) -> Results:
    """Trials that reach the optimum at each weight decay; ``metric=factor`` multiplies one."""
    trials, rows = [], []
    for decay in decays:
        name, optimum = f"{decay}", theory.ufm_optimum(4, 10, decay, decay / 4)
        trials.append([name, "interpolated", 0, decay, decay / 4, epochs])
        values = {
            "logit_gap": optimum.logit_gap.item(), "weight_norm_squared": optimum.weight_norm_squared.item(),
            "feature_norm_squared": optimum.feature_norm_squared.item(), "loss": optimum.cross_entropy.item(),
            "within_between_trace_ratio": 1e-9, "etf_cosine_deviation_class_means": 1e-9,
            "etf_cosine_deviation_weights": 1e-9,
        }  # fmt: skip
        rows += [[name, epochs, None, m, changes.get(m, 1.0) * value] for m, value in values.items()]
        if zero := changes.get("zero"):
            rows = [[*row[:4], row[4] + zero * (row[3] == "weight_norm_squared")] for row in rows]
    columns = ["id", "status", "seed", "train.weight_decay", "train.weight_decay_first", "epochs"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(CONFIG, pd.DataFrame(trials, columns=columns), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


BOTH_SIDES = (1e-2, 0.3)  # r = sqrt(10 decay^2 / 4): 0.016 and 0.47, either side of 1/4


def test_all_hold_at_the_optimum() -> None:
    assert set(verdicts(results(decays=BOTH_SIDES)).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("closed_form", {"logit_gap": 1.01}),
        ("closed_form", {"weight_norm_squared": 1.01}),
        ("no_lower", {"loss": 0.9}),
        ("neural_collapse", {"etf_cosine_deviation_weights": 1e6}),
        ("collapse_to_zero", {"zero": 1e-3}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(decays=BOTH_SIDES, **changes))[claim] is Verdict.not_reproduced


def test_what_has_not_converged_decides_nothing() -> None:
    of = verdicts(results(decays=BOTH_SIDES, epochs=10))
    assert of.pop("no_lower") is Verdict.reproduced
    assert set(of.values()) == {Verdict.undecided}


def test_r_and_the_objective_are_those_of_the_formula() -> None:
    row = compared(results(decays=(0.04,))).iloc[0]
    assert row["r"] == pytest.approx(math.sqrt(10 * 0.04 * 0.01))
    assert row["total"] == pytest.approx(row["optimum_total"], rel=1e-12)


def test_points_are_what_was_trained_and_lines_the_closed_form() -> None:
    of = results(decays=BOTH_SIDES, loss=1.1)
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
    drawing = figures(results())["closed_form"]
    assert "1 seed at each weight decay" in drawing.caption
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_where_there_is_nothing_the_axes_say_so() -> None:
    of = results()
    axes = figures(dataclasses.replace(of, trials=of.trials.assign(status="unfinished")))["closed_form"].figure.axes
    assert [ax.texts[0].get_text() for ax in axes] == ["nothing trained"] * 4 + ["nothing trained\nbelow r = 1/K"]
    plt.close("all")
