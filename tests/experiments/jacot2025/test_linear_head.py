"""The claims on a linear head over training, on tables made so that each holds or fails."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from experiments.jacot2025.head_tables import results, verdicts, with_value
from nonsense import without_needs

from nc_runner.cli.mistakes import compose
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import claims as head_claims
from nc_runner.experiments.jacot2025 import linear_head_mlp
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.run.undefined import judged


def test_all_hold_on_a_table_made_so() -> None:
    found = {claim.id: claim for claim in head_claims.claims(results(printed=2.0))}
    assert {claim.verdict for claim in found.values()} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found.values())


@pytest.mark.parametrize(
    ("fail", "changes"),
    [
        ("imbalance_decay_rate", {"rate": 1.2}),
        ("imbalance_decay_rate", {"rate": 0.85}),
        ("decays_exponentially", {"wave": 1.2}),
        ("nonlinear_plateau_higher", {"nonlinear": 1e-9}),
        ("imbalance_plateau", {"factor": 3.2}),
        ("imbalance_plateau", {"factor": 0.3}),
        ("falls_after_drop", {"rising": 0.95}),
        ("theorem_b1_nc1 theorem_b1_nc2", {"printed": 0.99}),
        ("sharper_nc1 sharper_nc2", {"bound": 0.99}),
        ("nc1_hardly_varies", {"nc1_growth": 2.05 ** (1 / 3)}),
        ("nc2_log_linear", {"nc2_power": 1.3}),
        ("nc2_log_linear", {"nc2_power": 0.84}),
        ("nc2_improves nc2_improves_linear nc2_log_linear", {"nc2_rise": 1.0}),
        ("nc2_improves nc2_improves_linear nc2_log_linear", {"bent": 0.3}),
        ("class_means_orthogonal", {"cosine": 0.101}),
        ("class_means_aligned", {"aligned": 0.949}),
    ],
)
def test_each_can_fail_and_no_other_suffers(fail: str, changes: dict[str, float]) -> None:
    of = verdicts(results(**{"printed": 2.0, **changes}))  # type: ignore[arg-type]
    assert {name for name, verdict in of.items() if verdict is Verdict.not_reproduced} == set(fail.split())
    assert set(of.values()) == {Verdict.reproduced, Verdict.not_reproduced}


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 1.09}, {"rate": 0.91}, {"wave": 0.3}, {"factor": 2.8}, {"factor": 0.36}, {"rising": 0.85},
        {"bound": 1.0}, {"printed": 1.0}, {"nc1_growth": 1.95 ** (1 / 3)}, {"nc2_power": 1.17}, {"nc2_power": 0.88},
        {"nonlinear": 1e-5}, {"drift": 2e-4}, {"cosine": 0.099}, {"aligned": 0.951},
    ],
)  # fmt: skip
def test_just_inside_a_limit_everything_holds(changes: dict[str, float]) -> None:
    assert set(verdicts(results(**{"printed": 2.0, **changes})).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


def test_a_step_up_between_nonlinear_layers_is_of_the_whole_head_alone() -> None:
    of = verdicts(with_value(results(), "class_mean_condition_number", 1000.0, "layer == 2 and epoch == 10000"))
    assert of["nc2_improves"] is Verdict.not_reproduced
    assert of["nc2_improves_linear"] is Verdict.reproduced


@pytest.mark.parametrize("metric", ["trace_ratio", "condition_number"])
@pytest.mark.parametrize("kind", ["bound", "sharper_bound"])
def test_each_bound_has_its_own_verdict(metric: str, kind: str) -> None:
    """One value above one bound at one probe; and never finite, which is undecided."""
    name = ("theorem_b1_" if kind == "bound" else "sharper_") + ("nc1" if metric == "trace_ratio" else "nc2")
    for value, expected in ((1e-3, Verdict.not_reproduced), (math.inf, Verdict.undecided)):
        where = "layer == 6" + (" and trial == 'b' and epoch == 5001" if math.isfinite(value) else "")
        of = verdicts(with_value(results(printed=2.0), f"{metric}_{kind}", value, where))
        assert of.pop(name) is expected
        assert set(of.values()) == {Verdict.reproduced}


def test_bounds_are_judged_to_the_rounding_of_float32_and_no_further() -> None:
    for factor, expected in ((1 - 0.9e-6, Verdict.reproduced), (1 - 1.2e-6, Verdict.not_reproduced)):
        of = verdicts(results(bound=factor))
        assert of["sharper_nc1"] is of["sharper_nc2"] is expected


@pytest.mark.parametrize(
    ("words", "undecided"),
    [
        (("train.weight_decay=1e-6",), "everything that was trained"),
        (
            ("data.per_class=1000",),
            "nc2_improves nc2_improves_linear nonlinear_plateau_higher nc1_hardly_varies class_means_orthogonal "
            "class_means_aligned",
        ),
        (("train.momentum=0.91",), ""),  # the paper does not state it
    ],
)
def test_what_lacks_leaves_undecided_what_needs_it(words: tuple[str, ...], undecided: str) -> None:
    table = results(printed=2.0, words=words)
    of = verdicts(table)
    found = {name for name, verdict in of.items() if verdict is Verdict.undecided}
    if words == ("train.weight_decay=1e-6",):
        assert found == set(of) - {"theorem_b1_nc1", "theorem_b1_nc2", "sharper_nc1", "sharper_nc2"}
    else:
        assert found == set(undecided.split())


def test_two_seeds_do_not_tell_a_trend() -> None:
    table = results(printed=2.0)
    of = verdicts(table.only(table.trials["id"] != "c"))
    undecided = {name for name, verdict in of.items() if verdict is Verdict.undecided}
    assert undecided == {
        "nc2_improves", "nc2_improves_linear", "nonlinear_plateau_higher", "nc1_hardly_varies",
        "class_means_orthogonal", "class_means_aligned",
    }  # fmt: skip


def test_one_run_that_is_not_orthogonal_or_not_aligned_counts_and_what_was_not_measured_does_not() -> None:
    for metric, bad, layer, claim in (
        ("class_mean_absolute_cosine", 0.2, "layer == 6", "class_means_orthogonal"),
        ("self_duality_cosine", 0.5, "layer.isna()", "class_means_aligned"),
    ):
        table = results(printed=2.0)
        of = verdicts(with_value(table, metric, bad, f"{layer} and trial == 'b' and epoch == 10000"))
        assert of.pop(claim) is Verdict.not_reproduced
        assert set(of.values()) == {Verdict.reproduced}
        before = verdicts(with_value(table, metric, bad, f"{layer} and epoch < 10000"))
        assert set(before.values()) == {Verdict.reproduced}
        old = Results(table.config, table.trials, table.metrics[table.metrics["metric"] != metric])
        assert {name for name, verdict in verdicts(old).items() if verdict is Verdict.undecided} == {claim}


def test_without_probes_nothing_is_decided() -> None:
    table = results()
    first = Results(table.config, table.trials, table.metrics[table.metrics["epoch"] == 1])
    undecided = {name for name, verdict in verdicts(first).items() if verdict is Verdict.undecided}
    assert undecided >= {"imbalance_decay_rate"}
    diverged = Results(table.config, table.trials.assign(status="diverged"), table.metrics)
    assert set(verdicts(diverged).values()) == {Verdict.undecided}


def test_a_layer_of_deficient_rank_decides_nothing() -> None:
    table = with_value(results(), "class_mean_condition_number", math.nan, "layer == 6")
    found = {claim.id: claim.verdict for claim in judged(linear_head_mlp.EXPERIMENT, table)}
    for name in ("nc2_improves", "nc2_improves_linear", "sharper_nc2", "nc1_hardly_varies", "nc2_log_linear"):
        assert found[name] is Verdict.undecided
    assert found["sharper_nc1"] is Verdict.reproduced


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("train.weight_decay=0", "more than 0 and less than 1"),
        ("train.weight_decay=200", "more than 0 and less than 1"),
        ("model.linear_layers=1", "allowed is at least 2"),
    ],
)
def test_what_has_no_predictions_is_refused(word: str, message: str) -> None:
    config = compose(["experiment=linear_head_mlp", word])
    assert linear_head_mlp.EXPERIMENT.check is not None
    with pytest.raises(UserError, match=message):
        linear_head_mlp.EXPERIMENT.check(config)


@pytest.mark.parametrize(("step", "holds"), [(-0.3, True), (0.0, False), (0.05, False)])
def test_a_step_is_told_from_noise(step: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables of seven steps, of which the third alone may fail to fall; five runs, noise of 0.1 in log NC2."""
    without_needs(monkeypatch, head_claims)
    random, of, found = np.random.default_rng(5), results(), Counter[Verdict]()
    steps = np.array([0.0, -0.5, -0.5, step, -0.5, -0.5, -0.5, -0.5])
    for _ in range(200):
        logs = pd.DataFrame(np.cumsum(steps) + 0.1 * random.normal(size=(5, 8)))
        claim = head_claims.falls_at_each_step(of, logs, head_claims.NC2_IMPROVES, enough_fit(of))
        found[claim.verdict] += 1
    assert found[Verdict.not_reproduced if holds else Verdict.reproduced] <= 10, found
    if holds:
        assert found[Verdict.reproduced] >= 160, found


RUNS, LAYERS = 5, (4, 5, 6, 7)


def layers_of(random: np.random.Generator, nc1: float, nc2: float, cosine: float, bend: float) -> pd.DataFrame:
    """NC1 that rises by ``nc1`` over four linear layers, NC2 that falls by ``nc2``, its log not all at one rate."""
    along = np.tile(np.linspace(0, 1, 4), RUNS)
    noise = np.exp(0.05 * random.normal(size=(3, 4 * RUNS)))
    return pd.DataFrame(
        {
            "id": np.repeat([*"abcde"], 4),
            "layer": LAYERS * RUNS,
            head_claims.NC1: 0.01 * nc1**along * noise[0],
            head_claims.NC2: nc2 ** (1 - along + bend * np.sin(2 * np.pi * along)) * noise[1],
            head_claims.COSINE: cosine * noise[2],
            "whole": 16.0 ** (4 / 3),
            "linear": 4,
        }
    )


@pytest.mark.parametrize(
    ("judge", "changes", "holds"),
    [
        ("nc1_hardly_varies", {"nc1": 1.6}, True),
        ("nc1_hardly_varies", {"nc1": 2.4}, False),
        ("nc1_hardly_varies", {"nc1": 1.4, "nc2": 1.2}, False),  # more than NC2
        ("nc2_log_linear", {}, True),
        ("nc2_log_linear", {"nc2": 16.0**1.25}, False),
        ("nc2_log_linear", {"nc2": 16.0**0.75}, False),
        ("nc2_log_linear", {"bend": 0.2}, False),
        ("means_orthogonal", {"cosine": 0.085}, True),
        ("means_orthogonal", {"cosine": 0.115}, False),
    ],
)
def test_a_limit_is_told_from_noise(
    judge: str, changes: dict[str, float], holds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 tables of five runs with noise of 5 % in every layer, a sixth or so within a limit or without."""
    without_needs(monkeypatch, head_claims)
    random, of, found = np.random.default_rng(5), results(), Counter[Verdict]()
    met = () if judge == "nc2_log_linear" else (enough_fit(of),)
    for _ in range(200):
        table = layers_of(random, **{"nc1": 1.1, "nc2": 16.0, "cosine": 0.05, "bend": 0.0, **changes})
        monkeypatch.setattr(head_claims, "final_layers", lambda *_, table=table: table)
        monkeypatch.setattr(head_claims, "head_line", lambda _, table=table: table)
        found[getattr(head_claims, judge)(of, *met).verdict] += 1
    assert found[Verdict.not_reproduced if holds else Verdict.reproduced] <= 10, found


@pytest.mark.parametrize(("cosine", "wrong"), [(0.96, Verdict.not_reproduced), (0.94, Verdict.reproduced)])
def test_an_alignment_is_told_from_noise(cosine: float, wrong: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables of five runs, whose cosines are off by 0.003."""
    without_needs(monkeypatch, head_claims)
    random, of, found = np.random.default_rng(5), results(), Counter[Verdict]()
    met = enough_fit(of)
    for _ in range(200):
        final = pd.DataFrame({head_claims.NC3: cosine + 0.003 * random.normal(size=RUNS)})
        monkeypatch.setattr(Results, "final", lambda _, final=final: final)
        found[head_claims.means_aligned(of, met).verdict] += 1
    assert found[wrong] <= 10, found
