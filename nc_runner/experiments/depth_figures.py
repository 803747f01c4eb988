"""The figures of depth minimization."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.conjectures import DEPTH_EPS, INTER, INTRA, NCC, WEIGHT_DECAY, effective_depths
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, YELLOW
from nc_runner.figures.series import caption, plot_over, seeds_phrase

COLUMNS = 4
LINES = (
    (NCC, GREEN, "o", "NCC accuracy"),
    (INTRA, BLUE, "^", "min intra-class cosine"),
    (INTER, YELLOW, "v", "max inter-class cosine"),
)


def panels(count: int) -> tuple[Figure, list[Axes], Axes | None]:
    """Panels in rows of four: the figure, the panels, and the last, empty place if there is one."""
    rows = -(-count // COLUMNS)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(2.5 * COLUMNS, 2.25 * rows + 0.3), sharex=True, sharey=True, squeeze=False
    )
    every = list(axes.flat)
    for ax in every[count:]:
        ax.axis("off")
    for column in range(COLUMNS):  # the lowest panel of each column keeps its ticks
        lowest = max((i for i in range(count) if i % COLUMNS == column), default=None)
        if lowest is not None:
            every[lowest].tick_params(labelbottom=True)
            every[lowest].set_xlabel("layer from the input")
    figure.subplots_adjust(wspace=0.1, hspace=0.3)
    return figure, every[:count], every[count] if count < len(every) else None


def title(trials: pd.DataFrame, decay: float) -> str:
    """A panel's weight decay, and its training accuracy where it does not fit."""
    of_decay = trials[trials[WEIGHT_DECAY] == decay]
    failed = of_decay[of_decay["status"] != "interpolated"]
    note = "" if failed.empty else f"\nunderfit: accuracy {', '.join(f'{a:.3f}' for a in failed['accuracy'])}"
    return f"λ = {decay:g}{note}"


def layers_figure(results: Results) -> Figure:
    """A panel a weight decay: NCC accuracy, min intra and max inter cosine against the layer (Pan 2023, Figure 3.3)."""
    layers, trials = results.final_by_layer(NCC, INTRA, INTER), results.final()
    hidden = layers[layers["layer"] < results.config.model.depth]
    decays = sorted(hidden[WEIGHT_DECAY].unique())
    figure, axes, spare = panels(len(decays))
    for ax, decay in zip(axes, decays, strict=True):
        for metric, colour, marker, label in LINES:
            of_decay = hidden[hidden[WEIGHT_DECAY] == decay]
            plot_over(ax, of_decay, "layer", metric, color=colour, marker=marker, markersize=4, label=label)
        ax.axhline(
            -1 / (results.config.data.classes - 1),
            color=GREY,
            linestyle="--",
            linewidth=1,
            label="simplex ETF, −1/(C−1)",
        )
        ax.set(ylim=(-0.4, 1.1))
        ax.set_title(title(trials, decay), fontsize=9)
    for ax in axes[::COLUMNS]:
        ax.set_ylabel("NCC accuracy, cosine")
    handles, labels = axes[0].get_legend_handles_labels()
    if spare is not None:
        spare.legend(handles, labels, loc="center left")
    else:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.95), ncols=4)
    text = (
        f"{about(results, trials)} Cosines of uncentred features, self pairs included; NCC accuracy: nearest class "
        "mean, means from the training set."
    )
    caption(figure, text, below=1)
    return figure


def about(results: Results, trials: pd.DataFrame) -> str:
    """What was trained, in words."""
    model, data, train = results.config.model, results.config.data, results.config.train
    return (
        f"{model.depth}-layer networks of width {model.width} with affine BatchNorm, {data.name.name} data, "
        f"N = {data.samples:,}, {train.epochs} epochs; hidden layers after their BatchNorm; {seeds_phrase(trials)}."
    )


def weight_decay_figure(results: Results) -> Figure:
    """Effective depth against weight decay for several eps; g over layer and weight decay."""
    layers, trials = results.final_by_layer(NCC, INTRA, INTER), results.final()
    fits = layers[layers["status"] == "interpolated"]
    depth = results.config.model.depth
    hidden = layers[layers["layer"] < depth]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.3))
    for eps, colour, marker in zip(DEPTH_EPS, (BLUE, ORANGE, PURPLE), "os^", strict=True):
        depths = effective_depths(fits, eps)
        if len(depths):
            plot_over(left, depths, WEIGHT_DECAY, "effective_depth", color=colour, marker=marker, label=f"ε = {eps:g}")
    left.set(
        xscale="log",
        xlabel="weight decay λ",
        ylabel="effective depth (layer)",
        ylim=(0, depth + 0.5),
    )
    left.set_title("least layer with NCC error ≤ ε")
    if len(fits):
        left.legend(loc="upper left", bbox_to_anchor=(0, -0.18), ncols=3)
    else:
        left.text(0.5, 0.5, "no trial fits the training set", transform=left.transAxes, ha="center")

    gap = (
        hidden.assign(gap=hidden[INTRA] - hidden[INTER]).groupby([WEIGHT_DECAY, "layer"])["gap"].mean().unstack("layer")
    )
    best = 1 + 1 / (results.config.data.classes - 1)
    image = right.imshow(gap.to_numpy(), origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=best)
    right.set_yticks(range(len(gap)), [f"{decay:g}" for decay in gap.index])
    right.set_xticks(range(0, gap.shape[1], 2), [str(layer) for layer in gap.columns[::2]])
    right.set(xlabel="layer from the input", ylabel="weight decay λ", title="g = min intra − max inter")
    right.grid(visible=False)
    figure.colorbar(image, ax=right, label=f"g (simplex ETF: {best:.2f})", extend="min")
    figure.subplots_adjust(wspace=0.3)
    text = (
        f"{about(results, trials)} Left: trials that fit; the output layer counts as layer {depth}, which is also the "
        "value where no layer reaches ε. Right: all trials, mean over seeds."
    )
    caption(figure, text, width=120, below=3)
    return figure


def sharpening_figure(results: Results) -> Figure:
    """g against the layer, a line an epoch, a panel a weight decay."""
    layers, trials = results.by_layer(INTRA, INTER), results.final()
    layers = layers[layers["layer"] < results.config.model.depth].assign(gap=lambda t: t[INTRA] - t[INTER])
    decays, epochs = sorted(layers[WEIGHT_DECAY].unique()), sorted(layers["epoch"].unique())
    scale = LogNorm(1, max(epochs[-1], 2))
    figure, axes, _ = panels(len(decays))
    for ax, decay in zip(axes, decays, strict=True):
        mean = layers[layers[WEIGHT_DECAY] == decay].groupby(["epoch", "layer"])["gap"].mean()
        for epoch in epochs:
            if epoch in mean.index.get_level_values(0):
                line = mean.loc[epoch]
                ax.plot(
                    np.asarray(line.index), line.to_numpy(), color=colormaps["viridis_r"](scale(epoch)), linewidth=1.2
                )
        ax.set_title(title(trials, decay), fontsize=9)
    for ax in axes[::COLUMNS]:
        ax.set_ylabel("g = min intra − max inter")
    figure.colorbar(plt.cm.ScalarMappable(scale, "viridis_r"), ax=axes, label="epoch", fraction=0.02, pad=0.02)
    caption(figure, about(results, trials) + " g of uncentred features, self pairs included.", below=1)
    return figure
