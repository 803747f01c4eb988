"""Figure 4 of Zangrando et al. 2026: norms of a residual network's weights over training."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.resnet_norms.claims import ACTIVATION, FIRST, predicted
from nc_runner.experiments.zangrando2026.words import DIVERGED, NOTHING, setting
from nc_runner.figures import ORANGE, PURPLE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

Names = dict[int, tuple[str, Any]]
"""The name and the colour of each layer."""


def figures(results: Results) -> dict[str, Drawing]:
    """Norms over training, a column a delta, linear over ReLU blocks; the optimum dashed."""
    table, config = results.by_layer("weight_norm"), results.config
    table = table[table["status"] != "diverged"]
    activations = [a for a in ("linear", "relu", "leaky_relu") if a in set(results.trials[ACTIVATION])]
    firsts = sorted(results.trials[FIRST].unique(), reverse=True)
    figure, axes = plt.subplots(
        len(activations), len(firsts), figsize=(3.0 * len(firsts) + 0.6, 2.4 * len(activations)), sharex=True,
        sharey="col", squeeze=False,
    )  # fmt: skip
    names = layer_names(config.model.depth)
    for activation, of_row in zip(activations, axes, strict=True):
        of_row[0].set_ylabel(f"{activation} blocks\nnorm of the weight")
        for first, ax in zip(firsts, of_row, strict=True):
            rows = table[(table[ACTIVATION] == activation) & (table[FIRST] == first)]
            if rows["weight_norm"].isna().all():
                say(ax, NOTHING)
                continue
            draw_norms(ax, rows, names, predicted(config, first))
    for first, ax in zip(firsts, axes[0], strict=True):
        ax.set_title(f"δ = {first / config.train.weight_decay:g}")
        ax.set_xscale("log")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
        ax.set_ylim(bottom=0)  # after all lines: it also fixes the upper end, which has to show them all
    solid = [mpl.lines.Line2D([], [], color=colour, label=name) for name, colour in names.values()]
    dashed = [
        mpl.lines.Line2D([], [], color=colour, linestyle="--", label=f"optimum, {name}")
        for name, colour in (("first layer", ORANGE), ("blocks", "black"), ("head", PURPLE))
    ]
    for row, handles in enumerate((solid, dashed)):
        below = -0.22 * row / figure.get_figheight()
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, below), ncols=len(handles))
    return {"figure_4": Drawing(figure, caption(table), notes(results))}


def layer_names(depth: int) -> Names:
    """First layer, blocks, head."""
    colours = mpl.colormaps["viridis"](np.linspace(0.1, 0.85, depth - 2))
    blocks: Names = {layer: (f"block {layer - 1}", colours[layer - 2]) for layer in range(2, depth)}
    return {1: ("first layer", ORANGE), **blocks, depth: ("head", PURPLE)}


def draw_norms(ax: Axes, rows: pd.DataFrame, names: Names, optimum: dict[int, float]) -> None:
    """A line a layer and network, and dashed lines at the optimum; that of the blocks is one and black."""
    for layer, (name, colour) in names.items():
        for _, trial in rows[rows["layer"] == layer].groupby("id"):
            ax.plot(trial["epoch"], trial["weight_norm"], color=colour, linewidth=1.1, label=name)
    for layer, level in optimum.items():
        colour = names[layer][1] if layer in (1, max(names)) else "black"
        ax.axhline(level, color=colour, linewidth=1.0, linestyle="--")


def caption(table: pd.DataFrame) -> str:
    """What is shown."""
    return (
        "Frobenius norm of every weight over training, one line for each layer and network; "
        f"{seeds_phrase(table, band=False)}. Dashed: the optimum of linear blocks."
    )


def notes(results: Results) -> list[str]:
    """Definitions and the setting."""
    return [
        "Optimum: the minimiser of the objective over networks with linear blocks (our derivation). Each weight has K "
        "equal singular values, the others are 0, so its norm is √K times one of them; all blocks have the same.",
        "For ReLU blocks the dashed lines are those of linear blocks.",
        "Each column has its own vertical scale.",
        DIVERGED,
        *setting(results),
    ]
