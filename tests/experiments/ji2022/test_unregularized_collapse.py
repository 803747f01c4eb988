"""Each claim on tables made so that it holds, and so that it does not; the terminal phase, slopes and measures."""

import dataclasses
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from nc_runner import metrics
from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.terminal import by_time, falls, slopes, together
from nc_runner.experiments.ji2022.unregularized_collapse.claims import claims
from nc_runner.experiments.ji2022.unregularized_collapse.figures import CURVES, figures
from nc_runner.experiments.ji2022.unregularized_collapse.measure import check, last_features, measure
from nc_runner.figures.drawing import CAPTION_LINES, add_caption
from nc_runner.models import MLP, ConvolutionalNetwork
from nc_runner.training.sgd import SGD

METRICS = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]
CELLS = [("resnet18", "mnist"), ("resnet18", "cifar10"), ("vgg13", "cifar10")]
CONFIG = Config(
    data=DataConfig(samples=1000, classes=10),
    train=TrainConfig(epochs=200, batch_size=128, learning_rate=0.07, momentum=0.3, weight_decay=0.0, lr_milestones=[]),
)


def results(*, start: int = 10, end: int = 200, decay: float = 0.0, **rates: float) -> Results:
    """Measures that are powers of log epoch in each cell; ``metric=rate`` changes one in the last cell."""
    trials, rows = [], []
    for model, data in CELLS:
        for seed in (0, 1):
            name = f"{model}-{data}-{seed}"
            trials.append([name, "interpolated", seed, model, data, decay])
            for epoch in sorted({int(e) for e in np.geomspace(1, end, 40).round()}):
                values = {"accuracy": 1.0 if epoch >= start else 0.9, "loss": 1 / epoch}
                values["mean_classifier_norm"] = 0.3 * epoch ** rates.get("mean_classifier_norm", 0.0)
                for metric in (*METRICS, "norm_variation_weights_predicted"):
                    rate = rates.get(metric, -1.0) if (model, data) == CELLS[-1] else -1.0
                    values[metric] = (2 - 0.1 * seed) * max(math.log(epoch), 0.1) ** rate
                rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "model.name", "data.name", "train.weight_decay"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(CONFIG, pd.DataFrame(trials, columns=columns), table)


def verdicts(of: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(of)}


def test_where_everything_falls_everything_holds_and_slopes_are_told() -> None:
    found = {claim.id: claim for claim in claims(results())}
    assert {claim.verdict for claim in found.values()} == {Verdict.reproduced}
    assert "from epoch 10 to 10 on, of 200" in found["terminal_phase"].measured
    told = found["falls_self_duality"].measured
    assert told.startswith("falls in 3 of 3; slope on mnist, resnet18: -1.000 (-0.9")
    assert "of centred classifiers in 3" in found["falls_classifier_norms"].measured


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_curve_that_rises_in_one_cell_is_not_reproduced_and_no_other_suffers(name: str) -> None:
    of = verdicts(results(**{STATEMENTS[name][1]: 0.2}))
    assert of.pop(f"falls_{name}") is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


def test_networks_that_do_not_fit_have_no_terminal_phase() -> None:
    of = verdicts(results(start=10_000))
    assert of["terminal_phase"] is Verdict.not_reproduced
    assert {of[f"falls_{name}"] for name in STATEMENTS} == {Verdict.undecided}


def test_a_terminal_phase_that_begins_late_is_undecided() -> None:
    of = verdicts(results(start=120))
    assert of["terminal_phase"] is Verdict.reproduced
    assert {of[f"falls_{name}"] for name in STATEMENTS} == {Verdict.undecided}


def test_an_undefined_measure_is_no_collapse() -> None:
    of = results()
    of.metrics.loc[(of.metrics["metric"] == "self_duality_distance") & (of.metrics["epoch"] == 200), "value"] = np.nan
    assert verdicts(of)["falls_self_duality"] is Verdict.undecided


def test_a_mean_classifier_that_moves_is_not_reproduced_and_with_weight_decay_nothing_is_said() -> None:
    assert verdicts(results(mean_classifier_norm=-0.01))["mean_classifier_stays"] is Verdict.not_reproduced
    of = verdicts(results(mean_classifier_norm=-0.01, decay=1e-3))
    assert of["mean_classifier_stays"] is Verdict.undecided


def test_a_blip_within_a_quarter_is_no_fall_and_a_fall_at_the_end_alone_is_none_either() -> None:
    epochs = np.arange(10, 50)
    rows = pd.DataFrame({"epoch": epochs, "terminal": True})
    assert falls(rows.assign(m=1.0 / epochs), "m") is True
    assert falls(rows.assign(m=np.where(epochs == 49, -100.0, epochs)), "m") is False  # mean falls, tau does not
    assert falls(rows.assign(m=np.where(epochs == 49, 100.0, 1.0 / epochs)), "m") is False  # tau falls, mean does not
    assert falls(rows.assign(m=1.0 / epochs)[:7], "m") is None


def test_together() -> None:
    assert together([True, True]) is True
    assert together([True, None, False]) is False
    assert together([True, None]) is None
    assert together([]) is None


def test_the_clock_of_gradient_flow_and_slopes_against_it() -> None:
    table = by_time(results())
    rate = 0.07 / 0.7 * 8  # 8 batches an epoch, the last of them smaller
    np.testing.assert_allclose(np.exp(table["log_t"]), rate * table["epoch"])
    table = table.assign(m=3 * table["log_t"].clip(lower=0.1) ** -0.6)
    np.testing.assert_allclose(slopes(table, "m", "log_t"), [-0.6] * 6)
    np.testing.assert_allclose(slopes(table, "self_duality_distance", "log_epoch"), [-1.0] * 6)


def test_the_clock_counts_smaller_steps_as_less_time() -> None:
    of = results()
    train = dataclasses.replace(CONFIG.train, lr_milestones=[0.5], lr_gamma=0.1)
    table = by_time(dataclasses.replace(of, config=dataclasses.replace(CONFIG, train=train)))
    time = np.exp(table.set_index("epoch")["log_t"].groupby("epoch").first())
    assert time[200] == pytest.approx(0.8 * (100 + 0.1 * 100))
    # A column is a key on which merged runs differ.
    of.trials["train.batch_size"] = [None, 50.0, 50.0, 50.0, 50.0, 50.0]
    table = by_time(of)
    last = np.exp(table[table["epoch"] == 200].set_index("trial")["log_t"])
    assert last["resnet18-mnist-0"] == pytest.approx(0.1 * 200)
    assert last["resnet18-mnist-1"] == pytest.approx(0.1 * 20 * 200)


def test_networks_that_diverge_or_have_not_ended_leave_everything_undecided_and_still_draw() -> None:
    of = results()
    of.trials["status"] = ["diverged"] * 3 + ["unfinished"] * 3
    found = verdicts(of)
    assert found.pop("terminal_phase") is Verdict.not_reproduced
    assert set(found.values()) == {Verdict.undecided}
    (drawing,) = figures(of).values()
    assert all(ax.texts[0].get_text().startswith("no slope") for ax in drawing.figure.axes)
    of.trials["status"] = "unfinished"
    assert set(verdicts(of).values()) == {Verdict.undecided}
    plt.close("all")


@pytest.mark.parametrize("changes", [{}, {"start": 10_000, "end": 1}])
def test_whatever_was_measured_is_drawn_over_a_short_caption(changes: dict[str, int]) -> None:
    drawings = figures(results(**changes))
    assert set(drawings) == {"panels_resnet18", "panels_vgg13", "slopes"}
    assert len(drawings["panels_resnet18"].figure.axes) == 8
    for drawing in drawings.values():
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
    if changes:
        said = [text.get_text() for text in drawings["panels_vgg13"].figure.axes[1].texts]
        assert said == ["no probe from epoch 2 on"]


def test_panels_are_the_measures_over_epochs_and_guides_powers_of_log_t() -> None:
    of = results()
    ax = figures(of)["panels_vgg13"].figure.axes[3]
    rows = by_time(of).query("`model.name` == 'vgg13' and epoch >= 2")
    curve, *guides = ax.lines
    epochs = np.array(sorted(rows["epoch"].unique()))
    np.testing.assert_allclose(curve.get_xdata(), np.log(epochs), rtol=1e-9)
    np.testing.assert_allclose(curve.get_ydata(), np.sqrt(2 * 1.9) / np.log(epochs))  # of seeds 0 and 1
    terminal = rows.query("epoch >= 10 and trial == 'vgg13-cifar10-0'")
    for guide, power, factor in zip(guides, (-1, -0.5), (0.6, 1.6), strict=True):
        grown = terminal["log_t"] / terminal["log_t"].iloc[0]
        np.testing.assert_allclose(guide.get_xdata(), terminal["log_epoch"])
        np.testing.assert_allclose(guide.get_ydata(), factor * 2 / np.log(10) * grown**power)
    plt.close("all")


def test_markers_are_the_mean_slopes_of_each_cell_against_either_clock() -> None:
    of = results(self_duality_distance=-0.3)
    table = by_time(of)
    for ax, clock in zip(figures(of)["slopes"].figure.axes, ("log_epoch", "log_t"), strict=True):
        drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() != "None"]
        expected = [
            np.mean(slopes(table[(table["model.name"] == model) & (table["data.name"] == data)], metric, clock))
            for metric in (STATEMENTS[curve][1] for curve in CURVES)
            for model, data in CELLS
        ]
        np.testing.assert_allclose(drawn, expected)
        assert drawn[-1] > -0.5 > drawn[-2]  # the last cell's self-duality falls more slowly
    plt.close("all")


def network(depth: int, name: ModelName = ModelName.mlp, **train: object) -> SGD:
    config = Config(
        data=DataConfig(name=DataName.digits, samples=40, classes=4),
        model=ModelConfig(name=name, depth=depth, width=9, channels=2, norm=Norm.affine),
        train=TrainConfig(epochs=20, batch_size=8, learning_rate=0.1, **train),  # type: ignore[arg-type]
        seeds=2,
    )
    x, y = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 4
    return SGD(make_trials(config), x, y, device=torch.device("cpu"))


@pytest.mark.parametrize(("name", "depth"), [("mlp", 1), ("mlp", 3), ("vgg13", 1), ("resnet18", 2)])
def test_what_is_measured_is_of_the_inputs_of_the_output_layer(name: str, depth: int) -> None:
    training = network(depth, ModelName[name])
    features, logits = last_features(training.network, training.x)
    assert isinstance(training.network, MLP | ConvolutionalNetwork)
    weight, bias = training.network.output_layer()
    assert bias is not None
    torch.testing.assert_close(features @ weight.mT + bias[:, None], logits)
    of = {name: value for _, name, value in measure(training.network, training.x, training.y, training.config)}
    assert set(METRICS) < set(of)
    within = metrics.within_between_trace_ratio(features, training.y)
    torch.testing.assert_close(of["within_between_trace_ratio"], within)
    expected = torch.stack([cross_entropy(z.double(), training.y) for z in logits])
    torch.testing.assert_close(of["loss"], expected)


@pytest.mark.parametrize(("decay", "moves"), [(0.0, False), (1e-2, True)])
def test_sgd_with_momentum_leaves_the_mean_classifier_where_it_was(decay: float, moves: bool) -> None:
    training = network(3, momentum=0.9, weight_decay=decay)
    assert isinstance(training.network, MLP)
    before = training.network.output_layer()[0].mean(-2).clone()
    while not training.finished:
        training.advance()
    after = training.network.output_layer()[0].mean(-2)
    assert torch.allclose(before, after, atol=1e-5) is not moves


def test_what_has_no_features_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.name=ulpm"):
        check(dataclasses.replace(CONFIG, model=ModelConfig(name=ModelName.ulpm)))
