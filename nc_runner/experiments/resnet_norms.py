"""Zangrando et al. 2026, Figure 4: the blocks of a residual network end with equal norms."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner import theory
from nc_runner.choices import ModelName
from nc_runner.config import Config
from nc_runner.errors import UserError
from nc_runner.experiments import deep_measures
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.figures.series import caption
from nc_runner.models import ResidualMLP

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's norms against the prediction, relative: three digits
EQUAL = 1e-2  # of block norms to each other, relative [choice]


def measure(network: ResidualMLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The norm of every weight, and the objective."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep_measures.fit(network, logits, y, config)
    yield from deep_measures.layers(network, x, y, config, bound=False)


def check(config: Config) -> None:
    """Blocks there have to be, a first layer with weight decay, and orthonormal inputs."""
    deep_measures.check_orthonormal_inputs(config)
    if config.model.name is not ModelName.residual_mlp:
        raise UserError(f"model.name={config.model.name.name}: has no blocks; allowed is residual_mlp.")
    if config.model.depth < 3:
        raise UserError(f"model.depth={config.model.depth}: allowed is at least 3, for one block.")
    if not config.train.weight_decay_first:
        raise UserError(
            f"train.weight_decay_first={config.train.weight_decay_first}: without it on the first layer there "
            "is no optimum to compare with; allowed is more than 0."
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


def draw(results: Results) -> dict[str, Figure]:
    """Norms over training, a column a delta, linear over ReLU blocks; the optimum dashed."""
    table, config = results.by_layer("weight_norm"), results.config
    table = table[table["status"] != "diverged"]
    activations = [a for a in ("linear", "relu", "leaky_relu") if a in set(table[ACTIVATION])]
    firsts = sorted(table[FIRST].unique(), reverse=True)
    figure, axes = plt.subplots(
        len(activations), len(firsts), figsize=(3.0 * len(firsts) + 0.6, 2.4 * len(activations)), sharex=True,
        sharey="col", squeeze=False,
    )  # fmt: skip
    depth = config.model.depth
    blocks = mpl.colormaps["viridis"](np.linspace(0.1, 0.85, depth - 2))
    names = {1: ("first layer", "#D55E00"), depth: ("head", "#CC79A7")}
    names |= {layer: (f"block {layer - 1}", blocks[layer - 2]) for layer in range(2, depth)}
    for i, activation in enumerate(activations):
        for j, first in enumerate(firsts):
            ax = axes[i, j]
            of = table[(table[ACTIVATION] == activation) & (table[FIRST] == first)]
            for layer, (name, colour) in sorted(names.items()):
                rows = of[of["layer"] == layer]
                for _, trial in rows.groupby("id"):
                    ax.plot(trial["epoch"], trial["weight_norm"], color=colour, linewidth=1.1, label=name)
            for layer, level in predicted(config, first).items():
                ax.axhline(
                    level, color=names[layer][1] if layer in (1, depth) else "black", linewidth=1.0, linestyle="--"
                )
            ax.set(xscale="log")
            ax.set_ylim(bottom=0)
            if i == 0:
                ax.set_title(f"δ = {first / config.train.weight_decay:g}")
            if j == 0:
                ax.set_ylabel(f"{activation} blocks\nnorm of the weight")
            if i == len(activations) - 1:
                ax.set_xlabel("epoch")
    handles = [mpl.lines.Line2D([], [], color=colour, label=name) for _, (name, colour) in sorted(names.items())]
    handles.append(mpl.lines.Line2D([], [], color="black", linestyle="--", label="optimum (blocks black)"))
    figure.tight_layout()
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=len(handles))
    caption(
        figure,
        f"Frobenius norms in training, a line a seed. L = {depth}: a linear first layer, {depth - 2} blocks "
        f"z + act(W z), a head; width {config.model.width}, no biases; inputs are K = {config.data.classes} "
        "orthonormal class means. "
        f"Weight decay λ = {config.train.weight_decay:g}, of the first layer δλ. Dashed: the optimum of linear blocks "
        "[derived], √K times K equal singular values.",
        width=130,
        below=3,
    )
    return {"figure_4": figure}


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
    """The caption of Figure 4."""
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
    """The closed form."""
    worst = table.groupby(FIRST)["error"].max()
    return Claim(
        "linear_agrees",
        "Norms of first layer, blocks and head of linear blocks are those of the optimum [derived].",
        f"each to {LINEAR_TOLERANCE:g} relative",
        ", ".join(f"first layer's weight decay {first:g}: {error:.1g}" for first, error in worst.items())
        or "no such network",
        Claim.judge(bool((worst <= LINEAR_TOLERANCE).all()) if len(worst) else None),
    )


EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="4",
    summary="norms of the blocks of a residual network in training, against the optimum",
    cost="70 s",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("objective", "relative_gradient"),
    check=check,
    warnings=deep_measures.undecayed,
)
