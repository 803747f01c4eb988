"""The claims and the figure on the number of linear layers, on tables made so that each claim holds or fails."""

import dataclasses
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import ModelName
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import depth, linear_head_depth, linear_head_depth_resnet
from nc_runner.figures.drawing import CAPTION_LINES, Drawing, add_caption

NC1, NC2 = "within_between_trace_ratio", "class_mean_condition_number"
RESNET = ("experiment=linear_head_depth_resnet",)
# As runs of ResNet20 were saved before they had an experiment of their own.
OLD_RESNET = (
    "experiment=linear_head_depth", "model=resnet20", "data=cifar10", "model.depth=7", "model.linear_layers=6"
)  # fmt: skip


def linear(
    *, last: float = 1.0, inputs: float = 0.05, nc1: float = 1.0, bound: float = 2.0, balanced: float = 1.0,
    words: tuple[str, ...] = ("experiment=linear_head_depth",),
) -> Results:  # fmt: skip
    """1 to 5 linear layers at two weight decays: NC2 of the last layer 20^(1/L2) to the power ``last``."""
    trials, rows = [], []
    config = compose([*words, "scale=cpu", "train.epochs=10000"])
    first = 3 if config.model.name is ModelName.mlp else 1  # non-linear layers of the head
    backbone = config.model.depth - config.model.linear_layers - first
    for layers, decay, seed in itertools.product(range(1, 6), (1e-3, 4e-3), (0, 1)):
        name, depth = f"{layers}-{decay}-{seed}", first + layers
        trials.append([name, "interpolated", seed, backbone + depth, layers, decay, 9, 0.01, 1.0])
        whole = 20.0 * (1 + inputs * layers)
        rows.append([name, 9, None, "linear_head_condition_number", whole**balanced])
        for layer in range(depth + 1):
            nc2 = whole ** (last * (depth - layer) / layers) if layer > first else whole
            rows += [[name, 9, layer, NC1, 0.01 * nc1**layers], [name, 9, layer, NC2, nc2]]
        if layers > 1:
            nc2 = whole ** (last / layers)
            for metric, value in (("trace_ratio", 0.01 * nc1**layers), ("condition_number", nc2)):
                rows += [[name, 9, depth - 1, f"{metric}_{kind}", bound * value] for kind in ("bound", "sharper_bound")]
    varied = ["model.depth", "model.linear_layers", "train.weight_decay"]
    return make_results(config, varied, trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in depth.claims(table)}


def drawn(table: Results) -> Drawing:
    return depth.figures(table)["figure_2"]


@pytest.mark.parametrize("words", [("experiment=linear_head_depth",), RESNET, OLD_RESNET])
def test_all_hold_on_a_table_made_so(words: tuple[str, ...]) -> None:
    assert set(verdicts(linear(words=words)).values()) == {Verdict.reproduced}


def test_both_experiments_have_the_same_claims_and_the_same_figure() -> None:
    mlp, resnet = linear_head_depth.EXPERIMENT, linear_head_depth_resnet.EXPERIMENT
    assert (mlp.claims, mlp.figures, mlp.measure) == (resnet.claims, resnet.figures, resnet.measure)
    assert (mlp.figure, resnet.figure) == ("2", "2, 5")


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
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(linear(**changes))[claim] is Verdict.not_reproduced


@pytest.mark.parametrize("words", [("experiment=linear_head_depth",), RESNET])
def test_nothing_but_the_theorem_is_judged_before_weight_decay_has_had_its_time(words: tuple[str, ...]) -> None:
    table = linear(words=words)
    few = dataclasses.replace(table.config, train=dataclasses.replace(table.config.train, epochs=20))
    of = verdicts(Results(few, table.trials, table.metrics))
    assert {name for name, verdict in of.items() if verdict is not Verdict.undecided} == {"theorem_b1"}


def test_the_last_layer_is_the_one_before_the_output_and_the_input_the_last_nonlinear_one() -> None:
    ends = depth.both_ends(linear()).set_index("id")
    assert ends.loc["1-0.001-0", f"last_{NC2}"] == ends.loc["1-0.001-0", f"input_{NC2}"] == pytest.approx(21)
    assert ends.loc["4-0.001-0", f"last_{NC2}"] == pytest.approx(24**0.25)
    assert ends.loc["4-0.001-0", f"input_{NC2}"] == pytest.approx(24)


@pytest.mark.parametrize("words", [("experiment=linear_head_depth",), RESNET, OLD_RESNET])
def test_the_panels_show_both_ends_of_the_head_and_the_dashes_a_balanced_one(words: tuple[str, ...]) -> None:
    drawing = drawn(linear(nc1=1.1, balanced=1.5, words=words))
    layers = np.arange(1, 6)
    whole = 20 * (1 + 0.05 * layers)
    expected = (0.01 * 1.1**layers, 0.01 * 1.1**layers, whole ** (1 / layers), whole)
    for ax, values in zip(drawing.figure.axes, expected, strict=True):
        solid = [line for line in ax.lines if line.get_linestyle() == "-"]
        assert [line.get_label() for line in solid] == ["weight decay 0.001", "weight decay 0.004"]
        for line in solid:
            np.testing.assert_array_equal(line.get_xdata(), layers)
            np.testing.assert_allclose(line.get_ydata(), values)
    dashed = [[line for line in ax.lines if line.get_linestyle() == "--"] for ax in drawing.figure.axes]
    assert [len(lines) for lines in dashed] == [0, 0, 2, 0]
    for line in dashed[2]:
        np.testing.assert_allclose(line.get_ydata(), whole ** (1.5 / layers))
    (legend,) = drawing.figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["weight decay 0.001", "weight decay 0.004"]
    assert legend.get_texts()[2].get_text().startswith("balanced head")
    assert "mean over 2 seeds, band: one standard deviation; 20 of 20 trials fit" in drawing.caption
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_a_point_is_the_mean_over_the_seeds_that_fit() -> None:
    table = linear()
    metrics = table.metrics.copy()
    rows = (metrics["metric"] == NC2) & (metrics["layer"] == 3) & (metrics["trial"] == "1-0.001-1")
    metrics.loc[rows, "value"] = 41.0  # of the other seed it is 21
    figures = [drawn(Results(table.config, table.trials, metrics)).figure]
    lost = table.trials.assign(status=table.trials["status"].mask(table.trials["id"] == "1-0.001-1", "diverged"))
    figures.append(drawn(Results(table.config, lost, metrics)).figure)
    firsts = [figure.axes[3].lines[0].get_ydata()[0] for figure in figures]
    assert firsts == pytest.approx([31, 21])
    for figure in figures:
        plt.close(figure)


def test_the_notes_name_the_network_and_the_settings() -> None:
    for words, networks in (
        (("experiment=linear_head_depth",), "5 ReLU and 1 to 5 linear layers"),
        (RESNET, "resnet20 of 8 channels, followed by 1 ReLU and 1 to 5 linear layers"),
    ):
        drawing = drawn(linear(words=words))
        assert f"Networks: {networks} of width 64, no biases." in drawing.notes
        assert any("weight decay λ = 0.001 or 0.004" in note for note in drawing.notes)
        plt.close(drawing.figure)


def test_one_run_is_drawn() -> None:
    table = linear()
    first = table.trials["id"][0]
    one = Results(table.config, table.trials[:1], table.metrics[table.metrics["trial"] == first])
    drawing = drawn(one)
    assert [line.get_ydata().tolist() for line in drawing.figure.axes[3].lines] == [[pytest.approx(21)]]
    assert "one seed" in drawing.caption
    add_caption(drawing.figure, drawing.caption)
    plt.close(drawing.figure)


@pytest.mark.parametrize("data", ["cifar10", "mnist"])
def test_the_lower_row_and_figure_5_are_of_the_same_networks(data: str) -> None:
    config = compose([*RESNET, f"data={data}"])
    assert config.model.name is ModelName.resnet20
    assert config.grid["model.depth,model.linear_layers"] == [[layers + 1, layers] for layers in range(1, 7)]
    assert config.train.epochs == 5000
    assert config.data.per_class == {"cifar10": 5000, "mnist": 5421}[data]


def test_runs_that_lost_a_class_decide_nothing_but_the_theorem() -> None:
    table = linear(last=0.0)
    lost = Results(table.config, table.trials.assign(status="underfit"), table.metrics)
    of = verdicts(lost)
    assert of.pop("theorem_b1") is Verdict.reproduced
    assert set(of.values()) == {Verdict.undecided}
    drawing = drawn(lost)
    assert [[text.get_text() for text in ax.texts] for ax in drawing.figure.axes] == [["no run fits"]] * 4
    assert drawing.figure.legends == []
    add_caption(drawing.figure, drawing.caption)
    plt.close(drawing.figure)


def test_a_point_without_a_run_that_fits_leaves_the_depths_undecided() -> None:
    table = linear()
    first = table.trials[[depth.LINEAR, depth.DECAY]].iloc[0]
    lost = (table.trials[[depth.LINEAR, depth.DECAY]] == first).all(axis=1)
    trials = table.trials.assign(status=table.trials["status"].mask(lost, "diverged"))
    found = verdicts(Results(table.config, trials, table.metrics))
    assert found["nc2_better_with_depth"] is Verdict.undecided
    assert found["nc2_of_balanced_head"] is Verdict.undecided
