"""The claims on a linear head over training, on tables made so that each holds or fails."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from experiments.jacot2025.head_tables import (
    DECAY,
    DRIVING,
    EPOCHS,
    STEP_SIZE,
    recursion,
    results,
    with_value,
    without_needs,
)

from nc_runner.cli.mistakes import compose
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import claims as head_claims
from nc_runner.experiments.jacot2025 import imbalance_claims, linear_head_mlp
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.experiments.jacot2025.imbalance import fits, steps_per_epoch, with_predictions
from nc_runner.run.undefined import judged


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in head_claims.claims(table)}


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
        {"nonlinear": 1e-5}, {"drift": 2e-4},
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
        (("data.per_class=1000",), "nc2_improves nc2_improves_linear nonlinear_plateau_higher nc1_hardly_varies"),
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
    assert undecided == {"nc2_improves", "nc2_improves_linear", "nonlinear_plateau_higher", "nc1_hardly_varies"}


def test_without_time_after_the_drop_its_fall_is_undecided() -> None:
    of = verdicts(results(words=("train.lr_gamma=0.01",)))  # e^-0.3 is left
    assert of["falls_after_drop"] is Verdict.reproduced
    of = verdicts(results(words=("train.lr_gamma=0.005",)))  # e^-0.15
    assert of["falls_after_drop"] is Verdict.undecided
    assert verdicts(results(words=("train.lr_milestones=[]",)))["falls_after_drop"] is Verdict.undecided


@pytest.mark.parametrize(("drift", "verdict"), [(4e-4, Verdict.reproduced), (6e-4, Verdict.undecided)])
def test_a_nonlinear_layer_that_still_moves_has_no_plateau(drift: float, verdict: Verdict) -> None:
    """Over half of the last 1,600 of 8,000 epochs: 0.4 is the log of 1.5."""
    assert verdicts(results(drift=drift))["nonlinear_plateau_higher"] is verdict


def test_the_fit_is_of_the_recursion_in_its_window() -> None:
    table = fits(results())
    steps = steps_per_epoch(results().config)
    assert len(table) == 9
    assert table["expected"].iloc[0] == pytest.approx(-2 * math.log(1 - STEP_SIZE * DECAY), rel=1e-12)
    assert (table["fitted"] / table["expected"]).between(0.95, 1.0).all()
    plateau = STEP_SIZE**2 * DRIVING / (1 - (1 - STEP_SIZE * DECAY) ** 2)
    assert table["plateau"].iloc[0] == pytest.approx(plateau, rel=0.05)
    assert table["predicted_plateau"].iloc[0] == pytest.approx(plateau, rel=0.05)
    assert table["predicted_end"].iloc[0] == pytest.approx(recursion(EPOCHS, steps, 1.0), rel=1e-6)
    assert table["first"].iloc[0] > 1  # the loss has not settled at the first probe
    rows = with_predictions(results())
    assert (rows["predicted"] / rows["imbalance"]).between(0.999, 1.001).all()
    kept = rows[(rows["epoch"] <= table["last"].iloc[0])]
    assert (kept["straight"] / kept["imbalance"]).between(0.85, 1.001).all()


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


def test_a_rate_from_some_of_the_fits_decides_nothing() -> None:
    few = with_value(results(), "imbalance", 1e-9, "trial == 'a' and layer == 4 and epoch > 1")
    assert fits(few)["fitted"].isna().sum() == 1
    found = verdicts(few)
    assert found["imbalance_decay_rate"] is found["decays_exponentially"] is Verdict.undecided


def test_free_decay_to_the_end_is_no_plateau() -> None:
    table = results()
    rows = with_predictions(table)
    free = table.metrics.copy()
    of = {(t, e, la): s for t, e, la, s in rows[["id", "epoch", "layer", "straight"]].itertuples(index=False)}
    imbalance = free["metric"] == "imbalance"
    free.loc[imbalance, "value"] = [
        of.get((t, e, la), value) if of.get((t, e, la), 0) > 0 else value
        for t, e, la, value in free.loc[imbalance, ["trial", "epoch", "layer", "value"]].itertuples(index=False)
    ]
    found = verdicts(Results(table.config, table.trials, free))
    assert found["imbalance_plateau"] is Verdict.undecided
    assert found["falls_after_drop"] is Verdict.undecided
    assert found["imbalance_decay_rate"] is Verdict.reproduced


def test_trials_of_several_clocks_are_not_predicted() -> None:
    table = results()
    mixed = Results(table.config, table.trials.assign(**{"train.batch_size": [32, 64, 64]}), table.metrics)
    found = verdicts(mixed)
    assert found["imbalance_decay_rate"] is Verdict.undecided
    assert found["imbalance_plateau"] is Verdict.undecided
    assert linear_head_mlp.EXPERIMENT.warnings is not None
    assert "train.batch_size" in linear_head_mlp.EXPERIMENT.warnings(mixed)[0]
    assert linear_head_mlp.EXPERIMENT.warnings(table) == []


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


@pytest.mark.parametrize(
    ("claim", "column", "right", "wrong"),
    [
        ("decays_at_rate", "fitted", 1.0, 1.15),
        ("decays_at_rate", "fitted", 1.0, 0.85),
        ("plateau_predicted", "predicted_plateau", 1.5, 5.0),
        ("plateau_predicted", "predicted_plateau", 0.6, 0.2),
        ("falls_after_drop", "at_end", 0.5, 1.0),  # flat
        ("falls_after_drop", "at_end", 0.7, 2.0),
    ],
)
def test_noise_decides_no_rate_and_no_plateau(
    claim: str, column: str, right: float, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 tables of fifteen fits: noise of 2 % in a rate, of 15 % in a plateau, as in runs."""
    without_needs(monkeypatch, imbalance_claims)
    random, of = np.random.default_rng(5), results()
    noise = 0.02 if column == "fitted" else 0.15
    exact = pd.concat([fits(of)] * 5, ignore_index=True).iloc[:15]
    exact = exact.assign(fitted=exact["expected"], predicted_plateau=exact["plateau"], at_end=exact["plateau"])
    for factor, error in ((right, Verdict.not_reproduced), (wrong, Verdict.reproduced)):
        found = Counter[Verdict]()
        for _ in range(200):
            values = exact[column] * factor * np.exp(noise * random.normal(size=15))
            found[getattr(imbalance_claims, claim)(of, exact.assign(**{column: values})).verdict] += 1
        assert found[error] <= 10, found


@pytest.mark.parametrize(("power", "holds"), [(None, True), (2.0, False)])
def test_a_power_law_is_no_exponential(power: float | None, holds: bool) -> None:
    """R^2 of logs of ten probes with 10 % of noise, over three e-foldings of a decay, by its two laws."""
    random, steps = np.random.default_rng(5), np.linspace(0, 3, 10)
    law = -steps if power is None else -power * np.log1p(steps * (math.expm1(3 / power) / 3))
    straight = [np.corrcoef(steps, law + 0.1 * random.normal(size=10))[0, 1] ** 2 for _ in range(200)]
    believed = sum(r2 >= imbalance_claims.STRAIGHT_R2 for r2 in straight)
    assert believed >= 190 if holds else believed <= 10
