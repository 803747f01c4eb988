"""The panels of Figures 1 and 4: a head's layers over training with their predictions, Gram matrices, NC2 by layer."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.curves import logarithmic
from nc_runner.experiments.jacot2025.head import head_depth
from nc_runner.experiments.jacot2025.imbalance import with_predictions
from nc_runner.experiments.jacot2025.layers import COSINE, NC1, NC2, NC3, head_line, largest_cosine, with_columns
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import say
from nc_runner.figures.series import plot_mean_std

BOUNDS = {NC1: "trace_ratio_sharper_bound", NC2: "condition_number_sharper_bound"}
HIGHEST = 30.0  # [choice] times the measured value, above which a bound is left out of the panel
DARKER = 0.75  # of a layer's colour, for the prediction over its line


def colour(layer: int, config: Config) -> tuple[float, float, float, float]:
    """Grey of the head's input, oranges of its non-linear layers and blues of its linear ones, darker with depth."""
    depth, linear = head_depth(config), config.model.linear_layers
    nonlinear = depth - linear
    if layer == 0:
        return (0.6, 0.6, 0.6, 1.0)
    if layer <= nonlinear:
        return colormaps["YlOrBr"](0.35 + 0.4 * layer / nonlinear)
    return colormaps["GnBu"](0.4 + 0.6 * (layer - nonlinear) / linear)


def name(layer: int, config: Config) -> str:
    """A layer as the legend has it."""
    nonlinear = head_depth(config) - config.model.linear_layers
    kind = "linear" if layer > nonlinear else words.ACTIVATIONS[config.model.activation]
    return f"layer {layer}, {kind if layer else 'input'}"


def draw_layers(ax: Axes, table: pd.DataFrame, metric: str, config: Config) -> None:
    """A metric over training, a curve a layer."""
    table = table.dropna(subset=metric) if metric in table else table[:0]
    for layer, rows in table.groupby("layer"):
        number = int(str(layer))
        label = name(number, config)
        plot_mean_std(ax, rows, "epoch", metric, color=colour(number, config), label=label, linewidth=1.3)
    if not len(table):
        say(ax, "every run diverged")


def draw_predictions(ax: Axes, results: Results) -> None:
    """Over the balancedness of linear layers: the recursion, and the straight decay where the deepest begins."""
    table = with_predictions(results).dropna(subset="predicted")
    if not len(table):
        return
    scale = table["balancedness"] / table["imbalance"]
    table = table.assign(predicted=table["predicted"] * scale, straight=table["straight"] * scale)
    shared = table.groupby("id")["epoch"].transform("min")
    table = table[table["epoch"] >= shared.max()]
    low = ax.get_ylim()[0]
    for layer, rows in table.groupby("layer"):
        mean = rows.groupby("epoch")["predicted"].mean()
        darker = tuple(DARKER * part for part in colour(int(str(layer)), results.config)[:3])
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color=darker, linewidth=1.1)
    ax.plot([], [], "--", color="black", linewidth=1.1, label="recursion")
    mean = rows.groupby("epoch")["straight"].mean()
    mean = mean[mean > low]
    label = "$(1-\\eta\\lambda)^{2t}$ alone"
    ax.plot(mean.index.to_numpy(), mean.to_numpy(), ":", color="black", linewidth=1.3, label=label)
    ax.set_ylim(bottom=low)


def draw_bound(ax: Axes, results: Results, metric: str) -> None:
    """Theorem B.1 in its sharper form over the layer that it is of, where it is near enough to be seen."""
    table = results.by_layer(metric, BOUNDS[metric])
    layer = head_depth(results.config) - 1
    rows = table[(table["status"] != "diverged") & (table["layer"] == layer)]
    if BOUNDS[metric] not in rows or not len(rows):
        return
    low, high = ax.get_ylim()
    mean = rows.replace(math.inf, np.nan).groupby("epoch")[BOUNDS[metric]].mean()
    mean = mean[mean <= HIGHEST * rows.groupby("epoch")[metric].mean()]
    if len(mean):
        label = f"Theorem B.1, layer {layer}"
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "-.", color="black", linewidth=1.1, label=label)
    ax.set_ylim(low, high)


def draw_gram(ax: Axes, results: Results, layer: int) -> AxesImage:
    """Inner products of the class means of a layer, over the largest: the image, of numbers from -1 to 1."""
    rows = results.metrics[(results.metrics["layer"] == layer) & results.metrics["metric"].str.startswith("gram_")]
    last = rows[rows["epoch"] == rows.groupby("trial")["epoch"].transform("max")]
    mean: pd.Series = last.groupby("metric")["value"].mean()
    classes = results.config.data.classes
    gram = np.zeros((classes, classes))
    for metric, value in mean.items():
        i, j = (int(part) for part in str(metric).split("_")[1:])
        gram[i, j] = gram[j, i] = value
    image = ax.imshow(gram / max(np.abs(gram).max(), np.finfo(float).tiny), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=f"Gram matrix, layer {layer}", xlabel="class", ylabel="class")
    for ticks in (ax.set_xticks, ax.set_yticks):
        ticks([0, classes - 1], ["1", str(classes)])
    ax.grid(False)
    if not mean.notna().any():
        say(ax, "not measured")
    return image


def draw_condition(ax: Axes, results: Results) -> None:
    """NC2 against the layer at the end, and the line of a balanced head."""
    table = results.final_by_layer(NC2)
    table = table[table["status"] != "diverged"].dropna(subset=NC2)
    logarithmic(ax)
    plot_mean_std(ax, table, "layer", NC2, color=BLUE, marker="o", markersize=4)
    lines = head_line(results)
    if len(lines):
        mean = lines.groupby("layer")["expected"].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color="black", linewidth=1, label="balanced head")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
    if not len(table):
        say(ax, "every run diverged")
    ax.set(title="NC2, last epoch", xlabel="layer", ylabel="condition number")


def draw_geometry(ax: Axes, results: Results) -> None:
    """How far the class means before the last layer are from orthogonal, and its weight from them, over training."""
    logarithmic(ax)
    layers = with_columns(results.by_layer(COSINE, NC2), COSINE, NC2)
    layers = layers[(layers["status"] != "diverged") & (layers["layer"] == head_depth(results.config) - 1)]
    whole = with_columns(results.by_epoch(), NC3)
    whole = whole[whole["status"] != "diverged"]
    whole = whole.assign(off=1 - whole[NC3])
    if not (layers[COSINE].notna().any() or whole["off"].notna().any()):
        say(ax, "not measured" if len(whole) else "every run diverged")
    else:
        plot_mean_std(ax, layers, "epoch", COSINE, color=BLUE, linewidth=1.3, label="|cos| of class means")
        allowed = largest_cosine(layers[NC2]).groupby(layers["epoch"]).mean()
        label = "its largest by NC2"
        ax.plot(allowed.index.to_numpy(), allowed.to_numpy(), "--", color=BLUE, linewidth=1, label=label)
        plot_mean_std(ax, whole, "epoch", "off", color=ORANGE, linewidth=1.3, label="1 − NC3")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
    ax.set(title="NC3, orthogonality", xlabel="epoch", ylabel="0: collapsed")
