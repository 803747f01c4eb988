"""Norms of a residual network's weights against the optimum (Figure 4 of Zangrando et al. 2026)."""

from __future__ import annotations

import pandas as pd

from nc_runner import theory
from nc_runner.config.schema import Config
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's norms against the prediction, relative: three digits
EQUAL = 1e-2  # [choice] of block norms to each other, relative
LAYERS = {"model.depth": 6}  # of the figure

NEEDS = (interpolation_possible, needs.finished, needs.grid_complete(FIRST), needs.seeds(3), *converged)


def equal(activation: str) -> Statement:
    """That blocks of one activation end with equal norms."""
    return Statement(
        f"{activation}_blocks_equal",
        f"Norms of the blocks converge to equal values, {activation}",
        "In training a residual network of L = 6 layers the norms of the blocks converge to equal values, "
        f"{activation} blocks.",
        "Figure 4",
        f"within {EQUAL:.0%} of each other at the end, in every network [choice]",
        (needs.at_least("layers of the figure", LAYERS), *NEEDS),
    )


EQUAL_NORMS = {activation: equal(activation) for activation in ("linear", "relu")}
LINEAR_AGREES = Statement(
    "linear_agrees",
    "Linear networks end with the norms of the optimum",
    "Norms of first layer, blocks and head of linear blocks are those of the optimum.",
    "our optimum of the objective, after Figure 4",
    f"each to {LINEAR_TOLERANCE:g} relative",
    NEEDS,
    Kind.derived,
)


def claims(results: Results) -> list[Claim]:
    """Equal norms, at the predicted level."""
    of = fits(results)
    return [
        *(blocks_equal(of.only(of.trials[ACTIVATION] == a), statement) for a, statement in EQUAL_NORMS.items()),
        linear_agrees(of.only(of.trials[ACTIVATION] == "linear")),
    ]


def blocks_equal(results: Results, statement: Statement) -> Claim:
    """Of all blocks of a network, as the caption of Figure 4 has it."""
    table = finals(results)
    blocks = table[table["layer"].between(2, results.config.model.depth - 1)]
    if blocks.empty:
        return statement.judged(results, None, "no such network")
    norms = blocks.groupby("id")["weight_norm"]
    spread = (norms.max() / norms.min() - 1).max()
    error = blocks["error"].max()
    measured = f"largest over least at most 1 + {spread:.2g}; from the prediction at most {error:.2g} off"
    return statement.judged(results, bool(spread <= EQUAL), measured, number=f"1 + {spread:.2g}")


def linear_agrees(results: Results) -> Claim:
    """Trained linear blocks against the closed form."""
    worst = finals(results).groupby(FIRST)["error"].max()
    if worst.empty:
        return LINEAR_AGREES.judged(results, None, "no such network")
    measured = ", ".join(f"first layer's weight decay {first:g}: {error:.1g}" for first, error in worst.items())
    return LINEAR_AGREES.judged(
        results, bool((worst <= LINEAR_TOLERANCE).all()), measured, number=f"{worst.max():.1g} off"
    )


def predicted(config: Config, weight_decay_first: float) -> dict[int, float]:
    """The norm of each layer at the optimum."""
    decay, classes, depth = config.train.weight_decay, config.data.classes, config.model.depth
    best = theory.resnet_first_layer_singular_values(decay, classes, depth - 2, weight_decay_first / decay)
    norms = {layer: best.block.item() for layer in range(2, depth)} | {1: best.first.item(), depth: best.head.item()}
    return {layer: value * classes**0.5 for layer, value in norms.items()}


def finals(results: Results) -> pd.DataFrame:
    """One row a trial and layer: its norm, the predicted one, the relative error."""
    table = results.final_by_layer("weight_norm")
    table = table.reindex(columns=[*table.columns.difference(["weight_norm"], sort=False), "weight_norm"])
    norms = {first: predicted(results.config, first) for first in table[FIRST].unique()}
    table["predicted"] = [norms[first][layer] for first, layer in zip(table[FIRST], table["layer"], strict=True)]
    table["error"] = (table["weight_norm"] / table["predicted"] - 1).abs()
    return table
