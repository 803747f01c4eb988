"""The claims on the number of linear and of non-linear layers, on tables made so that each holds or fails."""

import dataclasses
import itertools

import matplotlib.pyplot as plt
import pytest
from tables import make_results

from nc_runner.commands import compose
from nc_runner.experiments import linear_head_depth, nonlinear_depth
from nc_runner.experiments.base import Results, Verdict

NC1, NC2 = "within_between_trace_ratio", "class_mean_condition_number"


def linear(
    *, last: float = 1.0, inputs: float = 0.05, nc1: float = 1.0, bound: float = 2.0, balanced: float = 1.0
) -> Results:
    """1 to 5 linear layers at two weight decays: NC2 of the last layer 20^(1/L2) to the power ``last``."""
    trials, rows = [], []
    for layers, decay, seed in itertools.product(range(1, 6), (1e-3, 4e-3), (0, 1)):
        name, depth = f"{layers}-{decay}-{seed}", 3 + layers
        trials.append([name, "interpolated", seed, 5 + layers, layers, decay, 9, 0.01, 1.0])
        whole = 20.0 * (1 + inputs * layers)
        rows.append([name, 9, None, "linear_head_condition_number", whole**balanced])
        for layer in range(depth + 1):
            nc2 = whole ** (last * (depth - layer) / layers) if layer > 3 else whole
            rows += [[name, 9, layer, NC1, 0.01 * nc1**layers], [name, 9, layer, NC2, nc2]]
        if layers > 1:
            nc2 = whole ** (last / layers)
            for metric, value in (("trace_ratio", 0.01 * nc1**layers), ("condition_number", nc2)):
                rows += [[name, 9, depth - 1, f"{metric}_{kind}", bound * value] for kind in ("bound", "sharper_bound")]
    config = compose(["experiment=linear_head_depth", "scale=cpu"])
    varied = ["model.depth", "model.linear_layers", "train.weight_decay"]
    return make_results(config, varied, trials, rows)


def nonlinear(*, balance: float = -0.1, negative: float = -0.1, last: float = 0.6) -> Results:
    """4 to 12 non-linear layers at two step sizes; balancedness and negativity change by these factors a layer."""
    trials, rows = [], []
    for layers, rate in itertools.product(range(4, 13), (5e-3, 1e-2)):
        name, end = f"{layers}-{rate}", layers - 2
        trials.append([name, "interpolated", 0, 4 + layers, 0.064 / (4 + layers), rate, 9, 0.01, 1.0])
        for layer in range(1, end + 5):
            negativity = last if layer == end else 0.3 * (1 + negative) ** layers
            rows.append([name, 9, layer, "negativity", negativity])
            if layer < end + 4:
                rows.append([name, 9, layer, "balancedness", (0.3 if layer <= end else 1e-4) * (1 + balance) ** layers])
    config = compose(["experiment=nonlinear_depth", "scale=cpu"])
    return make_results(config, ["model.depth", "train.weight_decay", "train.learning_rate"], trials, rows)


def verdicts(module: object, table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in module.claims(table)}  # type: ignore[attr-defined]


def test_all_hold_on_tables_made_so() -> None:
    assert set(verdicts(linear_head_depth, linear()).values()) == {Verdict.reproduced}
    of = verdicts(nonlinear_depth, nonlinear())
    assert of.pop("theorem_b1") is Verdict.undecided
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("nc2_better_with_depth", {"last": 0.0}),
        ("nc2_input_worse", {"inputs": -0.05}),
        ("nc1_hardly_varies", {"nc1": 1.5}),
        ("nc2_of_balanced_head", {"balanced": 1.5}),
        ("theorem_b1", {"bound": 0.9}),
    ],
)
def test_each_of_the_linear_layers_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(linear_head_depth, linear(**changes))[claim] is Verdict.not_reproduced


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("deeper_more_balanced", {"balance": 0.1}),
        ("deeper_less_negative", {"negative": 0.1}),
        ("last_stays_negative", {"last": 0.05}),
    ],
)
def test_each_of_the_nonlinear_layers_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(nonlinear_depth, nonlinear(**changes))[claim] is Verdict.not_reproduced


def test_nothing_is_decided_before_weight_decay_has_had_its_time() -> None:
    for module, table, free in (
        (linear_head_depth, linear(), {"theorem_b1"}),
        (nonlinear_depth, nonlinear(), {"last_stays_negative"}),
    ):
        few = dataclasses.replace(table.config, train=dataclasses.replace(table.config.train, epochs=20))
        of = verdicts(module, Results(few, table.trials, table.metrics))
        assert {name for name, verdict in of.items() if verdict is not Verdict.undecided} == free


def test_the_last_layer_is_the_one_before_the_output_and_the_input_the_last_nonlinear_one() -> None:
    ends = linear_head_depth.both_ends(linear()).set_index("id")
    assert ends.loc["1-0.001-0", f"last_{NC2}"] == ends.loc["1-0.001-0", f"input_{NC2}"] == pytest.approx(21)
    assert ends.loc["4-0.001-0", f"last_{NC2}"] == pytest.approx(24**0.25)
    assert ends.loc["4-0.001-0", f"input_{NC2}"] == pytest.approx(24)
    runs = nonlinear_depth.by_run(nonlinear()).set_index("id")
    assert runs.loc["12-0.005", "nonlinear_depth"] == 12
    assert runs.loc["12-0.005", "last_negativity"] == pytest.approx(0.6)
    assert runs.loc["12-0.005", "balancedness_min"] == pytest.approx(0.3 * 0.9**12)  # of no linear layer


def test_they_draw() -> None:
    for module, table in ((linear_head_depth, linear()), (nonlinear_depth, nonlinear())):
        few = Results(table.config, table.trials[:1], table.metrics[table.metrics["trial"] == table.trials["id"][0]])
        for of in (table, few):
            for figure in module.draw(of).values():
                figure.canvas.draw()
                plt.close(figure)
            module.claims(of)


@pytest.mark.parametrize("data", ["cifar10", "mnist"])
def test_the_lower_row_and_figure_5_are_the_same_experiment_of_another_network(data: str) -> None:
    config = compose(["experiment=linear_head_depth", "model=resnet20", f"data={data}"])
    axis = config.grid["model.depth,model.linear_layers"]
    assert axis == [[layers + 1, layers] for layers in range(1, 7)]
    assert config.train.epochs == 5000
    assert config.data.per_class == {"cifar10": 5000, "mnist": 5421}[data]


def test_runs_that_lost_a_class_decide_nothing_but_the_theorem() -> None:
    table = linear(last=0.0)
    of = verdicts(linear_head_depth, Results(table.config, table.trials.assign(status="underfit"), table.metrics))
    assert of.pop("theorem_b1") is Verdict.reproduced
    assert set(of.values()) == {Verdict.undecided}
    for module, some in ((linear_head_depth, table), (nonlinear_depth, nonlinear())):
        for figure in module.draw(Results(some.config, some.trials.assign(status="underfit"), some.metrics)).values():
            plt.close(figure)


def test_a_point_without_a_run_that_fits_leaves_the_depths_undecided() -> None:
    table = linear()
    first = table.trials[[linear_head_depth.LINEAR, linear_head_depth.DECAY]].iloc[0]
    lost = (table.trials[[linear_head_depth.LINEAR, linear_head_depth.DECAY]] == first).all(axis=1)
    trials = table.trials.assign(status=table.trials["status"].mask(lost, "diverged"))
    found = verdicts(linear_head_depth, Results(table.config, trials, table.metrics))
    assert found["nc2_better_with_depth"] is Verdict.undecided
    assert found["nc2_of_balanced_head"] is Verdict.undecided
