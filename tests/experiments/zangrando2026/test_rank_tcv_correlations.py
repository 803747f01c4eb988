"""Whether distances from low rank follow cluster variation: of which networks it is judged, and by layers and seeds."""

import dataclasses
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from experiments.zangrando2026.rank_tcv_tables import (
    DECAYS,
    REFUSED,
    REPRODUCED,
    SIGMAS,
    UNDECIDED,
    changed,
    results,
)
from nonsense import by_id, verdicts

from nc_runner.experiments.base import Claim, Results, Verdict
from nc_runner.experiments.zangrando2026.rank_tcv import EXPERIMENT


def claims_where_variation(of_noise: Callable[[Results, pd.Series], pd.Series], *layers: int) -> dict[str, Claim]:
    """By id, where the cluster variation of these layers (all by default) is a function of each trial's noise."""
    table = results()
    metrics = table.metrics
    noise = metrics["trial"].map(table.trials.set_index("id")["data.sigma"])
    of = (metrics["metric"] == "input_cluster_variation") & (metrics["layer"].isin(layers) | (not layers))
    value = metrics["value"].mask(of, of_noise(table, noise))
    return by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))


def in_order(order: Sequence[int]) -> Callable[[Results, pd.Series], pd.Series]:
    """The five values of the noise in another order."""
    return lambda _, noise: noise.map({sigma: SIGMAS[place] for sigma, place in zip(SIGMAS, order, strict=True)})


def test_a_variation_that_falls_with_noise_is_refused_alone() -> None:
    found = verdicts(EXPERIMENT, results(variation_power=-3.0))
    assert found.pop("follows_cluster_variation") is REFUSED
    assert set(found.values()) == {REPRODUCED}


def test_a_variation_that_only_follows_the_weight_decay_is_refused_within_it_alone() -> None:
    """Relative variation goes on rising with the noise; the absolute one, in whose terms the bound is, does not."""
    found = claims_where_variation(lambda _, noise: 1 / noise)
    within = found.pop("follows_variation_within_decay")
    assert within.verdict is REFUSED
    assert within.measured == (
        "layer 1 -1.00, layer 2 -1.00; the least of one weight decay -1.00; distance as TCV^p, p -1 to -1, median -1"
    )
    assert {claim.verdict for claim in found.values()} == {REPRODUCED}


@pytest.mark.parametrize(("order", "verdict"), [((1, 0, 3, 2, 4), REPRODUCED), ((2, 0, 1, 4, 3), REFUSED)])
def test_correlations_at_one_weight_decay_are_averaged(order: tuple[int, ...], verdict: Verdict) -> None:
    """1 - 6 sum d^2 / 120 is 0.8, then 0.6."""
    found = claims_where_variation(in_order(order))
    assert found["follows_variation_within_decay"].verdict is verdict


def test_a_distance_below_the_floor_is_the_least_of_its_weight_decay() -> None:
    """Where the variation is largest: of five ranks one is moved from the end to the start, 1 - 6 * 20 / 120 = 0."""
    found = by_id(EXPERIMENT, changed({"data.sigma": 3.0}, rank_distance=1e-9))["follows_variation_within_decay"]
    assert found.verdict is REFUSED


def test_every_layer_has_to_follow() -> None:
    """Layer 2 with a correlation of 0.6, or with distances that are all alike."""
    found = claims_where_variation(in_order((2, 0, 1, 4, 3)), 2)
    assert found["follows_variation_within_decay"].measured.startswith("layer 1 1.00, layer 2 0.60;")
    assert found["follows_variation_within_decay"].verdict is REFUSED
    found = by_id(EXPERIMENT, changed({"layer": 2}, relative_rank_distance=1e-20))
    assert found["follows_cluster_variation"].measured == "a layer whose networks are all alike"


def test_the_median_power_is_told() -> None:
    """Of two layers at three weight decays, at which distances go as TCV, its square and its fourth power."""

    def variation(table: Results, noise: pd.Series) -> pd.Series:
        decay = table.metrics["trial"].map(table.trials.set_index("id")["train.weight_decay"])
        return noise ** (1 / decay.map(dict(zip(DECAYS, (1, 2, 4), strict=True))))

    found = claims_where_variation(variation, 1, 2)
    assert found["follows_variation_within_decay"].measured.endswith("p 1 to 4, median 2")


@pytest.mark.parametrize(("bound", "says"), [(0.999, True), (1.0, False)])
def test_a_bound_above_the_norm_says_nothing_of_a_layer(bound: float, says: bool) -> None:
    """Layer 1, with its noise in reverse order, counts against both readings where its bound is below the norm, 1."""
    table = changed({"layer": 1}, rank_distance_bound=bound)
    metrics, noise = table.metrics, table.trials.set_index("id")["data.sigma"]
    turned = metrics["trial"].map(noise.map(dict(zip(SIGMAS, reversed(SIGMAS), strict=True))))
    for metric, power in (("input_cluster_variation", 1), ("relative_input_cluster_variation", 6)):
        of = metrics["layer"].isin([1]) & (metrics["metric"] == metric)
        metrics.loc[of, "value"] = turned[of] ** power
    found = by_id(EXPERIMENT, table)
    for claim in (found["follows_cluster_variation"], found["follows_variation_within_decay"]):
        assert claim.verdict is (REFUSED if says else REPRODUCED)
        assert ("of layer 1 the bound says nothing" in claim.measured) is not says
    silent = by_id(EXPERIMENT, changed({"layer": [1, 2]}, rank_distance_bound=1.0))
    for claim in (silent["follows_cluster_variation"], silent["follows_variation_within_decay"]):
        assert (claim.verdict, claim.measured) == (UNDECIDED, "a bound above the norm of every weight")


def test_networks_of_equal_samples_are_left_out_of_correlations() -> None:
    """Without variation what is left of a distance is that of training, here the largest of all."""
    table = changed(
        {"data.sigma": 3.0}, input_cluster_variation=0.0, relative_input_cluster_variation=0.0, rank_distance=0.05,
        relative_rank_distance=0.0025, rank_distance_bound=0.06,
    )  # fmt: skip
    found = by_id(EXPERIMENT, table)
    assert found["follows_cluster_variation"].measured == "layer 1 1.00, layer 2 1.00"
    assert [need.found for need in found["follows_cluster_variation"].lacks] == ["12"]
    assert "no 5 networks" in found["follows_variation_within_decay"].measured


def test_correlations_that_differ_from_seed_to_seed_are_undecided() -> None:
    """Of each weight decay, in the seeds, 1, 1 and 0.2: their mean is 0.73."""
    table = results()
    metrics, noise = table.metrics, table.trials.set_index("id")["data.sigma"]
    order = dict(zip(SIGMAS, (SIGMAS[place] for place in (3, 1, 2, 4, 0)), strict=True))
    of = (metrics["metric"] == "input_cluster_variation") & metrics["trial"].str.startswith("2-")
    metrics.loc[of, "value"] = metrics["trial"].map(noise).map(order)[of]
    claim = by_id(EXPERIMENT, table)["follows_variation_within_decay"]
    assert claim.verdict is UNDECIDED
    assert [need.name for need in claim.lacks] == ["told from noise"]


def test_networks_and_weight_decays_are_counted_in_each_layer() -> None:
    low = changed({"layer": 2, "train.weight_decay": DECAYS[0]}, rank_distance=1e-9)
    found = by_id(EXPERIMENT, low)["follows_variation_within_decay"]
    assert [need.name for need in found.lacks] == ["weight decays"]
    table = results()
    kept = table.trials["id"].iloc[:14]
    rows = ~table.metrics["layer"].isin([2]) | table.metrics["trial"].isin(kept)
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=table.metrics[rows]))["follows_cluster_variation"]
    assert [(need.name, need.found) for need in found.lacks] == [("networks", "14")]


def test_a_folder_without_the_relative_variation_leaves_that_claim_undecided() -> None:
    table = results()
    metrics = table.metrics[table.metrics["metric"] != "relative_input_cluster_variation"]
    found = by_id(EXPERIMENT, dataclasses.replace(table, metrics=metrics))
    assert found["follows_cluster_variation"].lacks[-1].found == "nothing measured"
    assert found["falls_with_weight_decay"].verdict is REPRODUCED
