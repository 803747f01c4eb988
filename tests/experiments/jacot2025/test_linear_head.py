"""The claims on a linear head over training, on tables made so that each holds or fails."""

import math

import pytest
from experiments.jacot2025.head_tables import DECAY, DRIVING, EPOCHS, STEP_SIZE, recursion, results, with_value

from nc_runner.cli.mistakes import compose
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import claims as head_claims
from nc_runner.experiments.jacot2025 import linear_head_mlp
from nc_runner.experiments.jacot2025.imbalance import fits, steps_per_epoch, with_predictions


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in head_claims.claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("nc2_improves", {"nc2_rise": 2.0}),
        ("nc2_improves_linear", {"nc2_rise": 1.0}),
        ("imbalance_decay_rate", {"rate": 1.2}),
        ("imbalance_decay_rate", {"rate": 0.85}),
        ("nonlinear_plateau_higher", {"nonlinear": 1e-6}),
        ("imbalance_plateau", {"factor": 4.0}),
        ("imbalance_plateau", {"factor": 0.2}),
        ("falls_after_drop", {"rising": True}),
        ("theorem_b1", {"bound": 0.99}),
        ("nc1_hardly_varies", {"nc1_growth": 1.5}),
        ("nc2_log_linear", {"nc2_power": 1.3}),
        ("nc2_log_linear", {"bent": 0.3}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced  # type: ignore[arg-type]


def test_the_fit_is_of_the_recursion_in_its_window() -> None:
    table = fits(results())
    steps = steps_per_epoch(results().config)
    assert len(table) == 6
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


def test_a_layer_of_deficient_rank_is_no_improvement_and_above_every_finite_bound() -> None:
    table = with_value(results(), "class_mean_condition_number", math.nan, "layer == 6")
    found = verdicts(table)
    assert found["nc2_improves"] is Verdict.not_reproduced
    assert found["nc2_improves_linear"] is Verdict.not_reproduced
    assert found["theorem_b1"] is Verdict.not_reproduced


def test_a_rate_from_few_of_the_fits_decides_nothing() -> None:
    few = with_value(results(), "imbalance", 1e-9, "trial == 'a' or layer != 4")
    assert fits(few)["fitted"].notna().sum() == 1
    assert verdicts(few)["imbalance_decay_rate"] is Verdict.undecided


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
    mixed = Results(table.config, table.trials.assign(**{"train.batch_size": [32, 64]}), table.metrics)
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
