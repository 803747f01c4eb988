"""Norms of a residual network's weights against the optimum (Figure 4 of Zangrando et al. 2026), as predicates."""

from __future__ import annotations

import pandas as pd

from nc_runner import theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Results

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's norms against the prediction, relative: three digits
EQUAL = 1e-2  # [choice] of block norms to each other, relative


def claims(results: Results) -> list[Claim]:
    """Equal norms, at the predicted level."""
    table = finals(results)
    return [
        *(
            blocks_equal(results, table[table[ACTIVATION] == activation], activation)
            for activation in ("linear", "relu")
        ),
        linear_agrees(table[table[ACTIVATION] == "linear"]),
    ]


def blocks_equal(results: Results, table: pd.DataFrame, activation: str) -> Claim:
    """Of all blocks of a network, as the caption of Figure 4 has it."""
    blocks = table[table["layer"].between(2, results.config.model.depth - 1)]
    holds, measured = None, "no such network"
    if len(blocks):
        norms = blocks.groupby("id")["weight_norm"]
        spread = norms.max() / norms.min() - 1
        holds = bool((spread <= EQUAL).all())
        error = blocks["error"].max()
        measured = f"largest over least at most 1 + {spread.max():.2g}; from the prediction at most {error:.2g} off"
    return Claim(
        f"{activation}_blocks_equal",
        f"The norms of the blocks converge to equal values, {activation} blocks (Figure 4).",
        f"within {EQUAL:.0%} of each other in every trial [choice]",
        measured,
        Claim.judge(holds),
    )


def linear_agrees(table: pd.DataFrame) -> Claim:
    """Trained linear blocks against the closed form."""
    worst = table.groupby(FIRST)["error"].max()
    return Claim(
        "linear_agrees",
        "Norms of first layer, blocks and head of linear blocks are those of the optimum [derived].",
        f"each to {LINEAR_TOLERANCE:g} relative",
        ", ".join(f"first layer's weight decay {first:g}: {error:.1g}" for first, error in worst.items())
        or "no such network",
        Claim.judge(bool((worst <= LINEAR_TOLERANCE).all()) if len(worst) else None),
    )


def predicted(config: Config, weight_decay_first: float) -> dict[int, float]:
    """The norm of each layer at the optimum."""
    decay, classes, depth = config.train.weight_decay, config.data.classes, config.model.depth
    best = theory.resnet_first_layer_singular_values(decay, classes, depth - 2, weight_decay_first / decay)
    norms = {layer: best.block.item() for layer in range(2, depth)} | {1: best.first.item(), depth: best.head.item()}
    return {layer: value * classes**0.5 for layer, value in norms.items()}


def finals(results: Results) -> pd.DataFrame:
    """One row a finished trial and layer: its norm, the predicted one, the relative error."""
    table = results.final_by_layer("weight_norm")
    table = table[table["status"] != "diverged"].copy()
    table["predicted"] = [
        predicted(results.config, first)[layer] for first, layer in zip(table[FIRST], table["layer"], strict=True)
    ]
    table["error"] = (table["weight_norm"] / table["predicted"] - 1).abs()
    return table
