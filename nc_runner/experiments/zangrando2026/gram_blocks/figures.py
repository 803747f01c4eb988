"""The Gram matrices of Figure 5 of Zangrando et al. 2026, and how far from blocks they are over training."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.gram_blocks.claims import ACTIVATION
from nc_runner.experiments.zangrando2026.words import NOTHING, TCV, setting
from nc_runner.figures.drawing import Drawing, say

LARGEST = 1.5  # [choice] times the mean squared norm, where the colours end
SHARE = (
    "Share of ‖G‖² not constant on class blocks: 1 − ‖B‖² / ‖G‖² in Frobenius norms, with B the Gram matrix G "
    "after its entries are averaged over each class block. It is 0 for exact blocks."
)
PANELS = {
    "within_block_share": ("blocks", "share of ‖G‖² not\nconstant on class blocks"),
    "relative_cluster_variation": ("cluster variation", "TCV / mean ‖z‖²"),
    "mean_abs_class_cosine": ("class means", "mean |cos| of two classes"),
}


def figures(results: Results) -> dict[str, Drawing]:
    """Figure 5 for each activation, and the numbers of every layer over training."""
    grids = {f"figure_5_{activation}": gram_figure(results, activation) for activation in activations(results)}
    return {**grids, "over_training": over_training(results)}


def activations(results: Results) -> list[str]:
    """Those of the run, in its order."""
    return list(dict.fromkeys(results.trials[ACTIVATION]))


def shown(results: Results) -> pd.DataFrame:
    """The first trial of each activation that finished and did not diverge; the activation is the index."""
    usable = results.trials[~results.trials["status"].isin(["diverged", "unfinished"])]
    return usable.drop_duplicates(ACTIVATION).set_index(ACTIVATION)


def grams(results: Results, trial: str) -> dict[tuple[int, int], np.ndarray]:
    """The Gram matrix [N, N] of a trial at each (layer, epoch)."""
    table = results.metrics[results.metrics["trial"] == trial]
    entries = table["metric"].str.extract(r"^gram_(\d+)_(\d+)$").dropna().astype(int)
    values = table.loc[entries.index].assign(i=entries[0], j=entries[1])
    samples = int(entries[1].max()) + 1
    of: dict[tuple[int, int], np.ndarray] = {}
    for layer, epoch in values[["layer", "epoch"]].drop_duplicates().itertuples(index=False):
        rows = values[(values["layer"] == layer) & (values["epoch"] == epoch)]
        gram = np.full((samples, samples), np.nan)
        gram[rows["i"], rows["j"]] = gram[rows["j"], rows["i"]] = rows["value"]
        of[int(layer), int(epoch)] = gram
    return of


def gram_figure(results: Results, activation: str) -> Drawing:
    """Layers by epochs: every Gram matrix of one network, each over its own mean squared norm."""
    trials = shown(results)
    caption = (
        "Gram matrices of each layer's features (not centred), a row a layer, samples sorted by class. Below each: the "
        "share of ‖G‖² not constant on class blocks."
    )
    if activation not in trials.index:
        figure, ax = plt.subplots(figsize=(4.6, 2.5))
        say(ax, f"{NOTHING}: {activation}")
        return Drawing(figure, caption, gram_notes(results, activation, NOTHING.capitalize()))
    trial = trials.loc[activation]
    of = grams(results, str(trial["id"]))
    layers, epochs = (sorted({key[i] for key in of}) for i in (0, 1))
    table = results.by_layer("within_block_share")
    share = table[table["id"] == trial["id"]].set_index(["layer", "epoch"])["within_block_share"]
    signed = activation == "linear"
    height = 1.22 * len(layers) + 0.4
    figure, axes = plt.subplots(len(layers), len(epochs), figsize=(1.1 * len(epochs) + 1.3, height), squeeze=False)
    for layer, of_row in zip(layers, axes, strict=True):
        for epoch, ax in zip(epochs, of_row, strict=True):
            gram = of[layer, epoch]
            image = ax.imshow(
                gram / gram.diagonal().mean(),
                cmap="RdBu_r" if signed else "viridis",
                vmin=-LARGEST if signed else 0,
                vmax=LARGEST,
                interpolation="nearest",
            )
            frame_blocks(ax, len(gram), results.config.data.classes, color="0.5" if signed else "white")
            ax.set_xlabel(short(share[layer, epoch]), fontsize="small", labelpad=1.5)
        of_row[0].set_ylabel("out" if layer == results.config.model.depth else f"{layer}")
    for number, (epoch, ax) in enumerate(zip(epochs, axes[0], strict=True)):
        ax.set_title(f"{' ' if number else 'epoch'}\n{epoch:,}", fontsize="small")
    label = "⟨z$_i$, z$_j$⟩ / mean ‖z‖²"
    figure.colorbar(image, ax=list(axes.flat), shrink=0.6, aspect=30, extend="both", label=label)
    return Drawing(figure, caption, gram_notes(results, activation, f"One {activation} network, seed {trial['seed']}"))


def short(value: float) -> str:
    """A number in at most four letters, for room under a small panel."""
    return f"{value:.2f}" if value >= 0.01 or value == 0 else f"{value:.0e}".replace("e-0", "e-")


def gram_notes(results: Results, activation: str, network: str) -> list[str]:
    """Definitions, and the setting of the networks of one activation."""
    alike = dataclasses.replace(results, trials=results.trials[results.trials[ACTIVATION] == activation])
    return [
        f"{network}.",
        "Features: the layer's outputs after its activation.",
        f"Colours: each panel is divided by its own mean squared feature norm, so one scale serves all; it ends at "
        f"{LARGEST:g} (our choice). Thin lines part the classes.",
        SHARE,
        *setting(alike),
    ]


def layer_name(results: Results, layer: int) -> str:
    """As legends and rows call it."""
    return "output" if layer == results.config.model.depth else f"layer {layer}"


def frame_blocks(ax: Axes, samples: int, classes: int, *, color: str) -> None:
    """Thin lines between the classes, and nothing else."""
    for k in range(1, classes):
        for line in (ax.axhline, ax.axvline):
            line(k * samples / classes - 0.5, color=color, linewidth=0.4)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)


def over_training(results: Results) -> Drawing:
    """Within-block share, cluster variation and cosines of every layer against epochs."""
    trials, rows = shown(results), activations(results)
    table = results.by_layer(*PANELS)
    figure, axes = plt.subplots(
        len(rows), 3, figsize=(8.6, 2.3 * len(rows) + 0.3), squeeze=False, sharex=True, sharey="col"
    )
    for activation, of_row in zip(rows, axes, strict=True):
        own = table[table["id"] == trials["id"].get(activation)]
        for ax, (metric, (title, label)) in zip(of_row, PANELS.items(), strict=True):
            draw_layers(ax, results, own, metric)
            ax.set(xscale="log", ylabel=label, title=f"{activation}: {title}")
            if metric == "mean_abs_class_cosine":
                ax.set_ylim(0, 1.03)
            else:
                ax.set_yscale("log")
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    drawn = next((ax for ax in axes[:, 0] if ax.lines), None)
    if drawn is not None:
        figure.legend(*drawn.get_legend_handles_labels(), loc="center left", bbox_to_anchor=(1.0, 0.5))
    seeds = ", ".join(f"{activation}: {seed}" for activation, seed in trials["seed"].items())
    return Drawing(
        figure,
        "Every layer's features at each probe, one network for each activation. TCV is the mean over samples; cosines "
        "are of class means, not centred.",
        [
            f"Seeds: {seeds or 'none finished'}.",
            SHARE,
            TCV,
            "Mean ‖z‖²: over samples. Mean |cos|: of two class means, over the pairs of classes.",
            *setting(results),
        ],
    )


def draw_layers(ax: Axes, results: Results, table: pd.DataFrame, metric: str) -> None:
    """A line a layer against epochs."""
    if table.empty:
        say(ax, NOTHING)
        return
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, results.config.model.depth))
    for layer, colour in enumerate(colours, 1):
        rows, name = table[table["layer"] == layer], layer_name(results, layer)
        ax.plot(rows["epoch"], rows[metric], marker="o", markersize=3, color=colour, label=name)
