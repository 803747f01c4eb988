"""Gram matrices that turn into blocks: the measures by double loops, each claim on tables made so, and the drawing."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
)

from nc_runner.config.choices import DataName, LossName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.gram_blocks import EXPERIMENT
from nc_runner.experiments.zangrando2026.gram_blocks.figures import figures, grams
from nc_runner.experiments.zangrando2026.gram_blocks.measure import (
    mean_abs_class_cosine,
    measure,
    within_block_share,
)
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit
from nc_runner.models import MLP

CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, samples=6, dim=6, classes=2),
    model=ModelConfig(depth=2, width=6, norm=Norm.none, bias=False),
    train=TrainConfig(
        loss=LossName.mse, epochs=100, learning_rate=1.0, weight_decay=2e-2, lr_milestones=[], batch_size=None
    ),
    grid={"model.activation": ["relu", "linear"]},
)
MEASURED = dataclasses.replace(CONFIG, data=DataConfig(samples=6, dim=3, classes=2))
DRAW = torch.Generator().manual_seed(3)
LABELS = torch.tensor([1, 0, 2, 1, 0, 0, 2])
FEATURES = torch.randn(2, 7, 4, generator=DRAW, dtype=torch.float64) + 0.3


def results(
    *,
    status: str = "interpolated",
    block: float = 1e-4,
    early_block: float = 0.03,
    variation: float = 1e-3,
    cosines: tuple[float, float] = (0.05, 0.02),
    epochs: tuple[int, ...] = (1, 100),
    seeds: int = 5,
    gradient: float = 1e-3,
    output_cosine: float = 0.9,
    first_cosine: float = 0.4,
    activations: tuple[str, ...] = ("relu", "linear"),
    config: Config = CONFIG,
) -> Results:
    """ReLU and linear networks of two layers; the values given are those of the last epoch, cosines those of seed 0."""
    rows, trials = [], []
    for activation in activations:
        trials += [[f"{activation[0]}{seed}", status, seed, activation, epochs[-1]] for seed in range(seeds)]
    for trial, _, seed, activation, _ in trials:
        cosine = cosines[0] if activation == "relu" else cosines[1]
        rows.append([trial, epochs[-1], None, "least_relative_gradient", gradient])
        for epoch in epochs:
            last = epoch == epochs[-1]
            for layer in (1, 2):
                end = output_cosine if layer == 2 else cosine if seed == 0 else 0.01
                of = {
                    "within_block_share": (early_block if layer == 1 else block) if last else 0.2,
                    "relative_cluster_variation": variation if last else 0.5,
                    "mean_abs_class_cosine": end if last else first_cosine,
                }
                of |= {f"gram_{i:03d}_{j:03d}": float(10 * i + j) for i in range(6) for j in range(i, 6)}
                rows += [[trial, epoch, layer, metric, value] for metric, value in of.items()]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(config, pd.DataFrame(trials, columns=["id", "status", "seed", "model.activation", "epochs"]), table)


# The measures


def test_within_block_share_by_double_loop():
    for features, share in zip(FEATURES.numpy(), within_block_share(FEATURES, LABELS).tolist(), strict=True):
        gram = features @ features.T
        left = 0.0
        for i in range(7):
            for j in range(7):
                of_i, of_j = (np.flatnonzero(LABELS.numpy() == LABELS[k].item()) for k in (i, j))
                left += (gram[i, j] - np.mean([gram[a, b] for a in of_i for b in of_j])) ** 2
        assert share == pytest.approx(left / (gram**2).sum(), rel=1e-12)


def test_within_block_share_is_what_block_means_leave_of_the_squared_norm():
    gram, members = FEATURES @ FEATURES.mT, torch.nn.functional.one_hot(LABELS).double()
    members = members / members.sum(0)
    blocks = (members.T @ gram @ members)[:, LABELS][:, :, LABELS]
    left = 1 - blocks.square().sum((1, 2)) / gram.square().sum((1, 2))
    torch.testing.assert_close(within_block_share(FEATURES, LABELS), left)


def test_measures_of_collapsed_features():
    means = torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 0.8, 0.6]], dtype=torch.float64)
    features = means[LABELS][None]
    assert within_block_share(features, LABELS).item() == pytest.approx(0, abs=1e-30)
    assert mean_abs_class_cosine(features, LABELS).item() == pytest.approx(0.8 / 3)
    assert mean_abs_class_cosine(-features, LABELS).item() == pytest.approx(0.8 / 3)


def test_mean_abs_class_cosine_by_double_loop():
    for features, value in zip(FEATURES.numpy(), mean_abs_class_cosine(FEATURES, LABELS).tolist(), strict=True):
        means = [features[LABELS.numpy() == k].mean(0) for k in range(3)]
        norms = [np.linalg.norm(mean) for mean in means]
        pairs = [abs(means[a] @ means[b]) / norms[a] / norms[b] for a in range(3) for b in range(3) if a != b]
        assert value == pytest.approx(np.mean(pairs), rel=1e-12)


def test_every_product_is_measured_in_the_order_of_the_classes():
    network = MLP(MEASURED.model, 3, 2, [0, 1], device=torch.device("cpu"), loss=LossName.mse)
    network.weight_decay = {name: torch.zeros(2) for name in network.params}
    x, y = torch.randn(6, 3, generator=DRAW), torch.tensor([0, 1, 0, 1, 1, 0])
    of = {(layer, name): value for layer, name, value in measure(network, x, y, MEASURED)}
    order = [0, 2, 5, 1, 3, 4]
    for layer, features in network.features(x):
        for i in range(6):
            for j in range(i, 6):
                product = (features[:, order[i]].double() * features[:, order[j]].double()).sum(-1)
                torch.testing.assert_close(of[layer, f"gram_{i:03d}_{j:03d}"], product)
    assert sum(name.startswith("gram") for _, name in of) == 2 * 6 * 7 // 2


# The claims


def test_all_hold_on_a_table_made_so():
    assert set(verdicts(EXPERIMENT, results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        ("blocks_appear", {"block": 0.0099}, {"block": 0.0101}),
        ("blocks_appear", {"early_block": 0.199}, {"early_block": 0.201}),
        ("clusters_tighten", {"variation": 0.0499}, {"variation": 0.0501}),
        ("classes_orthogonal_relu", {"cosines": (0.0999, 0.02)}, {"cosines": (0.1001, 0.02)}),
        ("classes_orthogonal_linear", {"cosines": (0.05, 0.0999)}, {"cosines": (0.05, 0.1001)}),
        ("classes_orthogonal_relu", {}, {"cosines": (0.05, 0.02), "first_cosine": 0.03}),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim, within, without):
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {Verdict.reproduced}
    of = verdicts(EXPERIMENT, results(**without))
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("lacks", "changes"),
    [
        ("seeds", {"seeds": 4}),
        ("stationary", {"gradient": 0.0101}),
        ("decay times", {"epochs": (1, 24)}),
        ("interpolation possible", {"config": dataclasses.replace(CONFIG, model=ModelConfig(depth=2, width=5))}),
        ("noisy samples", {"config": dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, sigma=0))}),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks, changes):
    for claim in by_id(EXPERIMENT, results(**changes)).values():
        assert claim.verdict is Verdict.undecided
        assert [need.name for need in claim.lacks] == [lacks]


def test_without_one_activation_what_is_said_of_both_is_undecided():
    of = by_id(EXPERIMENT, results(activations=("relu",)))
    assert [need.name for need in of["blocks_appear"].lacks] == ["grid complete"]
    assert of["classes_orthogonal_relu"].verdict is Verdict.reproduced


@pytest.mark.parametrize("changes", [{"status": "underfit"}, {"epochs": (100,)}])
def test_nothing_is_decided_of_networks_that_do_not_fit_or_of_one_probe(changes):
    assert set(verdicts(EXPERIMENT, results(**changes)).values()) == {Verdict.undecided}


def test_nothing_that_says_nothing_changes_a_verdict():
    assert_nonsense_changes_nothing(EXPERIMENT, results())
    assert_nonsense_changes_nothing(EXPERIMENT, results(block=0.1, variation=0.3, cosines=(0.2, 0.2)), ["underfit"])
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 6


def test_what_appears_is_told_from_what_stays():
    """Values at a third of the limits with a quarter of scatter, against those of the first probe with the same."""
    draw, table = np.random.default_rng(0), results()
    metrics = table.metrics[~table.metrics["metric"].str.startswith("gram")].reset_index(drop=True)
    of = {name: metrics["metric"] == name for name in metrics["metric"].unique()}
    last = (metrics["epoch"] == 100) & ((metrics["layer"] == 1) | ~of["mean_abs_class_cosine"])

    def simulated(ends):
        value = metrics["value"].copy()
        for name, end in ends.items():
            rows = of[name] & last
            value[rows] = end * np.exp(draw.normal(0, 0.25, rows.sum()))
        return verdicts(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))

    names = ("within_block_share", "relative_cluster_variation", "mean_abs_class_cosine")
    held = [simulated(dict(zip(names, (0.003, 0.016, 0.03), strict=True))) for _ in range(200)]
    failed = [simulated(dict(zip(names, (0.2, 0.5, 0.4), strict=True))) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


# The drawing


def test_a_gram_matrix_is_put_together_from_its_entries():
    of = grams(results(), "r0")
    assert sorted(of) == [(1, 1), (1, 100), (2, 1), (2, 100)]
    for gram in of.values():
        assert gram.tolist() == [[10 * min(i, j) + max(i, j) for j in range(6)] for i in range(6)]


NAMES = ["figure_5_relu", "figure_5_linear", "over_training"]


def test_gram_matrices_are_drawn_over_their_mean_squared_norm_with_the_share_below():
    drawings = figures(results())
    assert list(drawings) == NAMES
    gram = np.array([[10 * min(i, j) + max(i, j) for j in range(6)] for i in range(6)])
    for name, least in (("figure_5_relu", 0), ("figure_5_linear", -1.5)):
        *panels, bar = drawings[name].figure.axes
        assert [panel.get_xlabel() for panel in panels] == ["0.20", "0.03", "0.20", "1e-4"]
        assert [panel.get_title() for panel in panels[:2]] == ["epoch\n1", " \n100"]
        assert [panel.get_ylabel() for panel in panels[::2]] == ["1", "out"]
        for panel in panels:
            np.testing.assert_allclose(panel.images[0].get_array(), gram / (11 * 2.5))
            assert panel.images[0].get_clim() == (least, 1.5)
        assert bar.get_ylabel() == "⟨z$_i$, z$_j$⟩ / mean ‖z‖²"
    for drawing in drawings.values():
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_measures_of_every_layer_are_plotted_against_epochs():
    drawings = figures(results(cosines=(0.07, 0.02)))
    axes = np.array(drawings["over_training"].figure.axes).reshape(2, 3)
    for row, cosine in enumerate((0.07, 0.02)):
        for ax, ends in zip(axes[row], [(0.03, 1e-4), (1e-3, 1e-3), (cosine, 0.9)], strict=True):
            start = {0: 0.2, 1: 0.5, 2: 0.4}[list(axes[row]).index(ax)]
            assert [line.get_label() for line in ax.lines] == ["1", "out"]
            for line, end in zip(ax.lines, ends, strict=True):
                assert line.get_xdata().tolist() == [1, 100]
                assert line.get_ydata().tolist() == [start, end]
    for drawing in drawings.values():
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_nothing_to_draw_is_said():
    drawings = figures(results(status="diverged"))
    assert list(drawings) == NAMES
    for name, drawing in drawings.items():
        said = [ax.texts[0].get_text() for ax in drawing.figure.axes]
        assert len(said) == (6 if name == "over_training" else 1)
        assert all(words.startswith("no finished network") for words in said)
        assert fit(drawing.figure, 6.75, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
