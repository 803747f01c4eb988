"""Figures 1 and 4 of Jacot et al. 2025: the layers of a linear head over training, Gram matrices at its end."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from nc_runner.choices import ModelName
from nc_runner.config import Config
from nc_runner.configs import changed_from_paper
from nc_runner.experiments.base import Results
from nc_runner.experiments.head_claims import BALANCE, NC1, NC2, NEGATIVITY, head_line
from nc_runner.experiments.head_imbalance import with_predictions
from nc_runner.experiments.head_measures import head_depth
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.series import caption, plot_mean_std

PANELS = ((NC1, "NC1: tr $S_W$ / tr $S_B$"), (NC2, "NC2: condition number of class means"), (BALANCE, "balancedness"),
          (NEGATIVITY, "negativity"))  # fmt: skip
BOUNDS = {NC1: "trace_ratio_sharper_bound", NC2: "condition_number_sharper_bound"}
HIGHEST = 30.0  # [choice] times the largest measured value, above which a bound is left out of the panel


def colour(layer: int, config: Config) -> tuple[float, float, float, float]:
    """Grey of the head's input, oranges of its non-linear layers and blues of its linear ones, darker with depth."""
    depth, linear = head_depth(config), config.model.linear_layers
    nonlinear = depth - linear
    if layer == 0:
        return (0.6, 0.6, 0.6, 1.0)
    if layer <= nonlinear:
        return colormaps["YlOrBr"](0.35 + 0.4 * layer / nonlinear)
    return colormaps["GnBu"](0.4 + 0.6 * (layer - nonlinear) / linear)


def network_phrase(config: Config, *, nonlinear: str = "", linear: str = "") -> str:
    """The network and data of a run, in words; of layers whose number varies, which ones in place of their number."""
    model = config.model
    nonlinear = nonlinear or str(model.depth - model.linear_layers)
    layers = f"{nonlinear} ReLU and {linear or model.linear_layers} linear layers of width {model.width}, no biases"
    backbone = "" if model.name is ModelName.mlp else f"{model.name.name} of {model.channels} channels, then "
    return f"{backbone}{layers}; {config.data.name.name}, {config.data.samples:,} images"


def runs_phrase(results: Results) -> str:
    """How many runs a figure shows."""
    count = int(results.trials["seed"].nunique())
    return "one run" if count == 1 else f"mean and one standard deviation of {count} runs"


def curves(ax: Axes, table: pd.DataFrame, x: str, y: str, *, by: str, name: str) -> None:
    """Means of y over x with one standard deviation, a curve for each value of ``by``, whose name the legend gives."""
    for value, colour, marker in zip(sorted(table[by].unique()), (BLUE, ORANGE) * 9, "os" * 9, strict=False):
        plot_mean_std(ax, table[table[by] == value], x, y, color=colour, marker=marker, label=f"{name} {value:g}")


def legend_above(figure: Figure, ax: Axes) -> None:
    """One legend for all panels of a row, that of one of them."""
    figure.subplots_adjust(wspace=0.28)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=max(1, len(labels)))


def averaged(results: Results) -> list[str]:
    """A sentence where the curves are means over more than seeds."""
    keys = [str(key) for key in results.trials if "." in str(key) and len(results.trials[key].unique()) > 1]
    return [f"The curves are means over runs that differ in {', '.join(keys)} too."] if keys else []


def training_figure(results: Results, *, gram_layers: int) -> Figure:
    """Four panels over training, one curve a layer, with predictions; below, Gram matrices and NC2 by layer."""
    config, columns = results.config, gram_layers + 1
    figure = plt.figure(figsize=(13.5, 6.2))
    halves = figure.add_gridspec(2, 1, height_ratios=(1.25, 1), hspace=0.42)
    above, below = halves[0].subgridspec(1, 4, wspace=0.27), halves[1].subgridspec(1, columns, wspace=0.35)
    upper = [figure.add_subplot(above[i]) for i in range(4)]
    lower = [figure.add_subplot(below[i]) for i in range(columns)]
    table = results.by_layer(NC1, NC2, BALANCE, NEGATIVITY)
    table = table[table["status"] != "diverged"]
    for ax, (metric, title) in zip(upper, PANELS, strict=True):
        if metric != NEGATIVITY:
            ax.set_yscale("log")
        for layer in sorted(table["layer"].unique()):
            rows = table[table["layer"] == layer].dropna(subset=metric)
            name = f"layer {layer:d}" if layer else "head's input"
            if len(rows):
                plot_mean_std(ax, rows, "epoch", metric, color=colour(layer, config), label=name, linewidth=1.3)
        ax.set(title=title, xlabel="epoch")
    draw_predictions(upper[2], results)
    for ax in upper[:2]:
        draw_bound(ax, results, NC1 if ax is upper[0] else NC2)
    handles, labels = upper[1].get_legend_handles_labels()
    for other in (upper[0], upper[2]):
        for handle, label in zip(*other.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles, labels = [*handles, handle], [*labels, label]
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.92), ncols=min(len(labels), 7))
    depth = head_depth(config)
    for ax, layer in zip(lower, range(max(0, depth + 1 - gram_layers), depth + 1), strict=False):
        image = draw_gram(ax, results, layer)
    beside = lower[0].inset_axes((-0.1, 0.0, 0.05, 1.0))  # one scale for all
    figure.colorbar(image, cax=beside, ticks=[-1, 0, 1], ticklocation="left")
    draw_condition(lower[-1], results)
    caption(
        figure,
        f"{conventions()} {network_phrase(config)}; {runs_phrase(results)}. {changed_from_paper(config)}",
        width=190,
    )
    return figure


def conventions() -> str:
    """What the panels show, in words."""
    return (
        "Orange: non-linear layers, blue: linear ones. NC1: ratio of traces, S_B by class; NC2: largest over least "
        "singular value of the uncentred class means; both of layers' outputs. Balancedness: "
        "‖W₊ᵀW₊ − WWᵀ‖ / min(‖W₊ᵀW₊‖, ‖WWᵀ‖) of a layer and the next, operator norms, 0 is balanced; "
        "negativity: ‖Z − relu(Z)‖ / ‖Z‖ of pre-activations. Dashed: the recursion of the imbalance, from where the "
        "loss has settled, with the gradients measured (η: step size over 1 − momentum); dotted: its straight decay "
        "(1 − ηλ)^2t. Dash-dotted: Theorem B.1 for the layer before the last in its sharper form, where it is no more "
        f"than {HIGHEST:g} times what is measured. Gram matrices: inner products of class means over the largest, last "
        "epoch, mean over runs."
    )


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
    for number, (_, rows) in enumerate(table.groupby("layer")):
        mean = rows.groupby("epoch")["predicted"].mean()
        label = "recursion" if number == 0 else None
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color="black", linewidth=0.9, label=label)
    mean = rows.groupby("epoch")["straight"].mean()
    mean = mean[mean > low]
    ax.plot(mean.index.to_numpy(), mean.to_numpy(), ":", color="black", linewidth=1.3, label="$(1-\\eta\\lambda)^{2t}$")
    ax.set_ylim(bottom=low)


def draw_bound(ax: Axes, results: Results, metric: str) -> None:
    """Theorem B.1 in its sharper form over the layer that it is of, where it is near enough to be seen."""
    table = results.by_layer(metric, BOUNDS[metric])
    rows = table[(table["status"] != "diverged") & (table["layer"] == head_depth(results.config) - 1)]
    if BOUNDS[metric] not in rows or not len(rows):
        return
    low, high = ax.get_ylim()
    mean = rows.replace(math.inf, np.nan).groupby("epoch")[BOUNDS[metric]].mean()
    mean = mean[mean <= HIGHEST * rows.groupby("epoch")[metric].mean()]
    ax.plot(mean.index.to_numpy(), mean.to_numpy(), "-.", color="black", linewidth=1.1, label="Theorem B.1")
    ax.set_ylim(low, high)


def draw_gram(ax: Axes, results: Results, layer: int) -> AxesImage:
    """Inner products of the class means of a layer, over the largest: the image, of numbers from -1 to 1."""
    rows = results.metrics[(results.metrics["layer"] == layer) & results.metrics["metric"].str.startswith("gram_")]
    last = rows[rows["epoch"] == rows.groupby("trial")["epoch"].transform("max")]
    mean: pd.Series = last.groupby("metric")["value"].mean()
    classes = results.config.data.classes
    gram = np.zeros((classes, classes))
    for name, value in mean.items():
        i, j = (int(part) for part in str(name).split("_")[1:])
        gram[i, j] = gram[j, i] = value
    image = ax.imshow(gram / max(np.abs(gram).max(), np.finfo(float).tiny), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(title=f"class means, layer {layer}", xticks=[], yticks=[], xlabel="class")
    ax.grid(False)
    return image


def draw_condition(ax: Axes, results: Results) -> None:
    """NC2 against the layer at the end, and the line of a balanced head."""
    table = results.final_by_layer(NC2)
    table = table[table["status"] != "diverged"].dropna(subset=NC2)
    ax.set_yscale("log")
    plot_mean_std(ax, table, "layer", NC2, color=BLUE, marker="o", markersize=4)
    lines = head_line(results)
    if len(lines):
        mean = lines.groupby("layer")["expected"].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color="black", linewidth=1, label="balanced head")
        ax.legend(loc="upper right", bbox_to_anchor=(1.05, 1.02))
    ax.set(title="NC2, last epoch", xlabel="layer of the head")
