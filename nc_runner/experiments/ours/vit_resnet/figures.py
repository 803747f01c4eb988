"""NC1, NC3 and training accuracy over training; NC1 at equal training accuracy and at the end; lengths and angles."""

from __future__ import annotations

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.experiments.decay import decay_times_of
from nc_runner.experiments.ours.architecture import RESNET, VIT, architecture, shown
from nc_runner.experiments.ours.vit_resnet.claims import DECAY, NC1, NC2, NC3, at, fitted
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, training
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

COLOURS = {RESNET: BLUE, VIT: ORANGE}
STYLES = ("-", "-.", ":")  # of weight decays above 0
NC1_LABEL, NC3_LABEL = "NC1: tr $S_W$ / tr $S_B$", "NC3: least cosine"
GEOMETRY = {
    "nc2_norm_variation_class_means": "NC2: norms, std / mean",
    NC2: "NC2: angles, deviation",
    "feature_norm": "feature norm",
    "weight_norm": "classifier norm",
}
TICKS = (1, 0.1, 1e-2, 1e-3, 1e-4)


def figures(results: Results) -> dict[str, Drawing]:
    """Over training; at equal accuracy; geometry and norms."""
    order = {id: i for i, id in enumerate(results.trials["id"])}
    table = results.by_epoch().sort_values("trial", key=lambda ids: ids.map(order), kind="stable")
    table = table[table["status"] != "diverged"].reset_index(drop=True)
    table = table.assign(network=architecture(results, table))
    if DECAY not in table:
        table[DECAY] = flatten(results.config)[DECAY]
    return {
        "collapse": collapse(results, table),
        "equal_accuracy": equal_accuracy(results, table),
        "geometry": geometry(results, table),
    }


def collapse(results: Results, table: pd.DataFrame) -> Drawing:
    """NC1, NC3 and training accuracy over epochs."""
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 2.9))
    for ax, metric, label in zip(
        axes, (NC1, NC3, "accuracy"), (NC1_LABEL, NC3_LABEL, "training accuracy"), strict=True
    ):
        lines(ax, table, metric)
        ax.set(xscale="log", xlabel="epoch", ylabel=label)
    axes[0].set_yscale("log")
    legend(figure, table)
    caption = f"Collapse of the last layer over training ({seeds_phrase(results.final())}; training set)."
    return Drawing(figure, caption, notes(results, table))


def equal_accuracy(results: Results, table: pd.DataFrame) -> Drawing:
    """NC1 over training error, and at the end over weight decay, of trainings that fit all samples."""
    figure, (along, end) = plt.subplots(1, 2, figsize=(8.2, 3.2), sharey=True)
    along.set(xscale="log", yscale="log", xlabel="training error", ylabel=NC1_LABEL)
    nothing = 0.5 / results.config.data.samples
    for (name, decay), rows in arms(table, NC1, "accuracy"):
        mean = rows.groupby("epoch")[[NC1, "accuracy"]].mean()
        error = (1 - mean["accuracy"]).clip(lower=nothing)
        along.plot(error.to_numpy(), mean[NC1].to_numpy(), style(table, decay), color=colour(table, name))
    if along.lines:
        along.set_xlim(1.2, nothing / 1.5)
        ticks = [tick for tick in TICKS if tick > 1.9 * nothing]
        along.set_xticks([*ticks, nothing], [*(f"{tick:g}" for tick in ticks), "0"])
        along.set_xticks([], minor=True)
    else:
        say(along, "nothing measured")
    at_end(end, table, fitted(results))
    legend(figure, table)
    seeds = seeds_phrase(results.final(), band=False)
    caption = f"NC1 as the training error falls, and at the end, a mark a seed ({seeds}; training set)."
    told = "Left: mean over seeds. Right: of the trials that fit all samples."
    return Drawing(figure, caption, [told, *notes(results, table)])


def at_end(ax: Axes, table: pd.DataFrame, fits: pd.DataFrame) -> None:
    """NC1 of each trial that fits, beside one another by weight decay."""
    decays, names = sorted(table[DECAY].unique()), list(dict.fromkeys(table["network"]))
    for place, name in enumerate(names):
        rows = fits[(fits["network"] == name) & np.isfinite(fits[NC1])]
        x = rows[DECAY].map(decays.index) + 0.16 * (place - (len(names) - 1) / 2)
        ax.plot(x.to_numpy(), rows[NC1].to_numpy(), "o", color=colour(table, name), alpha=0.8)
    ax.set(xlabel="weight decay λ", xlim=(-0.5, max(len(decays), 1) - 0.5))
    ax.set_xticks(range(len(decays)), [f"{decay:g}" for decay in decays])
    if not np.isfinite(fits[NC1]).any():
        say(ax, "nothing measured" if len(fits) else "no training fits\nall samples")


def geometry(results: Results, table: pd.DataFrame) -> Drawing:
    """Lengths and angles of the class means, and the norms of features and classifier, over epochs."""
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.8))
    for ax, (metric, label) in zip(axes, GEOMETRY.items(), strict=True):
        lines(ax, table, metric)
        ax.set(xscale="log", yscale="log", xlabel="epoch", ylabel=label)
    legend(figure, table)
    caption = (
        f"NC2 of the centred class means, and norms, over training ({seeds_phrase(results.final())}; training set)."
    )
    return Drawing(figure, caption, notes(results, table))


def arms(table: pd.DataFrame, *metrics: str) -> list[tuple[Any, pd.DataFrame]]:
    """The rows of each (network, weight decay) in which these metrics are numbers."""
    if not set(metrics) <= set(table):
        return []
    return list(table.dropna(subset=list(metrics)).groupby(["network", DECAY], sort=False))


def lines(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    """A metric over epochs, a line a network and weight decay."""
    drawn = arms(table, metric)
    for (name, decay), rows in drawn:
        plot_over(ax, rows, "epoch", metric, color=colour(table, name), linestyle=style(table, decay))
    if not drawn:
        say(ax, "nothing measured")


def colour(table: pd.DataFrame, name: str) -> str:
    """That of a network; of another than the two by its place in the table."""
    others = [other for other in dict.fromkeys(table["network"]) if other not in COLOURS]
    return COLOURS.get(name) or dict(zip(others, itertools.cycle((GREEN, PURPLE, GREY)), strict=False))[name]


def style(table: pd.DataFrame, decay: float) -> Any:
    """Dashes without weight decay, then the other styles; with more than three weight decays some are alike."""
    above = sorted(value for value in table[DECAY].unique() if value > 0)
    return STYLES[above.index(decay) % len(STYLES)] if decay else "--"


def legend(figure: Figure, table: pd.DataFrame) -> None:
    """Networks by colour, weight decays by line."""
    names, decays = dict.fromkeys(table["network"]), sorted(table[DECAY].unique())
    handles = [Line2D([], [], color=colour(table, name), linewidth=3, label=shown(name)) for name in names]
    handles += [Line2D([], [], color="0.2", linestyle=style(table, d), label=at(d)) for d in decays]
    if handles:
        figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=len(handles))


def notes(results: Results, table: pd.DataFrame) -> list[str]:
    """Conventions, networks, data and training."""
    of = flatten(results.config) | dict.fromkeys(results.varied)
    times = decay_times_of(results)[results.trials[DECAY] > 0] if DECAY in results.trials else pd.Series(dtype=float)
    data, train = results.config.data, results.config.train
    size = "all images" if data.per_class is None else f"{data.per_class:,} images of each class"
    found = [
        "All is of the whole training set in eval mode.",
        "NC1: S_W and S_B are the covariance of the features within the classes, and of the class means; the ratio of "
        "their traces. Features enter the last linear layer: mean over pixels (ResNet20) or patches (ViT).",
        "NC3: cosine of a class's row of the output weights with its class mean, both less their mean over the "
        "classes; least over the classes, 1 at collapse.",
        "NC2 of the class means less their mean: standard deviation over mean of their norms; mean absolute deviation "
        "of their cosines from −1/(C−1). Both are 0 at a simplex ETF.",
        "Feature norm: root mean square. Classifier norm: Frobenius, without the bias.",
        f"Data: {data.name.name}, {size}{training.of_data(of)}.",
        f"Training: {training.optimizer(of)}, {train.epochs:,} epochs, step size {train.learning_rate:g}"
        f"{training.step_size(of, '')}, {training.momentum(of)} {train.momentum:g}, batches of {train.batch_size}"
        f"{training.besides(of)}; the same for all networks.",
    ]
    if "parameters" in table and table["parameters"].notna().any():
        first = table.dropna(subset="parameters").drop_duplicates("network")
        sizes = zip(first["network"], first["parameters"], strict=True)
        found.append(f"Trained parameters: {', '.join(f'{shown(name)} {size:,.0f}' for name, size in sizes)}.")
    if times.notna().any():
        found.append(
            f"Decay times, the sum over the steps of 2 ηλ/(1 − momentum): {times.min():.3g} or more with weight decay."
        )
    return found
