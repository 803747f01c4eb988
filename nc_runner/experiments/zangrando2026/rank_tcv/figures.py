"""The heat maps of Figure 1 of Zangrando et al. 2026, and the bound over every measurement."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.rank_tcv.claims import (
    DECAY,
    DISTANCE,
    FLOOR,
    SIGMA,
    after_training,
    bounds,
    by_weight_decay,
)
from nc_runner.experiments.zangrando2026.words import DISTANCE as DISTANCE_DEFINED
from nc_runner.experiments.zangrando2026.words import TCV, power, setting
from nc_runner.figures import GREY, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

LEAST_X = 0.3  # where smaller values of sqrt(TCV) / lambda are drawn, 0 among them
LEAST_Y = 1e-8  # where smaller distances are drawn
NONE_FITS = "no network fits"
UNFIT = "Left out: networks that do not fit their training set, or have not finished."
OUTPUT_LEFT_OUT = "Left out: the output layer, whose weight has K rows and so at most rank K."


def figures(results: Results) -> dict[str, Drawing]:
    """The paper's heat maps, a panel a layer, and the bound over every measurement, of the networks that fit."""
    return {"figure_1": heat_maps(results), "bound": bound_figure(results)}


def heat_maps(results: Results) -> Drawing:
    """Relative distance from rank K over noise and weight decay, a panel a layer whose rank can exceed K."""
    table = results.final_by_layer(DISTANCE)
    table = table[(table["status"] == "interpolated") & (table["layer"] < results.config.model.depth)]
    noises, decays = (sorted(results.trials[key].unique()) for key in (SIGMA, DECAY))
    layers = sorted(table["layer"].unique()) or [*range(1, results.config.model.depth)] or [1]
    low = max(FLOOR, float(table[DISTANCE].clip(lower=FLOOR).min())) if table[DISTANCE].notna().any() else FLOOR
    high = max(float(table[DISTANCE].max()), 10 * low) if table[DISTANCE].notna().any() else 1.0
    scale = LogNorm(low, high)
    figure, axes = plt.subplots(1, len(layers), figsize=(2.9 * len(layers) + 0.9, 2.9), sharey=True, squeeze=False)
    for ax, layer in zip(axes[0], layers, strict=True):
        ax.set(title=f"layer {layer}", xlabel="weight decay λ")
        ax.grid(visible=False)
        if table.empty or table[DISTANCE].isna().all():
            say(ax, f"{NONE_FITS} and has a weight\nwhose rank can exceed K")
            continue
        grid = table[table["layer"] == layer].pivot_table(index=SIGMA, columns=DECAY, values=DISTANCE)
        grid = grid.reindex(index=noises, columns=decays)
        ax.set_facecolor("0.9")
        image = ax.imshow(grid.clip(lower=low), norm=scale, cmap="viridis", origin="lower", aspect="auto")
        write_numbers(ax, grid, low, high)
    axes[0, 0].set_ylabel("noise σ")
    if table[DISTANCE].notna().any():
        label = "relative distance from rank K\n$\\sum_{j>K} s_j^2 / \\sum_j s_j^2$"
        figure.colorbar(image, ax=axes[0].tolist(), label=label, pad=0.02)
    seeds = seeds_phrase(table, band=False)
    return Drawing(
        figure,
        "Relative squared distance of each weight from rank K after training (numbers: log₁₀ of it); "
        f"{seeds if seeds == 'one seed' else f'mean over {seeds}'}.",
        [
            DISTANCE_DEFINED,
            f"≤ in a cell: at most {power(FLOOR)}, which counts as 0 (our choice).",
            f"{UNFIT} – in a cell: none fits there.",
            OUTPUT_LEFT_OUT,
            *setting(results),
        ],
    )


def write_numbers(ax: Axes, grid: pd.DataFrame, low: float, high: float) -> None:
    """The values of the axes, and in each cell log10 of its own."""
    for row, values in enumerate(grid.to_numpy()):
        for column, value in enumerate(values):
            dark = np.log(max(value, low) / low) < 0.55 * np.log(high / low)
            text = "–" if np.isnan(value) else f"≤{np.log10(FLOOR):.0f}" if value <= FLOOR else f"{np.log10(value):.1f}"
            style: dict[str, Any] = {"fontsize": "small", "color": "white" if dark else "black"}
            ax.text(column, row, text.replace("-", "−"), ha="center", va="center", gid="number", **style)
    ax.set_xticks(range(grid.shape[1]), [f"{value:g}" for value in grid.columns])
    ax.set_yticks(range(grid.shape[0]), [f"{value:g}" for value in grid.index])


def bound_figure(results: Results) -> Drawing:
    """Distance and bound of every layer, trial and epoch against cluster variation over weight decay."""
    table = bounds(results)
    table = table[(table["status"] == "interpolated") & (table["layer"] < results.config.model.depth)]
    x = (np.sqrt(table["input_cluster_variation"]) / table[DECAY]).clip(lower=LEAST_X)
    figure, ax = plt.subplots(figsize=(6.4, 4.0))
    ax.set(xlabel="√TCV of the layer's inputs / λ", ylabel="distance from rank K  ‖W − $W_K$‖")
    if table.empty:
        say(ax, NONE_FITS)
    else:
        draw_pairs(ax, table, x)
        fits = results.only(results.trials["status"] == "interpolated")
        draw_ends(ax, table, x, by_weight_decay(fits).groupby(DECAY)["spearman"].mean())
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Drawing(
        figure,
        "Distance of each weight from rank K and its upper bound, a pair of marks for each layer, network and probe; "
        f"{seeds_phrase(table, band=False)}.",
        [
            *correlations(results, table, x),
            "Distance: ‖W − W_K‖ = (Σ_{j>K} sⱼ²)^{1/2}, with sⱼ the singular values of W and W_K the nearest matrix of "
            "rank K.",
            "Bound: (1/λ) [√(TCV(δ) TCV(z)) + ‖R‖], with z the layer's inputs, δ the gradients of each sample's loss "
            "at its output before the activation, and R the objective's gradient at W. It holds at any W (our "
            "derivation, after the paper's bound for critical points, where R = 0).",
            TCV,
            "In training: the probes before the last.",
            f"Values of √TCV / λ below {LEAST_X:g}, 0 among them, are drawn there; so are distances below "
            f"{power(LEAST_Y)}.",
            OUTPUT_LEFT_OUT,
            UNFIT,
            "Left out: layers without weight decay, whose bound is infinite, and measurements that are not finite.",
            *setting(results),
        ],
    )


def correlations(results: Results, table: pd.DataFrame, x: pd.Series) -> list[str]:
    """What ρ is, and its value over all weight decays, after training and over all probes."""
    if table.empty:
        return []
    last = after_training(table)
    ranks = [of["rank_distance"].rank().corr(x[of.index].rank()) for of in (last, table)]
    return [
        "Coloured: distances after training. ρ: Spearman's rank correlation of distance and TCV at one weight decay, "
        "mean over layers and seeds, where the bound is below the norm and TCV above 0. Distance and √TCV / λ over all "
        f"layers and weight decays: {ranks[0]:.2f} after training, {ranks[1]:.2f} over all probes.".replace("-", "−")
    ]


def draw_pairs(ax: Axes, table: pd.DataFrame, x: pd.Series) -> None:
    """The bound at each x, small marks for the probes in training, large ones for the last; distances in training."""
    last = after_training(table).index
    for rows, size, alpha, when in (
        (table.index.difference(last), 1.6, 0.25, "in training"),
        (last, 4.5, 0.9, "after training"),
    ):
        style: dict[str, Any] = {"linestyle": "none", "alpha": alpha}
        bound = table["rank_distance_bound"][rows]
        ax.plot(x[rows], bound, marker="_", color=ORANGE, markersize=1.4 * size, label=f"bound, {when}", **style)
        if when == "in training":
            distance = table["rank_distance"][rows].clip(lower=LEAST_Y)
            ax.plot(x[rows], distance, marker="o", color=GREY, markersize=size, label=f"distance, {when}", **style)
    ax.set(xscale="log", yscale="log")
    if (x == LEAST_X).any():
        ax.text(
            LEAST_X, 1.02, f"{LEAST_X:g} or less", ha="center", fontsize="small", transform=ax.get_xaxis_transform()
        )


def draw_ends(ax: Axes, table: pd.DataFrame, x: pd.Series, spearman: pd.Series) -> None:
    """The distances after training, a colour a weight decay, with its correlation."""
    ends = after_training(table)
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.9, ends[DECAY].nunique()))
    for (decay, rows), colour in zip(ends.groupby(DECAY), colours, strict=True):
        value = spearman.get(decay, np.nan)
        told = f"λ = {decay:g}" + ("" if np.isnan(value) else f", ρ = {value:.2f}".replace("-", "−"))
        distance = rows["rank_distance"].clip(lower=LEAST_Y)
        style: dict[str, Any] = {"linestyle": "none", "alpha": 0.9, "markersize": 4.5, "color": colour, "label": told}
        ax.plot(x[rows.index], distance, marker="o", **style)
