import itertools

import matplotlib.pyplot as plt
import pytest
from tables import make_results

from nc_runner.config import Config, DataConfig, ModelConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.rank_tcv import draw
from nc_runner.experiments.rank_tcv_claims import claims, pairs


def results(
    *, decay_power: float = -2.0, noise_power: float = 2.0, bound: float = 10.0, floor: bool = False
) -> Results:
    trials, rows = [], []
    for decay, sigma in itertools.product((1e-3, 1e-2, 1e-1), (0.1, 0.5, 1.0)):
        name = f"{decay}-{sigma}"
        trials.append([name, "interpolated", 0, decay, sigma, 5, 0.1, 1.0])
        for layer in (1, 2):
            distance = 1e-20 if floor else 1e-7 * decay**decay_power * sigma**noise_power
            values = {
                "relative_rank_distance": distance, "rank_distance": distance**0.5, "weight_norm": 1.0,
                "rank_distance_bound": bound * distance**0.5, "input_cluster_variation": sigma,
            }  # fmt: skip
            rows += [[name, 5, layer, metric, value] for metric, value in values.items()]
    config = Config(data=DataConfig(classes=3), model=ModelConfig(depth=3))
    return make_results(config, ["train.weight_decay", "data.sigma"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("bound_holds", {"bound": 0.5}),
        ("falls_with_weight_decay", {"decay_power": 0.5}),
        ("rises_with_noise", {"noise_power": -1.0}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced  # type: ignore[arg-type]


def test_distances_below_the_floor_are_alike_and_decide_nothing() -> None:
    table = results(floor=True)
    assert pairs(table, "train.weight_decay", ["data.sigma"], sign=-1) == (0, 0)
    assert verdicts(table)["rises_with_noise"] is Verdict.undecided


def test_pairs_are_counted_within_a_layer_and_all_else_equal() -> None:
    assert pairs(results(), "train.weight_decay", ["data.sigma"], sign=-1) == (12, 12)


@pytest.mark.parametrize("floor", [False, True])
def test_it_draws(floor: bool) -> None:
    for figure in draw(results(floor=floor)).values():
        figure.canvas.draw()
        plt.close(figure)
