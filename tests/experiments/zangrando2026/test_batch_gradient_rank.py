"""Ranks of gradients on batches: the measure by loops over samples, each claim on tables made so, what is plotted."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from nc_runner.config.choices import LossName, Means, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.data.mixture import gaussian_mixture
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.batch_gradient_rank.claims import TOLERANCE, claims, ranks
from nc_runner.experiments.zangrando2026.batch_gradient_rank.figures import figures
from nc_runner.experiments.zangrando2026.batch_gradient_rank.measure import DRAWS, SIZES, batches, measure
from nc_runner.figures.drawing import CAPTION_LINES, add_caption
from nc_runner.models import MLP

CONFIG = Config(
    data=DataConfig(samples=40, dim=12, classes=4),
    model=ModelConfig(depth=3, width=16, norm=Norm.none, bias=False),
    train=TrainConfig(loss=LossName.mse),
)
SIDES = {1: 12, 2: 16, 3: 4}


def results(
    change=lambda rank, **_: rank, *, status: str = "interpolated", grid=((0.0, 1), (0.5, 1), (0.0, 9), (0.5, 9))
):
    """Networks whose ranks are as large as they can be, but for ``change``."""
    trials, rows = [], []
    for number, (sigma, epochs) in enumerate(grid):
        trials.append([str(number), status, 0, sigma, epochs])
        for size in (1, 3, 8, 40):
            distinct = size if sigma else min(size, 4)
            rows.append([str(number), epochs, None, f"distinct_{size:03d}_0", float(distinct)])
            for layer, sides in SIDES.items():
                rank = change(min(size, distinct, sides), sigma=sigma, epochs=epochs, size=size, layer=layer)
                rows.append([str(number), epochs, layer, f"rank_{size:03d}_0", float(rank)])
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(CONFIG, pd.DataFrame(trials, columns=["id", "status", "seed", "data.sigma", "train.epochs"]), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


# The measure


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_ranks_of_gradients_summed_over_samples(sigma):
    """Against autograd, sample by sample, and numpy's ranks."""
    x, y = gaussian_mixture(40, 12, 4, sigma=sigma, means=Means.orthonormal, seed=1)
    x, cpu = x.double(), torch.device("cpu")
    network = MLP(CONFIG.model, 12, 4, [0, 1], device=cpu, dtype=torch.float64, loss=LossName.mse)
    network.weight_decay = {name: torch.zeros(2) for name in network.params}
    of = {(layer, name): value for layer, name, value in measure(network, x, y, CONFIG)}
    for draw, batch in batches(40):
        name = f"{len(batch):03d}_{draw}"
        distinct = {(tuple(x[i].tolist()), int(y[i])) for i in batch.tolist()}
        assert of[None, f"distinct_{name}"].item() == len(distinct)
        for trial in range(2):
            weights = [network.params[f"{layer}.weight"][trial].clone().requires_grad_() for layer in (1, 2, 3)]
            for i in batch.tolist():
                out = weights[2] @ (weights[1] @ (weights[0] @ x[i]).relu()).relu()
                ((out - torch.eye(4, dtype=torch.float64)[y[i]]).square().sum() / 2 / len(batch)).backward()
            for layer, weight in enumerate(weights, 1):
                gradient = weight.grad.numpy()
                expected = np.linalg.matrix_rank(gradient, tol=TOLERANCE * np.linalg.norm(gradient, 2))
                assert of[layer, f"rank_{name}"][trial].item() == expected
                assert expected <= len(distinct)


def test_batches_grow_within_a_draw_and_end_with_all_samples():
    of: dict[int, list[list[int]]] = {}
    for draw, batch in batches(60):
        of.setdefault(draw, []).append(batch.tolist())
    assert list(of) == list(range(DRAWS))
    assert len({tuple(grown[-1]) for grown in of.values()}) == DRAWS
    for grown in of.values():
        assert [len(batch) for batch in grown] == [size for size in SIZES if size < 60] + [60]
        assert sorted(grown[-1]) == list(range(60))
        assert all(grown[-1][: len(batch)] == batch for batch in grown)
    assert [batch.tolist() for _, batch in batches(60)] == [batch for grown in of.values() for batch in grown]


# The claims


def test_all_hold_on_a_table_made_so():
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


def test_one_rank_above_the_batch_refutes_the_first_part():
    table = results(lambda rank, size, layer, sigma, epochs: rank + (size == 8 and layer == 2 and sigma == 0.5))
    assert verdicts(table)["rank_at_most_batch"] is Verdict.not_reproduced
    assert verdicts(table)["rank_at_most_distinct"] is Verdict.reproduced


def test_one_rank_above_the_number_of_different_samples_refutes_the_second():
    table = results(lambda rank, size, layer, sigma, epochs: rank + (size == 8 and layer == 1 and sigma == 0))
    assert verdicts(table)["rank_at_most_batch"] is Verdict.reproduced
    assert verdicts(table)["rank_at_most_distinct"] is Verdict.not_reproduced


def test_low_ranks_refute_sharpness_before_training_alone():
    assert verdicts(results(lambda rank, epochs, **_: 1 if epochs == 1 else rank))["bound_attained_untrained"] is (
        Verdict.not_reproduced
    )
    assert verdicts(results(lambda rank, epochs, **_: 1 if epochs == 9 else rank))["bound_attained_untrained"] is (
        Verdict.reproduced
    )


def test_what_was_not_measured_is_undecided():
    assert set(verdicts(results(status="diverged")).values()) == {Verdict.undecided}
    of = verdicts(results(grid=((0.5, 9),)))
    assert of["rank_at_most_batch"] is Verdict.reproduced
    assert of["rank_at_most_distinct"] is of["bound_attained_untrained"] is Verdict.undecided


def test_the_most_a_rank_can_be():
    table = ranks(results()).set_index(["data.sigma", "layer", "size"])["most"]
    assert [table[0.5, layer, 40].iloc[0] for layer in (1, 2, 3)] == [12, 16, 4]
    assert [table[0.0, layer, 40].iloc[0] for layer in (1, 2, 3)] == [4, 4, 4]
    assert [table[0.5, 2, size].iloc[0] for size in (1, 3, 8)] == [1, 3, 8]


# The drawing


def test_ranks_and_bounds_are_plotted_against_the_batch_size():
    drawing = figures(results(lambda rank, epochs, **_: rank if epochs == 1 else 1))["rank_against_batch"]
    axes = np.array(drawing.figure.axes).reshape(2, 3)
    for row, sigma in enumerate((0.0, 0.5)):
        for column, sides in enumerate(SIDES.values()):
            bound, before, after = axes[row, column].lines
            most = [min(size, sides, size if sigma else 4) for size in (1, 3, 8, 40)]
            for line, expected in ((bound, most), (before, most), (after, [1, 1, 1, 1])):
                assert line.get_xdata().tolist() == [1, 3, 8, 40]
                assert line.get_ydata().tolist() == expected
            assert [line.get_label() for line in (bound, before, after)] == [
                "upper bound", "before training", "after training",
            ]  # fmt: skip
    assert axes[0, 2].get_title() == "layer 3 (output)"
    assert "1 of each size; one seed" in drawing.caption
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_to_draw_is_said_in_every_panel():
    drawing = figures(results(status="diverged"))["rank_against_batch"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no finished network"] * 6
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
