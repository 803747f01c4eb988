"""Each claim on distances from low rank, on tables made so that it holds, fails or cannot be decided."""

import dataclasses
import itertools

import numpy as np
import pytest
from experiments.zangrando2026.rank_tcv_tables import (
    CONFIG,
    DECAYS,
    REFUSED,
    REPRODUCED,
    SEEDS,
    SIGMAS,
    UNDECIDED,
    results,
)
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
    without_needs,
)

from nc_runner.config.schema import ModelConfig
from nc_runner.experiments.base import Verdict
from nc_runner.experiments.zangrando2026.rank_tcv import EXPERIMENT
from nc_runner.experiments.zangrando2026.rank_tcv import claims as module
from nc_runner.experiments.zangrando2026.rank_tcv.claims import pairs


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(EXPERIMENT, results()).values()) == {REPRODUCED}


@pytest.mark.parametrize("changes", [{"bound": 0.9}, {"early_bound": 0.9}, {"output": 1e-2, "bound": 0.99}])
def test_the_bound_fails_alone(changes: dict) -> None:
    found = verdicts(EXPERIMENT, results(**changes))
    assert found.pop("bound_holds") is REFUSED
    assert set(found.values()) == {REPRODUCED}


@pytest.mark.parametrize(("bound", "verdict"), [(1 - 2.5e-6, REPRODUCED), (1 - 3.5e-6, REFUSED)])
def test_the_bound_has_a_slack_for_rounding_and_no_more(bound: float, verdict: Verdict) -> None:
    table = results(bound=bound, output=0.25)
    assert verdicts(EXPERIMENT, table)["bound_holds"] is verdict


def test_a_distance_that_rises_with_decay_or_falls_with_noise_is_refused() -> None:
    """With the decay the correlation with variation over decay goes too, as both say the same of it."""
    found = verdicts(EXPERIMENT, results(decay_power=0.01))
    assert found["falls_with_weight_decay"] is REFUSED
    assert found["bound_holds"] is found["rises_with_noise"] is REPRODUCED
    found = verdicts(EXPERIMENT, results(noise_power=-0.01))
    assert found["rises_with_noise"] is REFUSED
    assert found["bound_holds"] is found["falls_with_weight_decay"] is REPRODUCED


def test_a_variation_that_falls_with_noise_is_refused_alone() -> None:
    found = verdicts(EXPERIMENT, results(variation_power=-3.0))
    assert found.pop("follows_cluster_variation") is REFUSED
    assert set(found.values()) == {REPRODUCED}


def test_a_variation_that_only_follows_the_weight_decay_is_refused_within_it_alone() -> None:
    """Relative variation goes on rising with the noise; the absolute one, in whose terms the bound is, does not."""
    table = results()
    metrics, noise = table.metrics, table.trials.set_index("id")["data.sigma"]
    of = metrics["metric"] == "input_cluster_variation"
    value = metrics["value"].mask(of, 1 / metrics["trial"].map(noise))
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))
    within = found.pop("follows_variation_within_decay")
    assert within.verdict is REFUSED
    assert within.measured == "layer 1 -1.00, layer 2 -1.00, the least -1.00; distance as TCV^p, p -1 to -1, median -1"
    assert {claim.verdict for claim in found.values()} == {REPRODUCED}


@pytest.mark.parametrize(("order", "verdict"), [((1, 0, 3, 2, 4), REPRODUCED), ((2, 0, 1, 4, 3), REFUSED)])
def test_correlations_at_one_weight_decay_are_averaged(order: tuple[int, ...], verdict: Verdict) -> None:
    """Five values of the noise in another order: 1 - 6 sum d^2 / 120 is 0.8, then 0.6."""
    table = results()
    metrics, noise = table.metrics, table.trials.set_index("id")["data.sigma"]
    moved = {sigma: SIGMAS[place] for sigma, place in zip(SIGMAS, order, strict=True)}
    of = metrics["metric"] == "input_cluster_variation"
    value = metrics["value"].mask(of, metrics["trial"].map(noise).map(moved))
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))
    assert found["follows_variation_within_decay"].verdict is verdict


@pytest.mark.parametrize(("reversed_lines", "verdict"), [(3, REPRODUCED), (4, REFUSED)])
def test_nine_of_ten_pairs_have_to_agree(reversed_lines: int, verdict: Verdict) -> None:
    """Of 30 lines along weight decay, of two pairs each: 6 of 60 pairs, then 8."""
    table = results()
    lines = list(itertools.product(SEEDS, SIGMAS, (1, 2)))[:reversed_lines]
    value, metrics = table.metrics["value"].copy(), table.metrics
    for seed, sigma, layer in lines:
        rows = [
            metrics.index[
                (metrics["trial"] == f"{seed}-{decay}-{sigma}")
                & (metrics["layer"] == layer)
                & (metrics["metric"] == "relative_rank_distance")
            ]
            for decay in DECAYS
        ]
        for here, there in zip(rows, reversed(rows), strict=True):
            value[here] = metrics["value"][there].to_numpy()
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))[
        "falls_with_weight_decay"
    ]
    assert found.measured == f"{60 - 2 * reversed_lines} of 60 pairs"
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("lacks", "changes"),
    [
        ("seeds", {"seeds": (0, 1)}),
        ("stationary", {"gradient": 0.0101}),
        ("decay times", {"epochs": 24}),
        ("grid complete", {"sigmas": SIGMAS[1:]}),
        ("interpolation possible", {"config": dataclasses.replace(CONFIG, model=ModelConfig(depth=3, width=5))}),
        (
            "interpolation possible",
            {"config": dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, dim=5))},
        ),
    ],
)
def test_without_a_need_only_the_bound_is_decided_and_it_is_named(lacks: str, changes: dict) -> None:
    found = by_id(EXPERIMENT, results(**changes))
    assert found.pop("bound_holds").verdict is REPRODUCED
    for claim in found.values():
        assert claim.verdict is UNDECIDED
        assert [need.name for need in claim.lacks] == [lacks]


@pytest.mark.parametrize("changes", [{"gradient": 0.01}, {"epochs": 25}])
def test_with_just_enough_they_are(changes: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**changes)).values()) == {REPRODUCED}


def test_few_pairs_and_few_networks_tell_no_trend_from_noise() -> None:
    config = dataclasses.replace(CONFIG, grid={"train.weight_decay": list(DECAYS), "data.sigma": [0.3]})
    found = by_id(EXPERIMENT, results(sigmas=(0.3,), config=config))
    assert [need.name for need in found["falls_with_weight_decay"].lacks] == ["pairs"]
    assert [need.name for need in found["follows_cluster_variation"].lacks] == ["networks"]
    assert [need.name for need in found["follows_variation_within_decay"].lacks] == ["something to judge"]
    assert [need.name for need in found["rises_with_noise"].lacks] == ["something to judge"]
    table = results()
    alike = table.metrics["trial"].str.contains(f"-{DECAYS[0]}-") & (table.metrics["metric"] == "rank_distance")
    table.metrics.loc[alike, "value"] = 1e-9
    found = by_id(EXPERIMENT, table)["follows_variation_within_decay"]
    assert [need.name for need in found.lacks] == ["weight decays"]
    sparse = results(sigmas=SIGMAS[:3])
    assert "networks" in [need.name for need in by_id(EXPERIMENT, sparse)["follows_variation_within_decay"].lacks]


def test_nothing_that_says_nothing_changes_a_verdict() -> None:
    assert_nonsense_changes_nothing(EXPERIMENT, results())
    assert_nonsense_changes_nothing(EXPERIMENT, results(decay_power=1.0, noise_power=-1.0, bound=0.5))
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 8


def test_trends_are_told_from_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Powers of weight decay and noise with a tenth of a decade of scatter, against scatter that layers share."""
    without_needs(monkeypatch, module)
    draw, of = np.random.default_rng(0), results()
    ends, probed = module.distances(of), module.after_training(module.bounds(of))
    ends, probed = (table[table["layer"] < 3].sort_values(["id", "layer"]) for table in (ends, probed))
    decades = np.log10(ends[module.DISTANCE])

    def simulated(steepness: float, scatter: float) -> dict[str, Verdict]:
        shared = dict(zip(of.trials["id"], draw.normal(0, 1, len(of.trials)), strict=True))
        drawn = ends.assign(relative_rank_distance=10 ** (steepness * decades + scatter * ends["id"].map(shared)))
        inner = probed.assign(rank_distance=drawn[module.DISTANCE].to_numpy() ** 0.5)
        monkeypatch.setattr(module, "distances", lambda _: drawn)
        monkeypatch.setattr(module, "bounds", lambda _: inner)
        found = [
            module.trend(module.FALLS, of, module.DECAY, module.SIGMA, -1),
            module.trend(module.RISES, of, module.SIGMA, module.DECAY, 1),
            module.follows(of),
            module.follows_within(of),
        ]
        return {claim.id: claim.verdict for claim in found}

    held = [simulated(1.0, 0.1) for _ in range(200)]
    failed = [simulated(0.0, 0.3) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


def test_distances_below_the_floor_are_alike_and_decide_nothing() -> None:
    table = results(floor=True)
    assert pairs(table, "train.weight_decay", "data.sigma", sign=-1) == (0, 0)
    found = verdicts(EXPERIMENT, table)
    assert found["rises_with_noise"] is found["follows_cluster_variation"] is UNDECIDED
    assert found["follows_variation_within_decay"] is UNDECIDED


def test_pairs_are_counted_within_a_layer_a_seed_and_all_else_equal() -> None:
    assert pairs(results(), "train.weight_decay", "data.sigma", sign=-1) == (60, 60)
    assert pairs(results(), "data.sigma", "train.weight_decay", sign=-1) == (0, 72)


def test_a_folder_without_the_relative_variation_leaves_that_claim_undecided() -> None:
    table = results()
    metrics = table.metrics[table.metrics["metric"] != "relative_input_cluster_variation"]
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics))
    assert found["follows_cluster_variation"].lacks[-1].found == "nothing measured"
    assert found["falls_with_weight_decay"].verdict is REPRODUCED
