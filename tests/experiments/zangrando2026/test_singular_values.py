"""Spectra against two predictions: claims from both sides, what lacks on a short run, weights against a minimiser."""

import dataclasses
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

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
from safetensors.torch import load_file
from tables import make_results

from nc_runner import theory
from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import DataName
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.data import load
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.singular_values import EXPERIMENT
from nc_runner.experiments.zangrando2026.singular_values.claims import DELTAS, compared
from nc_runner.experiments.zangrando2026.singular_values.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

DECAY = 2e-2
SIZES = {1: 3, 2: 4, 3: 3}  # singular values of each layer
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, samples=3, dim=3, sigma=0),
    model=ModelConfig(depth=3, width=4),
    train=TrainConfig(epochs=3000, learning_rate=1.0, weight_decay=DECAY, lr_milestones=[], batch_size=None),
    grid={"model.activation": ["linear", "relu"], "train.weight_decay_first": [DECAY * d for d in (*DELTAS, 0)]},
)
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided
LIMIT = {10.0: 0.08, 2.0: 0.05, 1.0: 0.03, 0.1: 0.015, 0.01: 0.01}


def results(
    *,
    linear: float = 1.0,
    linear_at_1: float = 1.0,
    relu: float = 1.0,
    excess: float = 0.0,
    tail: float = 0.0,
    limit: dict[float, float] | None = None,
    status: str = "interpolated",
    seeds: int = 3,
    gradient: float = 1e-3,
    epochs: int = 3000,
    deltas: tuple[float, ...] = (*DELTAS, 0.0),
    activations: tuple[str, ...] = ("linear", "relu"),
    config: Config = CONFIG,
) -> Results:
    """Networks at ``linear`` and ``relu`` times the optimum, ReLU ones of seed 0 above it by ``excess``.

    The norm c of their features is such that layers 2 and 3 are ``limit`` off the constrained prediction c^(-1/2).
    """
    trials, rows = [], []
    for activation, delta, seed in itertools.product(activations, deltas, range(seeds)):
        name = f"{activation}-{delta}-{seed}"
        trials.append([name, status, seed, activation, DECAY * delta, epochs, 0.1, 1.0])
        best = theory.first_layer_delta_singular_values(DECAY, 3, 2, delta or 1.0)
        factor = linear * (linear_at_1 if delta == 1 else 1.0) if activation == "linear" else relu
        over = excess if activation == "relu" and seed == 0 else 0.0
        off = (limit or LIMIT).get(delta, 0.5)
        level = factor * best.hidden.item()
        metrics = {
            "objective": best.objective.item() * (1 + over) if delta else -1.0,
            "largest_feature_norm": ((1 - off) / level) ** 2,
            "least_relative_gradient": gradient if delta else 9.0,
        }
        rows += [[name, epochs, None, metric, value] for metric, value in metrics.items()]
        for layer, size in SIZES.items():
            value = factor * best.first.item() if layer == 1 else level
            for j, s in enumerate([value] * 3 + [0.0] * (size - 3), 1):
                rows.append([name, epochs, layer, f"singular_value_{j}", s])
            at_end = tail if activation == "relu" and layer == 1 and seed == 1 else 0.0
            rows.append([name, epochs, layer, "relative_rank_distance", at_end if delta else 0.9])
    return make_results(config, ["model.activation", "train.weight_decay_first"], trials, rows)


def with_limit(**changes: float) -> dict[float, float]:
    return LIMIT | {float(name.removeprefix("at_").replace("_", ".")): value for name, value in changes.items()}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(EXPERIMENT, results(linear=1.0001)).values()) == {REPRODUCED}


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        ("linear_agrees", {"linear": 1.00099}, {"linear": 1.00101}),
        ("linear_agrees", {"linear": 0.99901}, {"linear": 0.99899}),
        ("linear_agrees", {"linear_at_1": 1.00099}, {"linear_at_1": 1.00101}),
        ("relu_reaches_optimum", {"excess": 0.99e-3}, {"excess": 1.01e-3}),
        ("relu_reaches_optimum", {"excess": -0.99e-3}, {"excess": -1.01e-3}),
        ("relu_rank", {"tail": 0.99e-6}, {"tail": 1.01e-6}),
        ("approaches_as_delta_falls", {}, {"limit": dict.fromkeys(DELTAS, 0.01)}),
        ("approaches_as_delta_falls", {}, {"limit": with_limit(at_1=0.06)}),
        (
            "approaches_as_delta_falls",
            {"limit": with_limit(at_0_01=0.0199, at_0_1=0.025)},
            {"limit": with_limit(at_0_01=0.0201, at_0_1=0.025)},
        ),
        (
            "approaches_as_delta_falls",
            {"limit": with_limit(at_10=0.0299, at_2=0.029, at_1=0.028, at_0_01=0.0149)},
            {"limit": with_limit(at_10=0.0297, at_2=0.029, at_1=0.028, at_0_01=0.0149)},
        ),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim: str, within: dict, without: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {REPRODUCED}
    found = verdicts(EXPERIMENT, results(**without))
    assert found.pop(claim) is REFUSED
    assert set(found.values()) == {REPRODUCED}


@pytest.mark.parametrize(
    ("lacks", "changes"),
    [
        ("seeds", {"seeds": 2}),
        ("stationary", {"gradient": 0.0101}),
        ("decay times", {"epochs": 2499}),  # of the first layer's own decay at delta = 0.01
        ("deltas of the figure", {"deltas": (10.0, 2.0, 1.0, 0.1, 0.0)}),
        ("deltas of the figure", {"deltas": (10.0, 2.0, 0.1, 0.01, 0.0)}),
        ("interpolation possible", {"config": dataclasses.replace(CONFIG, model=ModelConfig(depth=3, width=2))}),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks: str, changes: dict) -> None:
    for claim in by_id(EXPERIMENT, results(**changes)).values():
        assert claim.verdict is UNDECIDED
        assert [need.name for need in claim.lacks] == [lacks]


@pytest.mark.parametrize("changes", [{"gradient": 0.01}, {"epochs": 2500}])
def test_with_just_enough_they_are(changes: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**changes)).values()) == {REPRODUCED}


def test_of_one_activation_the_limit_is_undecided() -> None:
    found = by_id(EXPERIMENT, results(activations=("linear",)))
    assert [need.name for need in found["approaches_as_delta_falls"].lacks] == ["grid complete"]
    assert found["linear_agrees"].verdict is REPRODUCED


def test_three_hundred_epochs_of_one_seed_decide_nothing() -> None:
    """The command nc-run experiment=singular_values train.epochs=300 seeds=1, on the best tables it could give."""
    config = compose(["experiment=singular_values", "train.epochs=300", "seeds=1"])
    decay, trials, rows = config.train.weight_decay, [], []
    for activation, first in itertools.product(*config.grid.values()):
        name = f"{activation}-{first}"
        trials.append([name, "interpolated", 0, activation, first, 300, 0.1, 1.0])
        best = theory.first_layer_delta_singular_values(decay, 10, 3, first / decay or 1.0)
        values = {"objective": best.objective.item(), "largest_feature_norm": 1.0, "least_relative_gradient": 0.0}
        rows += [[name, 300, None, metric, value] for metric, value in values.items()]
        for layer in range(1, 5):
            rows.append([name, 300, layer, "relative_rank_distance", 0.0])
            s = (best.first if layer == 1 else best.hidden).item()
            rows += [[name, 300, layer, f"singular_value_{j}", s] for j in range(1, 11)]
    table = make_results(config, ["model.activation", "train.weight_decay_first"], trials, rows)
    found = by_id(EXPERIMENT, table)
    assert len(found) == 4
    for claim in found.values():
        assert claim.verdict is UNDECIDED
        assert [need.name for need in claim.lacks] == ["seeds", "decay times"]


def test_nothing_that_says_nothing_changes_a_verdict() -> None:
    assert_nonsense_changes_nothing(EXPERIMENT, results())
    assert_nonsense_changes_nothing(EXPERIMENT, results(linear=1.1, excess=0.1, tail=0.1), ["underfit"])
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 6


def test_spectra_and_the_limit_are_told_from_noise() -> None:
    """A tenth of each tolerance of scatter, against ten times; features' norms that approach, against one for all."""
    draw, table = np.random.default_rng(0), results()
    metrics, names = table.metrics, table.metrics["metric"]
    of_trial = table.trials.set_index("id")
    deltas = (of_trial["train.weight_decay_first"] / DECAY).map(lambda delta: min(DELTAS, key=lambda d: abs(d - delta)))
    norms, flat = names == "largest_feature_norm", ((1 - 0.015) / (1 - deltas.map(LIMIT))) ** 2

    def simulated(scatter: float, times: pd.Series) -> dict[str, Verdict]:
        value = metrics["value"].copy()
        for rows in (names == "singular_value_1", names == "objective"):
            value[rows] *= 1 + scatter * 1e-3 * draw.normal(0, 1, rows.sum())
        rows = names == "relative_rank_distance"
        value[rows] = scatter * 1e-6 * draw.random(rows.sum())
        noise = pd.Series(1 + 1e-3 * draw.normal(0, 1, len(of_trial)), of_trial.index)
        value[norms] *= metrics["trial"][norms].map(times * noise)
        return verdicts(EXPERIMENT, dataclasses.replace(table, metrics=metrics.assign(value=value)))

    held = [simulated(0.1, 1 + 0 * flat) for _ in range(200)]
    failed = [simulated(10.0, flat) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


# The measure


def objective(weights: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, decays: list[float]) -> torch.Tensor:
    """Written out: no code of the package."""
    h = x
    for weight in weights[:-1]:
        h = (h @ weight.T).relu()
    loss = (h @ weights[-1].T - torch.eye(len(y), dtype=x.dtype)[y]).square().sum() / (2 * len(y))
    return loss + sum(decay / 2 * weight.square().sum() for decay, weight in zip(decays, weights, strict=True))


def minimise(weights: list[torch.Tensor], value: Callable[[], torch.Tensor]) -> None:
    """By L-BFGS, in place."""
    search = torch.optim.LBFGS(
        weights, max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        search.zero_grad()
        of = value()
        of.backward()
        return of

    search.step(closure)


def test_spectra_of_relu_networks_are_those_of_an_independent_minimisation(cli, tmp_path: Path) -> None:
    """From the saved weights alone: they are where L-BFGS ends from there, and where the prediction is."""
    folder = tmp_path / "run"
    words = ["data.classes=3", "data.samples=3", "data.dim=3", "model.width=8", "model.depth=3", "train.epochs=20000"]
    grid = "grid={model.activation:[relu],train.weight_decay_first:[2e-2,1e-2]}"
    done = cli(
        "experiment=singular_values",
        "train.weight_decay=2e-2",
        *words,
        grid,
        "seeds=1",
        "jobs=1",
        f"hydra.run.dir={folder}",
    )
    assert done.returncode == 0, done.stderr
    config = compose(["experiment=singular_values", *words])
    x, y = load(config.data)
    x = x.double()
    trials = (folder / "trials.csv").read_text().splitlines()
    header, *table = [line.split(",") for line in trials]
    assert len(table) == 2
    for row in table:
        trial = dict(zip(header, row, strict=True))
        saved = load_file(folder / "weights" / f"{trial['id']}.safetensors")
        trained = [saved[f"{layer}.weight"].double() for layer in (1, 2, 3)]
        decays = [float(trial["train.weight_decay_first"]), 2e-2, 2e-2]
        weights = [weight.clone().requires_grad_() for weight in trained]
        minimise(weights, lambda weights=weights, decays=decays: objective(weights, x, y, decays))
        assert objective(weights, x, y, decays) >= (1 - 1e-5) * objective(trained, x, y, decays)
        best = theory.first_layer_delta_singular_values(2e-2, 3, 2, decays[0] / 2e-2)
        for layer, (found, minimised) in enumerate(zip(trained, weights, strict=True), 1):
            spectrum = torch.linalg.svdvals(found)
            torch.testing.assert_close(spectrum, torch.linalg.svdvals(minimised.detach()), rtol=0, atol=1e-3)
            level = (best.first if layer == 1 else best.hidden).item()
            np.testing.assert_allclose(spectrum[:3], level, rtol=3e-3)
    claims = {claim["id"]: claim for claim in json.loads((folder / "claims.json").read_text())}
    assert {need["name"]: need["met"] for need in claims["relu_rank"]["needs"]}["stationary"]


def test_distances_and_error_are_relative_and_those_from_the_optimum_undefined_for_delta_0() -> None:
    table = compared(results(linear=1.01)).set_index("id")
    assert table.loc["linear-1.0-0", "distance"] == pytest.approx(0.01)
    assert table.loc["linear-1.0-0", "largest_error"] == pytest.approx(0.01)
    assert table.loc["linear-1.0-0", "constrained_distance"] == pytest.approx(0.03)
    assert math.isnan(table.loc["linear-0.0-0", "distance"])
    assert table.loc["linear-0.0-0", "constrained_distance"] == pytest.approx(0.5)


def test_what_is_beyond_the_k_th_counts_for_both_distances() -> None:
    table = results()
    rows = (table.metrics["metric"] == "singular_value_4") & (table.metrics["trial"] == "relu-1.0-0")
    table.metrics.loc[rows, "value"] = 0.2
    found = compared(table).set_index("id")
    best = theory.first_layer_delta_singular_values(DECAY, 3, 2, 1.0)
    s, q = best.hidden.item(), best.first.item()
    assert found.loc["relu-1.0-0", "distance"] == pytest.approx(0.2 / math.sqrt(3 * (q**2 + 2 * s**2)))
    level = s / (1 - LIMIT[1.0])
    expected = math.hypot(0.2, math.sqrt(6) * (level - s)) / (math.sqrt(6) * level)
    assert found.loc["relu-1.0-0", "constrained_distance"] == pytest.approx(expected)


# The drawing


def test_singular_values_and_the_predictions_are_plotted() -> None:
    drawing = figures(results(linear=1.01, relu=1.02, seeds=1))["figure_2"]
    axes = np.array(drawing.figure.axes).reshape(2, 6)
    assert [ax.get_title() for ax in axes[0]] == [f"δ = {delta:g}" for delta in (*DELTAS, 0)]
    assert [of_row[0].get_ylabel() for of_row in axes] == ["linear\nsingular value", "relu\nsingular value"]
    for column, delta in enumerate(DELTAS):
        best = theory.first_layer_delta_singular_values(DECAY, 3, 2, delta)
        for row, factor in enumerate((1.01, 1.02)):
            first, second, third, *circles = axes[row, column].lines
            assert second.get_xdata().tolist() == [1, 2, 3, 4]
            np.testing.assert_allclose(first.get_ydata(), [factor * best.first.item()] * 3 + [np.nan])
            np.testing.assert_allclose(second.get_ydata(), [factor * best.hidden.item()] * 3 + [0])
            np.testing.assert_allclose(third.get_ydata(), [factor * best.hidden.item()] * 3 + [np.nan])
            assert len(circles) == 2
            for circle, level in zip(circles, (best.first, best.hidden), strict=True):
                assert circle.get_xdata().tolist() == [1, 2, 3]
                np.testing.assert_allclose(circle.get_ydata(), level.item())
    assert [len(of_row[5].lines) for of_row in axes] == [3, 3]  # no prediction for delta = 0
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_distances_and_objectives_are_plotted_against_delta() -> None:
    drawing = figures(results(linear=1.02, relu=1.03, excess=3e-4, seeds=1))["distance"]
    limit, distance, excess = drawing.figure.axes
    for ax, linear, relu in (
        (limit, list(LIMIT.values()), list(LIMIT.values())),
        (distance, [0.02] * 5, [0.03] * 5),
        (excess, [1e-16] * 5, [3e-4] * 5),
    ):
        for line, name, values in zip(ax.lines, ("linear networks", "relu networks"), (linear, relu), strict=True):
            assert line.get_label() == name
            np.testing.assert_allclose(line.get_xdata(), DELTAS)
            np.testing.assert_allclose(line.get_ydata(), values, rtol=1e-9)
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_a_folder_without_the_features_norm_is_drawn_and_leaves_the_limit_undecided() -> None:
    table = results(seeds=3, linear=1.0001)
    old = dataclasses.replace(table, metrics=table.metrics[table.metrics["metric"] != "largest_feature_norm"])
    found = by_id(EXPERIMENT, old)
    assert found["approaches_as_delta_falls"].verdict is UNDECIDED
    assert found["linear_agrees"].verdict is REPRODUCED
    drawings = figures(old)
    assert [[text.get_text() for text in ax.texts] for ax in drawings["distance"].figure.axes] == [
        ["not measured"],
        [],
        [],
    ]
    for drawing in drawings.values():
        plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawings = figures(table)
    assert [ax.texts[0].get_text() for ax in drawings["figure_2"].figure.axes] == ["no finished network"] * 12
    said = [ax.texts[0].get_text() for ax in drawings["distance"].figure.axes]
    assert said == ["no finished network with δ > 0"] * 3
    for drawing in drawings.values():
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
