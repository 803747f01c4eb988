"""The heat maps of Figure 1 of Zangrando et al. 2026, and the bound over every measurement."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.rank_tcv_claims import DECAY, DISTANCE, FLOOR, SIGMA, bounds
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.series import caption, seeds_phrase

LEAST_X = 0.3  # where clusters without variation are drawn


def setting(results: Results) -> str:
    """The network and data of a run, in words for its caption."""
    config = results.config
    return (
        f"{config.model.depth}-layer {config.model.activation.name} networks of width {config.model.width} without "
        f"biases; {config.data.samples} samples of K = {config.data.classes} Gaussians in {config.data.dim} dimensions "
        f"with {config.data.means.name} means; full-batch descent on the mean squared error, "
        f"{config.train.epochs:,} steps"
    )


def heat_maps(results: Results) -> Figure:
    """Log relative distance from rank K over weight decay and noise, a panel a layer whose rank can exceed K."""
    table = results.final_by_layer(DISTANCE)
    table = table[(table["status"] != "diverged") & (table["layer"] < results.config.model.depth)]
    shown = sorted(table["layer"].unique())
    low = max(FLOOR, float(table[DISTANCE].clip(lower=FLOOR).min()))
    high = max(float(table[DISTANCE].max()), 10 * low)
    scale = LogNorm(low, high)
    figure, axes = plt.subplots(1, len(shown), figsize=(2.9 * len(shown) + 0.9, 2.9), sharey=True, squeeze=False)
    for ax, layer in zip(axes[0], shown, strict=True):
        grid = table[table["layer"] == layer].pivot_table(index=SIGMA, columns=DECAY, values=DISTANCE)
        image = ax.imshow(grid.clip(lower=low), norm=scale, cmap="viridis", origin="lower", aspect="auto")
        for row, values in enumerate(grid.to_numpy()):
            for column, value in enumerate(values):
                dark = np.log(max(value, low) / low) < 0.55 * np.log(high / low)
                text = "0" if value <= FLOOR else f"{np.log10(value):.1f}"
                ax.text(column, row, text, ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
        ax.set_xticks(range(grid.shape[1]), [f"{value:g}" for value in grid.columns], rotation=45, fontsize=7)
        ax.set_yticks(range(grid.shape[0]), [f"{value:g}" for value in grid.index])
        ax.set(title=f"layer {layer}", xlabel="weight decay λ")
        ax.grid(False)
    axes[0, 0].set_ylabel("noise σ")
    figure.colorbar(image, ax=axes[0].tolist(), label=r"$\sum_{j>K} s_j^2 / \sum_j s_j^2$", pad=0.02)
    caption(
        figure,
        f"Relative squared distance of each weight from the matrices of rank K; numbers are log₁₀, 0 where it is below "
        f"{FLOOR:g}. {setting(results)}; {seeds_phrase(table, band=False)}. The last layer has K rows.",
        width=150,
        below=3,
    )
    return figure


def bound_figure(results: Results) -> Figure:
    """Distance and bound of every layer, trial and epoch against cluster variation over weight decay."""
    table = bounds(results)
    table = table[table["layer"] < results.config.model.depth]
    x = (np.sqrt(table["input_cluster_variation"]) / table[DECAY]).clip(lower=LEAST_X)
    last = table["epoch"] == table.groupby("id")["epoch"].transform("max")
    figure, ax = plt.subplots(figsize=(6.4, 4.0))
    floor = 1e-8
    for rows, size, alpha in ((~last, 1.6, 0.25), (last, 4.5, 0.9)):
        ax.plot(x[rows], table["rank_distance_bound"][rows], "_", color=ORANGE, markersize=1.4 * size, alpha=alpha)
        ax.plot(x[rows], table["rank_distance"][rows].clip(lower=floor), "o", color=BLUE, markersize=size, alpha=alpha)
    handles = [
        mpl.lines.Line2D([], [], color=ORANGE, marker="_", linestyle="none", label="bound"),
        mpl.lines.Line2D([], [], color=BLUE, marker="o", linestyle="none", label="measured"),
    ]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    if (x == LEAST_X).any():
        ax.text(LEAST_X, 1.02, "TCV = 0", ha="center", fontsize=7.5, transform=ax.get_xaxis_transform())
    ax.set(
        xscale="log", yscale="log", xlabel="√TCV of the layer's inputs / λ", ylabel="distance from rank K  ‖W − W_K‖"
    )
    caption(
        figure,
        "Each weight at each probe: its distance from rank K and the bound (1/λ)[√(TCV(δ) TCV(z)) + ‖∇‖], which holds "
        f"at any point. Large marks: after training; measured values below {floor:g} are drawn there. TCV: mean over "
        f"samples. {setting(results)}.",
        width=110,
        below=3,
    )
    return figure
