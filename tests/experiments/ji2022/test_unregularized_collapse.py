"""Each claim on tables made so that it holds, and so that it does not; the terminal phase, slopes and measures."""

import dataclasses
import itertools
import math
from collections import Counter
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from nc_runner import metrics
from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.terminal import by_time, slopes
from nc_runner.experiments.ji2022.unregularized_collapse import EXPERIMENT
from nc_runner.experiments.ji2022.unregularized_collapse import claims as claims_module
from nc_runner.experiments.ji2022.unregularized_collapse.claims import claims, falls_in_terminal_phase
from nc_runner.experiments.ji2022.unregularized_collapse.figures import CURVES, figures
from nc_runner.experiments.ji2022.unregularized_collapse.measure import check, last_features, measure
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit
from nc_runner.models import MLP, ConvolutionalNetwork
from nc_runner.run.undefined import judged
from nc_runner.training.sgd import SGD

METRICS = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]
CELLS = [("resnet18", "mnist"), ("resnet18", "cifar10"), ("vgg13", "cifar10")]
CONFIG = Config(
    data=DataConfig(samples=1000, classes=10),
    train=TrainConfig(epochs=200, batch_size=128, learning_rate=0.07, momentum=0.3, weight_decay=0.0, lr_milestones=[]),
)
WORDS = ("experiment=unregularized_collapse",)


def results(
    *, start: int = 10, end: int = 300, decay: float = 0.0, words: tuple[str, ...] = WORDS, seeds: int = 3,
    scale: float = 1.0, late: float = 1.0, ncc: float = 0.0, **rates: float,
) -> Results:  # fmt: skip
    """Measures that are powers of log epoch in each cell; ``metric=rate`` changes one in the last cell.

    Of self-duality in the last cell: ``scale`` multiplies it, and ``late`` the last five probes.
    """
    trials, rows = [], []
    for (model, data), seed in itertools.product(CELLS, range(seeds)):
        name = f"{model}-{data}-{seed}"
        trials.append([name, "interpolated", seed, model, data, decay])
        epochs = sorted({int(e) for e in np.geomspace(1, end, 40).round()})
        for i, epoch in enumerate(epochs):
            values = {"accuracy": 1.0 if epoch >= start else 0.9, "loss": 1 / epoch, "ncc_error": 0.1 / epoch**2}
            values["mean_classifier_norm"] = 0.3 * epoch ** rates.get("mean_classifier_norm", 0.0)
            for metric in (*METRICS, "norm_variation_weights_predicted"):
                rate = rates.get(metric, -1.0) if (model, data) == CELLS[-1] else -1.0
                values[metric] = (0.2 - 0.01 * seed) * (max(math.log(epoch), 0.1) / 2) ** rate
            if (model, data) == CELLS[-1]:
                values["self_duality_distance"] *= scale * (late if i >= len(epochs) - 5 else 1.0)
                values["ncc_error"] += ncc
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "model.name", "data.name", "train.weight_decay"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    grid = f"grid={{model.name:[resnet18,vgg13],data.name:[mnist,cifar10],train.weight_decay:[{decay}]}}"
    return Results(compose([*words, grid]), pd.DataFrame(trials, columns=columns), table)


def verdicts(of: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(of)}


def test_where_everything_falls_everything_holds_and_slopes_are_told() -> None:
    found = {claim.id: claim for claim in claims(results())}
    assert {claim.verdict for claim in found.values()} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found.values())
    told = found["falls_self_duality"].measured
    assert told.startswith("falls in 3 of 3; on mnist, resnet18: 0.14 to 0.0711, 1.00 of the least, slope -1.000 (")
    assert "of centred classifiers in 3" in found["falls_classifier_norms"].measured


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("rate", [0.2, 0.0, -0.02])
def test_a_curve_that_does_not_fall_in_one_cell_is_not_reproduced_and_no_other_suffers(name: str, rate: float) -> None:
    """One that rises, a plateau and a drift of 1 %."""
    of = verdicts(results(**{STATEMENTS[name][1]: rate}))  # type: ignore[arg-type]
    assert of.pop(f"falls_{name}") is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("fails", "holds"),
    [
        ({"self_duality_distance": -0.15}, {"self_duality_distance": -0.16}),  # 0.903, 0.897 of the first quarter
        ({"scale": 2.82}, {"scale": 2.8}),  # 0.0711 times 2.81 is 0.2
        ({"late": 1.28}, {"late": 1.25}),  # the last probes fall by a tenth
        ({"late": 2.0}, {"late": 0.5}),
    ],
)
def test_a_factor_a_level_and_no_late_rise(fails: dict[str, float], holds: dict[str, float]) -> None:
    of = verdicts(results(**fails))  # type: ignore[arg-type]
    assert of.pop("falls_self_duality") is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}
    assert set(verdicts(results(**holds)).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


@pytest.mark.parametrize(("error", "verdict"), [(0.00101, Verdict.not_reproduced), (0.00099, Verdict.reproduced)])
def test_the_nearest_mean_errs_no_more_than_the_network_may(error: float, verdict: Verdict) -> None:
    of = verdicts(results(ncc=error - 0.1 / 300**2 * 2))
    assert of.pop("falls_ncc") is verdict
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(("rate", "verdict"), [(1.9e-4, Verdict.not_reproduced), (1.6e-4, Verdict.reproduced)])
def test_the_mean_classifier_stays_to_a_thousandth(rate: float, verdict: Verdict) -> None:
    of = verdicts(results(mean_classifier_norm=rate))  # times log 300
    assert of.pop("mean_classifier_stays") is verdict
    assert set(of.values()) == {Verdict.reproduced}


OF_THE_PHASE = {*(f"falls_{name}" for name in STATEMENTS), "falls_ncc"}


def undecided(of: Results) -> set[str]:
    return {name for name, verdict in verdicts(of).items() if verdict is Verdict.undecided}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": 2}, OF_THE_PHASE),
        ({"start": 151}, OF_THE_PHASE),  # of 300
        ({"start": 149}, OF_THE_PHASE),  # five probes
        ({"start": 60}, OF_THE_PHASE),  # 1/sqrt(log t) falls to 0.904
        ({"start": 40}, set()),  # to 0.88
        ({"start": 10_000}, OF_THE_PHASE),
        ({"words": (*WORDS, "model.channels=8")}, OF_THE_PHASE),
        ({"words": (*WORDS, "train.momentum=0.4")}, set()),
        ({"decay": 1e-3}, {*OF_THE_PHASE, "mean_classifier_stays"}),
    ],
)
def test_what_lacks_leaves_undecided_what_needs_it(changes: dict[str, Any], expected: set[str]) -> None:
    assert undecided(results(**changes)) == expected


def test_a_folder_without_nc4_says_so() -> None:
    of = results()
    of = dataclasses.replace(of, metrics=of.metrics[of.metrics["metric"] != "ncc_error"])
    assert undecided(of) == {"falls_ncc"}


@pytest.mark.parametrize(("rate", "wrong"), [(-0.6, Verdict.not_reproduced), (0.0, Verdict.reproduced)])
def test_a_fall_is_told_from_noise(rate: float, wrong: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables; noise of 3 % from probe to probe, as runs have it, and in each trial."""
    without = {name: dataclasses.replace(statement, needs=()) for name, statement in claims_module.FALLS.items()}
    monkeypatch.setattr(claims_module, "FALLS", without)
    of = results()
    random, table, found = np.random.default_rng(2), by_time(of), Counter[Verdict]()
    for _ in range(200):
        values = 0.1 * table["log_epoch"].clip(lower=0.1) ** rate * np.exp(0.03 * random.normal(size=len(table)))
        changed = table.assign(self_duality_distance=values)
        found[falls_in_terminal_phase(of, changed, "self_duality").verdict] += 1
    assert found[wrong] <= 10, found


def test_an_undefined_measure_is_no_collapse() -> None:
    of = results()
    of.metrics.loc[(of.metrics["metric"] == "self_duality_distance") & (of.metrics["epoch"] == 300), "value"] = np.nan
    found = {claim.id: claim.verdict for claim in judged(EXPERIMENT, of)}
    assert found["falls_self_duality"] is Verdict.undecided


def test_the_clock_of_gradient_flow_and_slopes_against_it() -> None:
    table = by_time(dataclasses.replace(results(seeds=2, end=200), config=CONFIG))
    rate = 0.07 / 0.7 * 8  # 8 batches an epoch, the last of them smaller
    np.testing.assert_allclose(np.exp(table["log_t"]), rate * table["epoch"])
    table = table.assign(m=3 * table["log_t"].clip(lower=0.1) ** -0.6)
    np.testing.assert_allclose(slopes(table, "m", "log_t"), [-0.6] * 6)
    np.testing.assert_allclose(slopes(table, "self_duality_distance", "log_epoch"), [-1.0] * 6)


def test_the_clock_counts_smaller_steps_as_less_time() -> None:
    of = results(seeds=2, end=200)
    train = dataclasses.replace(CONFIG.train, lr_milestones=[0.5], lr_gamma=0.1)
    table = by_time(dataclasses.replace(of, config=dataclasses.replace(CONFIG, train=train)))
    time = np.exp(table.set_index("epoch")["log_t"].groupby("epoch").first())
    assert time[200] == pytest.approx(0.8 * (100 + 0.1 * 100))
    # A column is a key on which merged runs differ.
    of.trials["train.batch_size"] = [None, 50.0, 50.0, 50.0, 50.0, 50.0]
    table = by_time(dataclasses.replace(of, config=CONFIG))
    last = np.exp(table[table["epoch"] == 200].set_index("trial")["log_t"])
    assert last["resnet18-mnist-0"] == pytest.approx(0.1 * 200)
    assert last["resnet18-mnist-1"] == pytest.approx(0.1 * 20 * 200)


def test_networks_that_diverge_or_have_not_ended_leave_everything_undecided_and_still_draw() -> None:
    of = results(seeds=2)
    of.trials["status"] = ["diverged"] * 3 + ["unfinished"] * 3
    assert set(verdicts(of).values()) == {Verdict.undecided}
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
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
    if changes:
        said = [text.get_text() for text in drawings["panels_vgg13"].figure.axes[1].texts]
        assert said == ["no probe from epoch 2 on"]


def test_panels_are_the_measures_over_epochs_and_guides_powers_of_log_t() -> None:
    of = results(seeds=2)
    ax = figures(of)["panels_vgg13"].figure.axes[3]
    rows = by_time(of).query("`model.name` == 'vgg13' and epoch >= 2")
    curve, *guides = ax.lines
    epochs = np.array(sorted(rows["epoch"].unique()))
    np.testing.assert_allclose(curve.get_xdata(), np.log(epochs), rtol=1e-9)
    np.testing.assert_allclose(curve.get_ydata(), np.sqrt(0.2 * 0.19) * 2 / np.log(epochs))  # of seeds 0 and 1
    terminal = rows.query("epoch >= 10 and trial == 'vgg13-cifar10-0'")
    for guide, power, factor in zip(guides, (-1, -0.5), (0.6, 1.6), strict=True):
        grown = terminal["log_t"] / terminal["log_t"].iloc[0]
        np.testing.assert_allclose(guide.get_xdata(), terminal["log_epoch"])
        np.testing.assert_allclose(guide.get_ydata(), factor * 0.4 / np.log(10) * grown**power)
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
