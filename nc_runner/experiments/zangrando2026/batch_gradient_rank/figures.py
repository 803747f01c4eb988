"""Rank of gradients against the size of their batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.batch_gradient_rank.claims import EPOCHS, SIGMA, TOLERANCE, ranks
from nc_runner.experiments.zangrando2026.words import DIVERGED, NOTHING, power, setting, values
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

TICKS = [1, 3, 10, 30, 100, 300]


def figures(results: Results) -> dict[str, Drawing]:
    """Rank against the size of the batch."""
    return {"rank_against_batch": rank_figure(results)}


def rank_figure(results: Results) -> Drawing:
    """A row a sigma, a column a layer; untrained and trained in each."""
    table, depth = ranks(results), results.config.model.depth
    sigmas, layers = sorted(results.trials[SIGMA].unique()), range(1, depth + 1)
    figure, axes = plt.subplots(
        len(sigmas),
        len(layers),
        figsize=(2.2 * len(layers) + 0.4, 2.2 * len(sigmas) + 0.4),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    top = 1.5 * table["sides"].max() if len(table) else 100
    for sigma, of_row in zip(sigmas, axes, strict=True):
        of_row[0].set_ylabel(f"σ = {sigma:g}\nrank of the gradient")
        for layer, ax in zip(layers, of_row, strict=True):
            draw_ranks(ax, table[(table[SIGMA] == sigma) & (table["layer"] == layer)])
            ax.set(xscale="log", yscale="log", ylim=(0.8, top))
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(FixedLocator(TICKS))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for layer, ax in zip(layers, axes[0], strict=True):
        ax.set_title(f"layer {layer}" if layer < depth else f"layer {layer} (output)")
    for ax in axes[-1]:
        ax.set_xlabel("batch size |B|")
    drawn = next((ax for ax in axes.flat if ax.lines), None)
    if drawn is not None:
        figure.legend(*drawn.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=3)
    return Drawing(
        figure,
        "Rank of the loss's gradient at each weight, before and after training. Each point is a random batch, "
        f"{table['draw'].nunique()} of each size; {seeds_phrase(table, band=False)}.",
        notes(results),
    )


def draw_ranks(ax: Axes, table: pd.DataFrame) -> None:
    """The bound, dashed, and the ranks of one layer and sigma."""
    if table.empty:
        say(ax, NOTHING)
        return
    bound = table.groupby("size")["sides"].max().clip(upper=table["distinct"].max())
    bound = bound.clip(upper=bound.index.to_series())
    ax.plot(bound.index, bound, color="black", linestyle="--", linewidth=1.1, zorder=1.8, label="upper bound")
    before, after = table[~table["trained"]], table[table["trained"]]
    ring: dict[str, Any] = {"color": BLUE, "markersize": 7, "fillstyle": "none", "label": "before training"}
    dot: dict[str, Any] = {"color": ORANGE, "markersize": 3.2, "label": "after training"}
    for rows, mark in ((before, ring), (after, dot)):
        ax.plot(rows["size"], rows["rank"], marker="o", linestyle="none", zorder=2, **mark)


def notes(results: Results) -> list[str]:
    """Definitions and the setting."""
    is_trained = results.trials[EPOCHS] > 1
    trained, untrained = (dataclasses.replace(results, trials=results.trials[of]) for of in (is_trained, ~is_trained))
    size = values(untrained, "train.learning_rate")
    before = [] if is_trained.all() else [f"Before training: after one step of size {size}, too small to matter."]
    return [
        f"Rank: the number of singular values above {power(TOLERANCE)} of the largest (our choice).",
        "Gradient: that of the mean loss over the batch, without weight decay.",
        "Upper bound: the least of |B|, the two sides of the weight and, with σ = 0, where only K samples differ, K "
        "(Proposition 3.1 of the paper). Points below it there are batches that miss a class.",
        "All networks are measured on the same batches.",
        *before,
        DIVERGED,
        *setting(trained),
    ]
