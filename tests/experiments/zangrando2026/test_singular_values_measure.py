"""Trained weights against a minimiser that knows nothing of the prediction, and the distances from it."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from experiments.zangrando2026.singular_value_tables import DECAY, LIMIT, results
from safetensors.torch import load_file

from nc_runner import theory
from nc_runner.cli.mistakes import compose
from nc_runner.data import load
from nc_runner.experiments.zangrando2026.singular_values.claims import compared


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
