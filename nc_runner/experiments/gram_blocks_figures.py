"""The Gram matrices of Figure 5 of Zangrando et al. 2026, and how far from blocks they are over training."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.gram_blocks_claims import ACTIVATION
from nc_runner.figures.series import caption

LARGEST = 1.5  # [choice] times the mean squared norm, where the colours end


def setting(results: Results) -> str:
    """The networks and the data of a run, in words for its caption."""
    config = results.config
    return (
        f"{config.model.depth} layers of width {config.model.width} without biases; {config.data.samples} samples of "
        f"K = {config.data.classes} Gaussians in {config.data.dim} dimensions, σ = {config.data.sigma:g}; full-batch "
        f"descent on the mean squared error, weight decay {config.train.weight_decay:g}"
    )


def shown(results: Results) -> pd.DataFrame:
    """The first trial of each activation that did not diverge."""
    usable = results.trials[~results.trials["status"].isin(["diverged", "unfinished"])]
    return usable.drop_duplicates(ACTIVATION)


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


def gram_figures(results: Results) -> dict[str, Figure]:
    """Layers by epochs, one figure an activation."""
    return {f"figure_5_{row[ACTIVATION]}": gram_figure(results, row) for _, row in shown(results).iterrows()}


def gram_figure(results: Results, trial: pd.Series) -> Figure:
    """Every Gram matrix of one trial, each over its own mean squared norm."""
    of = grams(results, trial["id"])
    layers, epochs = (sorted({key[i] for key in of}) for i in (0, 1))
    table = results.by_layer("within_block_share")
    share = table[table["id"] == trial["id"]].set_index(["layer", "epoch"])["within_block_share"]
    signed = trial[ACTIVATION] == "linear"
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
            ax.set_xlabel(f"{share[layer, epoch]:.2g}", fontsize=7, labelpad=1.5)
        name = "output" if layer == results.config.model.depth else f"layer {layer}"
        of_row[0].set_ylabel(name)
    for epoch, ax in zip(epochs, axes[0], strict=True):
        ax.set_title(f"epoch {epoch:,}", fontsize=8.5)
    figure.subplots_adjust(left=0.05, right=0.9, bottom=0.2 / height, top=1 - 0.2 / height, wspace=0.06, hspace=0.2)
    bar = figure.colorbar(image, cax=figure.add_axes((0.92, 0.25, 0.018, 0.5)), extend="both")
    bar.set_label("⟨z$_i$, z$_j$⟩ / mean ‖z‖²")
    caption(
        figure,
        f"Gram matrices of each layer's features after its activation, {results.config.data.samples} samples sorted by "
        "class, thin lines between classes; each panel is divided by its own mean squared feature norm, so that one "
        "colour scale serves all. Under a panel: the share of its squared norm left after averaging over each class "
        f"block, 0 for exact blocks. One {trial[ACTIVATION]} network, seed {trial['seed']}: {setting(results)}.",
        width=145,
    )
    return figure


def frame_blocks(ax: Axes, samples: int, classes: int, *, color: str) -> None:
    """Thin lines between the classes, and nothing else."""
    for k in range(1, classes):
        for line in (ax.axhline, ax.axvline):
            line(k * samples / classes - 0.5, color=color, linewidth=0.4)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)


def over_training(results: Results) -> dict[str, Figure]:
    """Within-block share, cluster variation and cosines of every layer against epochs."""
    trials = shown(results)
    if trials.empty:
        return {}
    panels = {
        "within_block_share": "share left by block averaging",
        "relative_cluster_variation": "TCV / mean ‖z‖²",
        "mean_abs_class_cosine": "mean |cos| of two class means",
    }
    table = results.by_layer(*panels)
    figure, axes = plt.subplots(
        len(trials), 3, figsize=(8.6, 2.3 * len(trials) + 0.3), squeeze=False, sharex=True, sharey="col"
    )
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, results.config.model.depth))
    for (_, trial), of_row in zip(trials.iterrows(), axes, strict=True):
        for ax, (metric, label) in zip(of_row, panels.items(), strict=True):
            for layer, rows in table[table["id"] == trial["id"]].groupby("layer"):
                name = "output" if layer == results.config.model.depth else f"layer {layer}"
                ax.plot(rows["epoch"], rows[metric], marker="o", markersize=3, color=colours[layer - 1], label=name)
            ax.set(xscale="log", ylabel=label, title=trial[ACTIVATION])
            if metric != "mean_abs_class_cosine":
                ax.set_yscale("log")
            else:
                ax.set_ylim(0, 1.03)
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    figure.tight_layout()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="center left", bbox_to_anchor=(1.0, 0.5))
    caption(
        figure,
        "Left: 1 − ‖G with each class block averaged‖² / ‖G‖² of the Gram matrices G. TCV: mean over samples. "
        f"Cosines of uncentred class means. One network an activation: {setting(results)}.",
        width=140,
    )
    return {"over_training": figure}
