"""Rank of gradients against the size of their batch."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nc_runner.experiments.base import Results
from nc_runner.experiments.batch_gradient_rank_claims import SIGMA, TOLERANCE, ranks
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.series import caption, seeds_phrase

TICKS = [1, 3, 10, 30, 100, 300]


def rank_figure(results: Results) -> dict[str, Figure]:
    """A row a sigma, a column a layer; untrained and trained in each."""
    table = ranks(results)
    if table.empty:
        return {}
    sigmas, layers = sorted(table[SIGMA].unique()), sorted(table["layer"].unique())
    figure, axes = plt.subplots(
        len(sigmas),
        len(layers),
        figsize=(2.2 * len(layers) + 0.4, 2.2 * len(sigmas) + 0.4),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for sigma, of_row in zip(sigmas, axes, strict=True):
        for layer, ax in zip(layers, of_row, strict=True):
            of = table[(table[SIGMA] == sigma) & (table["layer"] == layer)]
            bound = of.groupby("size")["sides"].max().clip(upper=of["distinct"].max())
            bound = bound.clip(upper=bound.index.to_series())
            ax.plot(bound.index, bound, color="black", linestyle="--", linewidth=1.1, zorder=1.8, label="bound")
            for trained, color, mark in (
                (False, BLUE, {"marker": "o", "markersize": 7, "fillstyle": "none"}),
                (True, ORANGE, {"marker": "o", "markersize": 3.2}),
            ):
                rows = of[of["trained"] == trained]
                name = "after training" if trained else "before training"
                ax.plot(rows["size"], rows["rank"], color=color, linestyle="none", label=name, zorder=2, **mark)
            ax.set(xscale="log", yscale="log", ylim=(0.8, 1.5 * table["sides"].max()))
            if sigma == sigmas[0]:
                ax.set_title(f"layer {layer}" if layer < results.config.model.depth else f"layer {layer} (output)")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(FixedLocator(TICKS))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        of_row[0].set_ylabel(f"σ = {sigma:g}\nrank of the gradient")
    for ax in axes[-1]:
        ax.set_xlabel("batch size |B|")
    figure.tight_layout()
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=3)
    caption(figure, words(results, table["draw"].nunique(), seeds_phrase(table, band=False)), width=150)
    return {"rank_against_batch": figure}


def words(results: Results, draws: int, seeds: str) -> str:
    """What is drawn and by which convention."""
    config = results.config
    return (
        f"Number of singular values above {TOLERANCE:g} of the largest, of the mean loss's gradient at each weight, on "
        f"{draws} random batches of each size, in {config.train.precision.name}. Dashed: the least of |B|, "
        "the sides of the weight and, with σ = 0, where only K samples differ, K; points below it there are batches "
        f"that miss a class. {config.model.depth}-layer {config.model.activation.name} networks of width "
        f"{config.model.width} without biases, {config.data.samples} samples of K = {config.data.classes} Gaussians in "
        f"{config.data.dim} dimensions; {seeds}."
    )
