import math

import pandas as pd
import pytest

from nc_runner import theory
from nc_runner.config import Config, DataConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ufm_weight_decay import claims, compared

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
