"""Figure 3.3 of Pan 2023, and with it effective depth and g: by weight decay, and as training goes on."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, NC3
from nc_runner.experiments.pan2023.effective_depth import DEPTH_EPS, NCC, effective_depths
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE
from nc_runner.figures.drawing import Drawing, colour_bar, say
from nc_runner.figures.series import plot_over, seeds_phrase

COLUMNS = 4
LINES = (
    (NCC, GREEN, "o", "NCC accuracy"),
    (INTRA, BLUE, "^", "min intra-class cosine"),
    (INTER, ORANGE, "v", "max inter-class cosine"),
    (NC3, PURPLE, "D", "NC3 cosine of the last"),
)
NCC_ACCURACY = (
    "NCC accuracy: share of the training samples nearest to their own class mean (nearest class centre), in Euclidean "
    "distance, the means taken over the training set."
)
HIDDEN = "Hidden layers are measured after their BatchNorm, in eval mode."


def figures(results: Results) -> dict[str, Drawing]:
    """Figure 3.3, effective depth and g over layer and weight decay, and g by layer as training goes on."""
    return {
        "figure_3_3": layers_figure(results),
        "effective_depth": weight_decay_figure(results),
        "sharpening": sharpening_figure(results),
    }


def panels(count: int) -> tuple[Figure, list[Axes], Axes | None]:
    """Panels in rows of four: the figure, the panels, and the first empty place if there is one."""
    rows = max(-(-count // COLUMNS), 1)
    figure, axes = plt.subplots(
        rows, COLUMNS, figsize=(2.5 * COLUMNS, 2.25 * rows + 0.3), sharex=True, sharey=True, squeeze=False
    )
    every = list(axes.flat)
    if not count:
        say(every[0], "no finished trial")
    for ax in every[count:]:
        ax.axis("off")
    for column in range(COLUMNS):  # the lowest panel of each column keeps its ticks
        lowest = max((i for i in range(count) if i % COLUMNS == column), default=None)
        if lowest is not None:
            every[lowest].xaxis.set_major_locator(MaxNLocator(5, integer=True))  # of all, as they share their axis
            every[lowest].tick_params(labelbottom=True)
            every[lowest].set_xlabel("layer from the input")
    figure.subplots_adjust(wspace=0.1, hspace=0.3)
    return figure, every[:count], every[count] if count < len(every) else None


def drawn(layers: pd.DataFrame) -> pd.DataFrame:
    """The rows of the trials that fit, and of all at a weight decay where none does."""
    fits = layers["status"] == "interpolated"
    return layers[fits | ~fits.groupby(layers[WEIGHT_DECAY]).transform("any")]


def title(trials: pd.DataFrame, decay: float) -> str:
    """A panel's weight decay, and how many of its trials are left out; where none fits, the accuracies they reach."""
    of_decay = trials[trials[WEIGHT_DECAY] == decay]
    failed = of_decay[of_decay["status"] != "interpolated"].sort_values("accuracy")
    if failed.empty:
        return f"λ = {decay:g}"
    if len(failed) < len(of_decay):
        return f"λ = {decay:g}\n{len(failed)} of {len(of_decay)} underfit, left out"
    span = dict.fromkeys(words.reached(failed.iloc[[0, -1]]))
    return f"λ = {decay:g}, underfit\naccuracy {' to '.join(span)}"


def underfit(trials: pd.DataFrame) -> str:
    """The trials that do not fit, and what each reached: left out, or drawn where none fits."""
    fits = (trials["status"] == "interpolated").groupby(trials[WEIGHT_DECAY])

    def said(which: pd.Series[bool]) -> str:
        failed = trials[(trials["status"] != "interpolated") & which].groupby(WEIGHT_DECAY)
        return "; ".join(f"{', '.join(words.reached(rows))} at λ = {decay:g}" for decay, rows in failed)

    left, none = said(fits.transform("any")), said(~fits.transform("any"))
    of = "that do not fit their training set, with their training accuracy"
    parts = [f"Left out: trials {of}: {left}."] if left else []
    parts += [f"Drawn, as none fits there: trials {of}: {none}."] if none else []
    return " ".join(parts) or "Every trial fits its training set."


def layers_figure(results: Results) -> Drawing:
    """A panel a weight decay: NCC accuracy, min intra and max inter cosine against the layer (Pan 2023, Figure 3.3)."""
    layers, trials = results.final_by_layer(NCC, INTRA, INTER, NC3), results.final()
    hidden = drawn(layers[layers["layer"] < results.config.model.depth])
    decays = sorted(hidden[WEIGHT_DECAY].unique())
    figure, axes, spare = panels(len(decays))
    for ax, decay in zip(axes, decays, strict=True):
        for metric, colour, marker, label in (line for line in LINES if line[0] in hidden):
            of_decay = hidden[hidden[WEIGHT_DECAY] == decay].dropna(subset=metric)
            plot_over(ax, of_decay, "layer", metric, color=colour, marker=marker, markersize=4, label=label)
        ax.axhline(
            -1 / (results.config.data.classes - 1),
            color=GREY,
            linestyle="--",
            linewidth=1,
            label="simplex ETF, −1/(C−1)",
        )
        ax.set(ylim=(-0.4, 1.1))
        ax.set_title(title(trials, decay))
    for ax in axes[::COLUMNS]:
        ax.set_ylabel("NCC accuracy, cosine")
    handles, labels = axes[0].get_legend_handles_labels() if axes else ([], [])
    if spare is not None and handles:
        spare.legend(handles, labels, loc="center left")
    elif handles:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.95), ncols=4)
    return Drawing(
        figure,
        f"Lines: the hidden layers after training, one panel per weight decay λ, {seeds_phrase(trials)}. "
        f"{words.UNCENTRED}",
        [
            *words.COSINES,
            words.SELF_PAIRS,
            NCC_ACCURACY,
            words.NC3,
            HIDDEN,
            underfit(trials),
            *words.setting(results.config, trials),
        ],
    )


def weight_decay_figure(results: Results) -> Drawing:
    """Effective depth against weight decay for several eps; g over layer and weight decay."""
    layers, trials = results.final_by_layer(NCC, INTRA, INTER), results.final()
    fits = layers[layers["status"] == "interpolated"]
    depth = results.config.model.depth
    hidden = drawn(layers[layers["layer"] < depth])
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
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    else:
        decays = sorted(trials[WEIGHT_DECAY]) or [1e-4, 1e-2]
        left.set_xlim(decays[0] / 1.2, decays[-1] * 1.2)
        say(left, words.none_fits(results.config))

    gap = (
        hidden.assign(gap=hidden[INTRA] - hidden[INTER]).groupby([WEIGHT_DECAY, "layer"])["gap"].mean().unstack("layer")
    )
    best = 1 + 1 / (results.config.data.classes - 1)
    image = right.imshow(gap.to_numpy(), origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=best)
    right.set_yticks(range(len(gap)), [f"{decay:g}" for decay in gap.index])
    right.set_xticks(range(0, gap.shape[1], 2), [str(layer) for layer in gap.columns[::2]])
    right.set(xlabel="layer from the input", ylabel="weight decay λ", title="g = min intra − max inter")
    right.grid(visible=False)
    colour_bar(right, image, f"g (simplex ETF: {best:.2f})", extend="min")
    return Drawing(
        figure,
        f"Left: effective depth of the trials that fit, {seeds_phrase(trials)}. Right: g, "
        f"{words.mean_over_seeds(trials)}. {words.UNCENTRED}",
        [
            "Effective depth: the least layer with an NCC error of at most ε, the NCC error being 1 − NCC accuracy "
            "(Definition 3.2.2 of the thesis).",
            NCC_ACCURACY,
            f"The output layer counts as layer {depth}. Effective depth is {depth} too where no layer reaches ε.",
            *words.COSINES,
            words.SELF_PAIRS,
            words.GAP,
            HIDDEN,
            f"{words.left_out(results.config, trials)} The right panel has those of weight decays where none fits.",
            *words.setting(results.config, trials),
        ],
    )


def sharpening_figure(results: Results) -> Drawing:
    """g against the layer, a line an epoch, a panel a weight decay."""
    layers, trials = results.by_layer(INTRA, INTER), results.final()
    layers = drawn(layers[layers["layer"] < results.config.model.depth]).assign(gap=lambda t: t[INTRA] - t[INTER])
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
        ax.set_title(title(trials, decay))
    for ax in axes[::COLUMNS]:
        ax.set_ylabel("g = min intra − max inter")
    if axes:
        colour_bar(axes[:COLUMNS][-1], plt.cm.ScalarMappable(scale, "viridis_r"), "epoch")
    return Drawing(
        figure,
        f"Lines: the hidden layers at one epoch each, one panel per weight decay λ, "
        f"{words.mean_over_seeds(trials)}. {words.UNCENTRED}",
        [
            words.GAP,
            *words.COSINES,
            words.SELF_PAIRS,
            HIDDEN,
            underfit(trials),
            *words.setting(results.config, trials),
        ],
    )
