"""Each claim of ulpm_flow on tables made so that it holds, and so that it does not; what lacks, and noise."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from experiments.ji2022.ulpm_flow_tables import results

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS, by_time, fitting
from nc_runner.experiments.ji2022.ulpm_flow.claims import claims, in_the_limit, warnings


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def not_reproduced(table: Results) -> set[str]:
    """The claims that are; all others must be reproduced."""
    of = verdicts(table)
    assert set(of.values()) <= {Verdict.reproduced, Verdict.not_reproduced}
    return {name for name, verdict in of.items() if verdict is Verdict.not_reproduced}


def test_on_pure_powers_everything_holds_but_the_uncentred_classifier_norms() -> None:
    assert not_reproduced(results()) == {"limit_classifier_norms"}
    assert all(claim.needs and claim.number for claim in claims(results()))
    assert warnings(results()) == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_decay_of_the_caption_is_an_upper_rate(name: str) -> None:
    metric, half = STATEMENTS[name][1], {"limit_classifier_norms"}
    half = half if metric != "norm_variation_weights" else set()
    others = {"half_rate"} if metric == "norm_variation_weights" else set()
    for rate, fails in ((-0.99, False), (-1.5, False), (-0.97, True), (0.0, True), (0.3, True)):
        expected = half | others | ({f"limit_{name}"} if fails else set())
        assert not_reproduced(results(**{metric: rate})) == expected, rate


@pytest.mark.parametrize(
    ("claim", "fails", "holds"),
    [
        ("half_rate", {"norm_variation_weights": -0.53}, {"norm_variation_weights": -0.49}),
        ("half_rate", {"norm_variation_weights": -0.47}, {"norm_variation_weights": -0.51}),
        ("half_rate", {"predicted": 1.012}, {"predicted": 1.008}),
        ("half_rate", {"predicted": 0.988}, {"predicted": 0.992}),
        ("margin_limit", {"margin_ratio": -0.4}, {"margin_ratio": -0.5}),  # 1e6^-0.4 / 2 = 2e-3, 5e-4
        ("kkt", {"kkt_residual": 0.0}, {"kkt_residual": -0.45}),
        ("kkt", {"kkt_residual": -0.35}, {"kkt_residual": -2.0}),
        ("descent_follows_flow", {"off": 1.021}, {"off": 1.019}),
        ("descent_follows_flow", {"off": 0.979}, {"off": 0.981}),
    ],
)
def test_the_others_can_fail_and_no_other_suffers(claim: str, fails: dict[str, float], holds: dict[str, float]) -> None:
    assert not_reproduced(results(**fails)) == {claim, "limit_classifier_norms"}
    assert not_reproduced(results(**holds)) == {"limit_classifier_norms"}


@pytest.mark.parametrize(("ratio", "fails"), [(1 + 2e-12, True), (1 + 0.5e-12, False)])
def test_one_margin_above_its_bound_refutes_it(ratio: float, fails: bool) -> None:
    table = results()
    rows = table.metrics.query("metric == 'margin_ratio' and trial == 'gd 1' and epoch == 4").index
    table.metrics.loc[rows, "value"] = ratio
    assert not_reproduced(table) == {"limit_classifier_norms"} | ({"margin"} if fails else set())


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


IN_THE_LIMIT = {*(f"limit_{name}" for name in STATEMENTS), "half_rate", "margin_limit", "kkt"}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    assert undecided(results(end=1e3, descent=False)) == IN_THE_LIMIT | {"descent_follows_flow"}
    assert undecided(results(seeds=2)) == IN_THE_LIMIT
    assert undecided(results(drift=1.1e-3)) == IN_THE_LIMIT
    assert undecided(results(drift=0.9e-3)) == set()
    table = results()
    assert undecided(table.only(table.trials["id"] != "flow 1")) == IN_THE_LIMIT | {"descent_follows_flow"}
    old = dataclasses.replace(table, metrics=table.metrics[table.metrics["metric"] != "conserved_drift"])
    assert undecided(old) == IN_THE_LIMIT


@pytest.mark.parametrize(
    ("rate", "wrong"), [(-1.0, Verdict.not_reproduced), (-0.9, Verdict.reproduced), (0.0, Verdict.reproduced)]
)
def test_a_rate_in_the_limit_is_told_from_the_integrator_s_noise(rate: float, wrong: Verdict) -> None:
    """Of 200 tables with a relative noise of 1e-4, ten times what tolerances allow; flat ones among them."""
    of = results()
    random, flow, found = np.random.default_rng(1), fitting(of), Counter[Verdict]()
    table = by_time(flow)
    table = table[table["log_t"] > 1e4]
    for _ in range(200):
        noise = np.exp(1e-4 * random.normal(size=len(table)))
        found[
            in_the_limit(
                flow, table.assign(self_duality_distance=noise * table["log_t"] ** rate), "self_duality"
            ).verdict
        ] += 1
    assert found[wrong] <= 10, found


def test_a_large_drift_is_warned_of() -> None:
    (sentence,) = warnings(results(drift=0.02))
    assert "0.02" in sentence
