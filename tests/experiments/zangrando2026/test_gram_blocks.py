"""Gram matrices that turn into blocks: the measures by double loops, each claim on tables made so, and the drawing."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from nc_runner.config.choices import LossName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.gram_blocks.claims import claims
from nc_runner.experiments.zangrando2026.gram_blocks.figures import figures, grams
from nc_runner.experiments.zangrando2026.gram_blocks.measure import (
    mean_abs_class_cosine,
    measure,
    within_block_share,
)
from nc_runner.figures.drawing import CAPTION_LINES, add_caption
from nc_runner.models import MLP

CONFIG = Config(
    data=DataConfig(samples=6, dim=3, classes=2),
    model=ModelConfig(depth=2, width=4, norm=Norm.none, bias=False),
    train=TrainConfig(loss=LossName.mse),
)
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
) -> Results:
    """A ReLU and a linear network of two layers; the values given are those of the last epoch."""
    rows, trials = [], []
    for trial, activation, cosine in (("a", "relu", cosines[0]), ("b", "linear", cosines[1])):
        trials.append([trial, status, 0, activation, epochs[-1]])
        for epoch in epochs:
            last = epoch == 100
            for layer in (1, 2):
                of = {
                    "within_block_share": (early_block if layer == 1 else block) if last else 0.2,
                    "relative_cluster_variation": variation if last else 0.5,
                    "mean_abs_class_cosine": cosine if last else 0.4,
                }
                of |= {f"gram_{i:03d}_{j:03d}": float(10 * i + j) for i in range(6) for j in range(i, 6)}
                rows += [[trial, epoch, layer, metric, value] for metric, value in of.items()]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(CONFIG, pd.DataFrame(trials, columns=["id", "status", "seed", "model.activation", "epochs"]), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


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
    network = MLP(CONFIG.model, 3, 2, [0, 1], device=torch.device("cpu"), loss=LossName.mse)
    network.weight_decay = {name: torch.zeros(2) for name in network.params}
    x, y = torch.randn(6, 3, generator=DRAW), torch.tensor([0, 1, 0, 1, 1, 0])
    of = {(layer, name): value for layer, name, value in measure(network, x, y, CONFIG)}
    order = [0, 2, 5, 1, 3, 4]
    for layer, features in network.features(x):
        for i in range(6):
            for j in range(i, 6):
                product = (features[:, order[i]].double() * features[:, order[j]].double()).sum(-1)
                torch.testing.assert_close(of[layer, f"gram_{i:03d}_{j:03d}"], product)
    assert sum(name.startswith("gram") for _, name in of) == 2 * 6 * 7 // 2


# The claims


def test_all_hold_on_a_table_made_so():
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("blocks_appear", {"block": 0.05}),
        ("blocks_appear", {"early_block": 0.3}),
        ("blocks_appear", {"block": math.nan}),
        ("clusters_tighten", {"variation": 0.1}),
        ("classes_orthogonal_relu", {"cosines": (0.2, 0.02)}),
        ("classes_orthogonal_linear", {"cosines": (0.05, 0.2)}),
    ],
)
def test_each_can_fail_alone(claim, changes):
    of = verdicts(results(**changes))
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize("changes", [{"status": "underfit"}, {"epochs": (100,)}])
def test_nothing_is_decided_of_networks_that_do_not_fit_or_of_one_probe(changes):
    assert set(verdicts(results(**changes)).values()) == {Verdict.undecided}


# The drawing


def test_a_gram_matrix_is_put_together_from_its_entries():
    of = grams(results(), "a")
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
        assert [panel.get_xlabel() for panel in panels] == ["0.2", "0.03", "0.2", "0.0001"]
        assert [panel.get_title() for panel in panels[:2]] == ["epoch 1", "epoch 100"]
        assert [panel.get_ylabel() for panel in panels[::2]] == ["layer 1", "output"]
        for panel in panels:
            np.testing.assert_allclose(panel.images[0].get_array(), gram / (11 * 2.5))
            assert panel.images[0].get_clim() == (least, 1.5)
        assert bar.get_ylabel() == "⟨z$_i$, z$_j$⟩ / mean ‖z‖²"
    for drawing in drawings.values():
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_measures_of_every_layer_are_plotted_against_epochs():
    drawings = figures(results(cosines=(0.07, 0.02)))
    axes = np.array(drawings["over_training"].figure.axes).reshape(2, 3)
    for row, cosine in enumerate((0.07, 0.02)):
        for ax, ends in zip(axes[row], [(0.03, 1e-4), (1e-3, 1e-3), (cosine, cosine)], strict=True):
            start = {0: 0.2, 1: 0.5, 2: 0.4}[list(axes[row]).index(ax)]
            assert [line.get_label() for line in ax.lines] == ["layer 1", "output"]
            for line, end in zip(ax.lines, ends, strict=True):
                assert line.get_xdata().tolist() == [1, 100]
                assert line.get_ydata().tolist() == [start, end]
    for drawing in drawings.values():
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)


def test_nothing_to_draw_is_said():
    drawings = figures(results(status="diverged"))
    assert list(drawings) == NAMES
    for name, drawing in drawings.items():
        said = [ax.texts[0].get_text() for ax in drawing.figure.axes]
        assert len(said) == (6 if name == "over_training" else 1)
        assert all(words.startswith("no finished network") for words in said)
        assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
