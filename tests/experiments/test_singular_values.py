import math

import matplotlib.pyplot as plt
import pytest
from tables import make_results

from nc_runner import theory
from nc_runner.config import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.singular_values import claims, compared, draw

CONFIG = Config(data=DataConfig(classes=3), model=ModelConfig(depth=3, width=4), train=TrainConfig(weight_decay=1e-3))


def results(*, linear: float = 1.0, excess: float = 0.0, tail: float = 0.0, power: float = 0.5) -> Results:
    """Linear networks at ``linear`` times the optimum, ReLU ones off by 0.01 delta^power."""
    trials, rows = [], []
    for activation in ("linear", "relu"):
        for delta in (10.0, 1.0, 0.1, 0.0):
            name = f"{activation}-{delta}"
            trials.append([name, "interpolated", 0, activation, 1e-3 * delta, 9, 0.1, 1.0])
            best = theory.first_layer_delta_singular_values(1e-3, 3, 2, delta or 1.0)
            factor = linear if activation == "linear" else 1 + 0.01 * (delta or 1.0) ** power
            over = 0.0 if activation == "linear" else excess
            rows.append([name, 9, None, "objective", best.objective.item() * (1 + over)])
            for layer, size in ((1, 3), (2, 4), (3, 3)):
                value = factor * (best.first if layer == 1 else best.hidden).item()
                spectrum = [value] * 3 + [0.0] * (size - 3)
                rows += [[name, 9, layer, f"singular_value_{j}", s] for j, s in enumerate(spectrum, 1)]
                rows.append([name, 9, layer, "relative_rank_distance", tail])
    return make_results(CONFIG, ["model.activation", "train.weight_decay_first"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results(linear=1.0001)).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("linear_agrees", {"linear": 1.002}),
        ("relu_reaches_optimum", {"excess": 2e-3}),
        ("relu_reaches_optimum", {"excess": -2e-3}),
        ("relu_rank", {"tail": 1e-3}),
        ("approaches_as_delta_falls", {"power": -0.5}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_distance_and_error_are_relative_and_undefined_for_delta_0() -> None:
    table = compared(results(linear=1.01)).set_index("id")
    assert table.loc["linear-1.0", "distance"] == pytest.approx(0.01)
    assert table.loc["linear-1.0", "largest_error"] == pytest.approx(0.01)
    assert math.isnan(table.loc["linear-0.0", "distance"])


def test_it_draws() -> None:
    for figure in draw(results()).values():
        figure.canvas.draw()
        plt.close(figure)
