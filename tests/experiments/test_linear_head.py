"""The claims and figures of a linear head over training, on tables made so that each holds or fails."""

import math

import matplotlib.pyplot as plt
import pytest
from tables import make_results

from nc_runner.commands import compose
from nc_runner.dotted import replace
from nc_runner.errors import UserError
from nc_runner.experiments import head_claims, linear_head_mlp, linear_head_resnet
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.head_imbalance import fits, steps_per_epoch, with_predictions

EPOCHS, PROBES, DROP = 1000, 41, 800
DRIVING, STEP_SIZE, DECAY = 1e-4, 0.1, 1.8e-3  # step size over 1 - momentum


def recursion(epoch: int, steps: int, rate: float) -> float:
    """From 2 at epoch 0 to the plateau, and again after the step size drops, one epoch at a time."""
    value = 2.0
    for done in range(epoch):
        eta = STEP_SIZE * (0.1 if done >= DROP else 1.0)
        kept = (1 - rate * eta * DECAY) ** (2 * steps)
        plateau = eta**2 * DRIVING / (1 - (1 - eta * DECAY) ** 2)
        value = kept * value + (1 - kept) * plateau
    return value


def results(
    *, rate: float = 1.0, nonlinear: float = 0.5, factor: float = 1.0, bound: float = 3.0, nc2_power: float = 1.0,
    nc2_rise: float = 0.0, nc1_growth: float = 1.0, resnet: bool = False, rising: bool = False, bent: float = 0.0,
) -> Results:  # fmt: skip
    """Two runs of the head of Figure 4: layers 0 to 3 before the linear ones 4 to 7, c3 = 16."""
    words = ["experiment=linear_head_mlp", "scale=cpu", f"train.epochs={EPOCHS}"]
    config = replace(compose(words), {"train.weight_decay": DECAY})
    depth, first = 7, 3
    if resnet:
        config, depth, first = compose(["experiment=linear_head_resnet", "scale=smoke"]), 6, 3
    steps, rows = steps_per_epoch(config), []
    epochs = [1 + round((EPOCHS - 1) * i / (PROBES - 1)) for i in range(PROBES)]
    for name in ("a", "b"):
        for epoch in epochs:
            rows += [[name, epoch, None, "loss", 0.3 * 0.9**epoch + 0.005], [name, epoch, None, "accuracy", 1.0]]
            rows += [[name, epoch, None, "linear_head_condition_number", 16.0**nc2_power]]
            for layer in range(depth + 1):
                linear = max(layer - first, 0)
                nc2 = 16 ** ((depth - layer) / (depth - first)) * math.exp(bent * linear * (depth - first - linear))
                values = {
                    "within_between_trace_ratio": 0.01
                    * (nc1_growth**linear if layer >= first else 2.0 ** (first - layer)),
                    "class_mean_condition_number": nc2 * math.exp(nc2_rise * layer),
                    "negativity": 0.5,
                }
                if 0 < layer < depth:
                    values["balancedness"] = values["imbalance"] = nonlinear
                if first < layer < depth:
                    value = recursion(epoch, steps, rate)
                    if rising and epoch > DROP:
                        value *= 1 + epoch
                    values["balancedness"] = values["imbalance"] = value
                    values["gradient_imbalance"] = DRIVING * factor
                if layer == depth - 1:
                    for metric, short in (
                        ("within_between_trace_ratio", "trace_ratio"),
                        ("class_mean_condition_number", "condition_number"),
                    ):
                        values[f"{short}_sharper_bound"] = bound * values[metric]
                        values[f"{short}_bound"] = math.inf
                rows += [[name, epoch, layer, metric, value] for metric, value in values.items()]
        for layer in range(depth - 3, depth + 1):
            rows += [[name, EPOCHS, layer, f"gram_{i}_{j}", float(i == j)] for i in range(10) for j in range(i, 10)]
    trials = [["a", "interpolated", 0, EPOCHS, 0.01, 1.0], ["b", "interpolated", 1, EPOCHS, 0.01, 1.0]]
    return make_results(config, [], trials, rows)


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


@pytest.mark.parametrize("resnet", [False, True])
def test_it_draws(resnet: bool) -> None:
    table = results(resnet=resnet)
    draw = linear_head_resnet.draw if resnet else linear_head_mlp.draw
    one = Results(table.config, table.trials[:1], table.metrics[table.metrics["trial"] == "a"])
    for of in (table, one, Results(table.config, table.trials, table.metrics[table.metrics["epoch"] == 1])):
        for figure in draw(of).values():
            figure.canvas.draw()
            plt.close(figure)


def with_value(table: Results, metric: str, value: float, where: str) -> Results:
    """The table with one metric set in the rows of a query."""
    metrics = table.metrics.copy()
    rows = metrics.query(where).index.intersection(metrics.index[metrics["metric"] == metric])
    assert len(rows)
    metrics.loc[rows, "value"] = value
    return Results(table.config, table.trials, metrics)


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
