"""Figures 1, 3, 4 and 5 of Ji et al. 2022, a row a data set, and the slopes of every curve in its terminal phase."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FormatStrFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from nc_runner.configs import changed_from_paper
from nc_runner.experiments.base import Results
from nc_runner.experiments.ulpm_flow_claims import STATEMENTS
from nc_runner.experiments.ulpm_flow_figures import PANELS, RED, band
from nc_runner.experiments.unregularized_terminal import CELL, slopes
from nc_runner.figures import BLUE, GREEN, GREY, PURPLE, YELLOW
from nc_runner.figures.series import caption, seeds_phrase

NAMES: dict[object, str] = {
    "mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST", "cifar10": "CIFAR-10",
    "resnet18": "ResNet18", "resnet20": "ResNet20", "vgg13": "VGG13",
}  # fmt: skip
OF_THE_PAPER = {
    ("resnet18", "mnist"): "Figure 1", ("resnet18", "cifar10"): "Figure 1", ("vgg13", "cifar10"): "Figure 3",
    ("vgg13", "mnist"): "Figure 4", ("vgg13", "kmnist"): "Figure 5",
}  # fmt: skip
TERMINAL = "0.93"
EPOCHS = [2, 3, 5, 10, 30, 100, 300, 1000, 3000]
APART = 1.25  # log epochs of neighbouring tick labels, whose text would touch
CURVES = {
    "class_mean_norms": "(a) class-mean norms", "classifier_norms": "(a) classifier norms",
    "within_class": "(b) within-class variation", "class_mean_cosines": "(c) class-mean cosines",
    "classifier_cosines": "(c) classifier cosines", "self_duality": "(d) self-duality",
}  # fmt: skip


def panels_figure(results: Results, table: pd.DataFrame, model: str) -> Figure:
    """The paper's four panels of one network, a row a data set."""
    table = table[table["model.name"] == model]
    sets = list(table["data.name"].unique())
    table = table[table["epoch"] >= EPOCHS[0]]
    table = table.assign(log_t_flow=table["log_t"], log_t=table["log_epoch"])  # log_t is the axis of ``band``
    height = 2.1 * len(sets) + 0.8
    figure, axes = plt.subplots(
        len(sets), 4, figsize=(12.5, height), sharex=True, squeeze=False,
        gridspec_kw={"wspace": 0.36, "hspace": 0.16, "bottom": 0.5 / height, "top": 1 - 0.3 / height},
    )  # fmt: skip
    under = ScaledTranslation(0, -0.42, figure.dpi_scale_trans)  # the axis' labels, in inches
    for row, data in zip(axes, sets, strict=True):
        rows = table[table["data.name"] == data]
        for ax, (_, ylabel, curves) in zip(row, PANELS, strict=True):
            epoch_axis(ax, rows)
            for metric, label, colour, line in curves:
                band(ax, rows, metric, colour, line, label)
            guides(ax, rows, [metric for metric, *_ in curves])
            ax.set(ylabel=ylabel, yscale="log")
            low, high = ax.get_ylim()
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
            ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        beside = OF_THE_PAPER.get((model, data))
        words = f"{NAMES.get(model, model)}, {NAMES.get(data, data)}" + (f"\n(the paper's {beside})" if beside else "")
        row[0].text(-0.42, 0.5, words, rotation=90, ha="center", va="center", transform=row[0].transAxes, fontsize=9.5)
    for top, bottom, (title, *_) in zip(axes[0], axes[-1], PANELS, strict=True):
        top.set_title(title)
        bottom.set_xlabel("epoch (log log scale)")
        if drawn := bottom.get_legend_handles_labels()[0]:
            place = bottom.transAxes + under
            bottom.legend(handles=drawn, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=place)
    caption(
        figure,
        f"{setting(results)}. {conventions(results, table)} {changed_from_paper(results.config)}",
        width=175,
        below=6,
    )
    return figure


def setting(results: Results) -> str:
    """How the networks were trained, in words."""
    data, train = results.config.data, results.config.train
    size = "the whole training set" if data.per_class is None else f"{data.per_class:,} images of each class"
    batches = "the full batch" if train.batch_size is None else f"batches of {train.batch_size}"
    decay = "no weight decay" if train.weight_decay == 0 else f"weight decay {train.weight_decay:g}"
    return (
        f"{size}; SGD on the cross-entropy, {decay}, step size {train.learning_rate:g}, momentum {train.momentum:g}, "
        f"{batches}"
    )


def conventions(results: Results, table: pd.DataFrame) -> str:
    """What is drawn, in words."""
    return (
        f"Training set in eval mode; {seeds_phrase(table)}. Shaded: terminal phase, from the first probe with training "
        f"accuracy ≥ {results.config.train.target_accuracy:.1%}. Guides in black: (log t)⁻¹ dotted and (log t)^(−1/2) "
        "dash-dotted, the layer-peeled model's powers in the limit, with t = steps × step size / (1 − momentum); "
        "no prediction for real networks. Predicted: "
        "by the classifiers' mean alone, which SGD without weight decay never moves. Class means centred by their "
        "mean; std and mean over the K classes, divided by K; cosines over ordered pairs of classes."
    )


def epoch_axis(ax: Axes, rows: pd.DataFrame) -> None:
    """log log epoch: log epoch on a log scale, with epochs as labels, and the terminal phase shaded."""
    end = max([EPOCHS[1], *rows["epoch"]])
    ax.set(xscale="log", xlim=(np.log(EPOCHS[0]), np.log(end)))
    shown = [epoch for epoch in EPOCHS if APART * np.log(epoch) < np.log(end)] + [end]
    ax.xaxis.set_major_locator(FixedLocator(np.log(shown).tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda x, _: f"{np.exp(x):.0f}")
    starts = rows[rows["terminal"]].groupby("trial")["log_epoch"].min()
    if len(starts):
        ax.axvspan(starts.max(), np.log(end), color=TERMINAL, linewidth=0, zorder=0)


def guides(ax: Axes, rows: pd.DataFrame, metrics: list[str]) -> None:
    """Powers -1 and -1/2 of log t over the terminal phase, under and over the curves where it begins."""
    terminal = rows[rows["terminal"] & (rows["log_t_flow"] >= 1)]
    terminal = terminal[terminal["trial"] == terminal["trial"].min()].sort_values("epoch")
    values = terminal[metrics].where(lambda v: v > 0)
    if len(terminal) < 2 or values.iloc[0].isna().all():
        return
    grown = terminal["log_t_flow"] / terminal["log_t_flow"].iloc[0]
    ax.plot(
        terminal["log_epoch"], 0.6 * values.iloc[0].min() * grown**-1.0, color="black", linewidth=0.9, linestyle=":"
    )
    ax.plot(
        terminal["log_epoch"], 1.6 * values.iloc[0].max() * grown**-0.5, color="black", linewidth=0.9, linestyle="-."
    )


def slopes_figure(results: Results, table: pd.DataFrame) -> Figure:
    """Slopes of the six curves against either clock, a mark a network and data set."""
    cells = list(table.groupby(CELL, sort=False))
    models, sets = list(table["model.name"].unique()), list(table["data.name"].unique())
    colours = dict(zip(sets, [BLUE, RED, GREEN, PURPLE, YELLOW, GREY], strict=False))
    markers = dict(zip(models, "os^D", strict=False))
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True, gridspec_kw={"wspace": 0.08})
    for ax, clock, name in zip(axes, ("log_epoch", "log_t"), ("epoch", "t"), strict=True):
        for at, curve in enumerate(CURVES):
            for i, ((model, data), rows) in enumerate(cells):
                found = np.array(slopes(rows, STATEMENTS[curve][1], clock))
                found = found[np.isfinite(found)]
                if len(found):
                    y = at + 0.5 * ((i + 0.5) / len(cells) - 0.5)
                    ax.plot([found.min(), found.max()], [y, y], color=colours[data], linewidth=1.2)
                    ax.plot(found.mean(), y, markers[model], color=colours[data], markersize=5)
        for power, style in ((0, "-"), (-0.5, "-."), (-1, ":")):
            ax.axvline(power, color="black", linewidth=0.8, linestyle=style, zorder=2)
        ax.set(xlabel=f"d log y / d log log {name}")
        ax.set_yticks(range(len(CURVES)), list(CURVES.values()))
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], color=colours[d], marker=markers[m], linestyle="none",
               label=f"{NAMES.get(m, str(m))}, {NAMES.get(d, str(d))}")
        for (m, d), _ in cells
    ]  # fmt: skip
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=min(4, max(1, len(handles))))
    caption(
        figure,
        "Slopes of natural logs by least squares over the terminal phase: a measure's power of log epoch, left (over "
        "2.30: decades a unit of log log epoch), and of log t, right, with t = steps × step size / (1 − momentum). "
        f"{setting(results)}; {seeds_phrase(table)}. Dotted: −1, the layer-peeled model in the limit; dash-dotted: "
        "−1/2, its uncentred classifier norms. Measures: tr S_W / tr S_B within classes, cosines of centred "
        "classifiers, norms of classifiers as they are.",
        width=140,
        below=3,
    )
    return figure
