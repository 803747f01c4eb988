"""Figure 3 of Zangrando et al. 2026: mean and band of all initialisations over training."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, LogLocator

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.random_inits.claims import curves
from nc_runner.experiments.zangrando2026.words import DISTANCE, DIVERGED, NOTHING, TCV, power, setting
from nc_runner.figures import BLUE, GREEN, ORANGE
from nc_runner.figures.drawing import Drawing, say

PANELS = (
    ("relative_cluster_variation", "Relative cluster variation", r"TCV / mean $\|z\|^2$", BLUE),
    ("relative_rank_distance", "Distance from rank K", r"$\sum_{j>K} s_j^2 / \sum_j s_j^2$", ORANGE),
    ("distance_from_prediction", "Distance from prediction", r"$\|s - \hat{s}\| / \|\hat{s}\|$", GREEN),
)
LEAST = 1e-16  # where a band ends on a logarithmic axis, if it goes below


def figures(results: Results) -> dict[str, Drawing]:
    """The three quantities over training, and TCV of every layer."""
    usable = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    table, depth = curves(usable), results.config.model.depth
    figure, axes = plt.subplots(1, 4, figsize=(13.0, 2.9), gridspec_kw={"wspace": 0.5})
    for ax, (metric, title, label, colour) in zip(axes, PANELS, strict=False):
        mean_and_band(ax, table, metric, colour, alpha=0.2)
        ax.set(title=title, ylabel=label)
    of_layers = usable.by_layer("cluster_variation")
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, depth))
    for (layer, rows), colour in zip(of_layers.groupby("layer"), colours, strict=False):
        mean_and_band(axes[3], rows, "cluster_variation", colour, alpha=0.15, label=f"layer {layer}")
    axes[3].set(title="Cluster variation by layer", ylabel="TCV")
    for ax in axes:
        ax.set_xlabel("hundreds of epochs")
        if not ax.lines:
            say(ax, NOTHING if of_layers.empty else "no intermediate layer")
            continue
        ax.set(xscale="log", yscale="log")
        if ax is axes[2]:  # less than two decades: labels between them too
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    if axes[3].lines:
        axes[3].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    drawing = Drawing(
        figure,
        f"Line: mean over {table['id'].nunique()} random initialisations; band: least to largest. First three panels: "
        f"averaged over the intermediate layers, 2 to {depth - 1}. Last: the output of every layer.",
        notes(results),
    )
    return {"figure_3": drawing}


def mean_and_band(ax: Axes, table: pd.DataFrame, metric: str, colour: str, *, alpha: float, label: str = "") -> None:
    """The mean over the rows of each epoch, and a band from the least to the largest."""
    if table[metric].isna().all():
        return
    grouped = table.groupby("epoch")[metric]
    low, high, mean = grouped.min(), grouped.max(), grouped.mean()
    ax.fill_between(low.index / 100, low.clip(lower=LEAST), high, color=colour, alpha=alpha, linewidth=0)
    ax.plot(mean.index / 100, mean, color=colour, label=label)


def notes(results: Results) -> list[str]:
    """Definitions and the setting."""
    return [
        f"{TCV} In the first panel z are the outputs of the intermediate layers, and TCV is over their mean squared "
        "norm, as features grow from a small start.",
        DISTANCE,
        "Distance from the prediction: ‖s − ŝ‖ / ‖ŝ‖ over the singular values s of a weight.",
        "Predicted: ŝⱼ = bⱼ^{1/L} for j ≤ K and 0 beyond, in every layer, with bⱼ the singular values of Y M⁺, M the "
        "class means and Y the one-hot targets.",
        "The predicted values are those of the linear network of zero TCV that maps class means to targets at least "
        "penalty, in the limit λ → 0 (our derivation; ReLU networks need not follow it).",
        f"Bands end at {power(LEAST)} where they go below.",
        DIVERGED,
        *setting(results),
    ]
