"""Figures 1, 3, 4 and 5 of Ji et al. 2022, a row a data set, and the slopes of every curve in its terminal phase."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FormatStrFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022 import panels
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.panels import GUIDES, PANELS, RED, band, say_if_empty
from nc_runner.experiments.ji2022.terminal import CELL, by_time, slopes
from nc_runner.experiments.ji2022.words import DEFINITIONS, PREDICTED, over
from nc_runner.figures import BLUE, GREEN, GREY, PURPLE, YELLOW
from nc_runner.figures import training as how
from nc_runner.figures.drawing import Drawing

NAMES: dict[object, str] = {
    "mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST", "cifar10": "CIFAR-10",
    "resnet18": "ResNet18", "resnet20": "ResNet20", "vgg13": "VGG13",
}  # fmt: skip
TEST = " test"  # at the end of a set's name where its test split was trained on
OF_THE_PAPER = {
    ("resnet18", "mnist"): "Figure 1", ("resnet18", "cifar10"): "Figure 1", ("vgg13", "cifar10"): "Figure 3",
    ("vgg13", "mnist"): "Figure 4", ("vgg13", "kmnist"): "Figure 5",
}  # fmt: skip
EPOCHS = [2, 3, 5, 10, 30, 100, 300, 1000, 3000]
APART = 1.25  # log epochs of neighbouring tick labels, whose text would touch
CURVES = {
    "class_mean_norms": "(a) class-mean norms", "classifier_norms": "(a) classifier norms",
    "within_class": "(b) within-class variation", "class_mean_cosines": "(c) class-mean cosines",
    "classifier_cosines": "(c) classifier cosines", "self_duality": "(d) self-duality",
}  # fmt: skip


def figures(results: Results) -> dict[str, Drawing]:
    """The paper's panels, a figure a network with a row a data set; and the slopes in the terminal phase."""
    table = by_time(results)
    return {
        **{f"panels_{model}": panels_figure(results, table, model) for model in table["model.name"].unique()},
        "slopes": slopes_figure(results, table),
    }


def panels_figure(results: Results, table: pd.DataFrame, model: str) -> Drawing:
    """The paper's four panels of one network, a row a data set."""
    table = table[table["model.name"] == model]
    absent = absent_sets(results)
    sets = [*table["set"].unique(), *absent]
    table = table[table["epoch"] >= EPOCHS[0]]
    end = max([EPOCHS[1], *table["epoch"]])  # of all rows: they share the axis
    height = 2.1 * len(sets) + 0.8
    figure, axes = plt.subplots(
        len(sets), 4, figsize=(12.5, height), sharex=True, squeeze=False,
        gridspec_kw={"wspace": 0.36, "hspace": 0.16, "bottom": 0.5 / height, "top": 1 - 0.3 / height},
    )  # fmt: skip
    under = ScaledTranslation(0, -0.42, figure.dpi_scale_trans)  # the axis' labels, in inches
    for row, data in zip(axes, sets, strict=True):
        rows = table[table["set"] == data]
        for ax, (_, ylabel, curves) in zip(row, PANELS, strict=True):
            epoch_axis(ax, rows, end)
            for metric, label, colour, line in curves:
                band(ax, rows, metric, colour, line, label, clock="log_epoch")
            say_if_empty(ax, "no images" if data in absent else f"no probe from epoch {EPOCHS[0]} on")
            guides(ax, rows, [metric for metric, *_ in curves])
            ax.set(ylabel=ylabel, yscale="log")
            low, high = ax.get_ylim()
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 50 * low else (1,)))
            ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(NullFormatter())
        beside = OF_THE_PAPER.get((model, data.removesuffix(TEST)))
        words = f"{NAMES.get(model, model)}, {set_name(data)}" + (f"\n(the paper's {beside})" if beside else "")
        row[0].set_ylabel(f"{words}\n{row[0].get_ylabel()}")
    for column, (title, *_) in zip(axes.T, PANELS, strict=True):
        bottom = column[-1]
        column[0].set_title(title)
        bottom.set_xlabel("epoch (log log scale)")
        if drawn := next((found for ax in column if (found := ax.get_legend_handles_labels()[0])), None):
            place = bottom.transAxes + under
            bottom.legend(handles=drawn, loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=place)
    if table["terminal"].any():
        shade = Patch(color=panels.SHADE, label="terminal phase")
        panels.legend_above(figure, [*panels.guide_handles(slopes=False), shade])
    perfect = results.config.train.target_accuracy
    return Drawing(
        figure,
        f"Four measures of neural collapse in {NAMES.get(model, model)} over training (training set, eval mode). "
        f"{over(table['seed'].nunique(), 'seed')}.{told(absent)}",
        [
            *settings(results),
            *(f"{name}: trained on the images of its test split." for name in map(set_name, sets) if TEST in name),
            f"Shaded: terminal phase, from the first probe with training accuracy ≥ {perfect:.1%}; of several seeds, "
            "from the last one's.",
            "The horizontal axis is log log epoch, labelled by epochs.",
            "Grey guides: (log t)⁻¹ dotted, (log t)^(−1/2) dash-dotted, with t = steps × step size / (1 − momentum). "
            "They are the layer-peeled model's powers in the limit, drawn over the terminal phase; they are no "
            "prediction for real networks and not fitted.",
            *DEFINITIONS,
            f"{PREDICTED} SGD without weight decay never moves w̄, whatever the network (our derivation).",
        ],
    )


def absent_sets(results: Results) -> list[str]:
    """The data sets of the grid of which there is no trial; none where the trials are of one, which was then chosen."""
    there = results.trials["data.name"].unique()
    return (
        [name for name in dict.fromkeys(results.grid.get("data.name", [])) if name not in there]
        if len(there) > 1
        else []
    )


def told(absent: list[str]) -> str:
    """A sentence on the rows that are empty."""
    names = " and ".join(map(set_name, absent))
    return f" {names}: the images are not there." if absent else ""


def set_name(name: str) -> str:
    """A data set as a person writes it, with its split where that is not the training split."""
    known = name.removesuffix(TEST)
    return f"{NAMES.get(known, known)}{' test' if known != name else ''}"


def settings(results: Results) -> list[str]:
    """How the networks were trained, in sentences for the notes."""
    data, train, model = results.config.data, results.config.train, results.config.model
    size = "the whole training set" if data.per_class is None else f"{data.per_class:,} images of each class"
    batches = "the full batch" if train.batch_size is None else f"batches of {train.batch_size}"
    decay = "no weight decay" if train.weight_decay == 0 else f"weight decay {train.weight_decay:g}"
    own = flatten(results.config)
    falls = how.step_size(own, "")
    return [
        f"Data: {size}{how.of_data(own)}. Channels of the first convolution: {model.channels}.",
        f"{how.optimizer(own)} on the cross-entropy for {train.epochs:,} epochs, {decay}, step size "
        f"{train.learning_rate:g}{falls}, {how.momentum(own)} {train.momentum:g}, {batches}{how.besides(own)}.",
        "Features: the inputs of the output layer, of the whole training set in eval mode (BatchNorm by its running "
        "statistics) [choice].",
    ]


def epoch_axis(ax: Axes, rows: pd.DataFrame, end: int) -> None:
    """log log epoch to ``end``: log epoch on a log scale, with epochs as labels, and the terminal phase shaded."""
    ax.set(xscale="log", xlim=(np.log(EPOCHS[0]), np.log(end)))
    shown = [epoch for epoch in EPOCHS if APART * np.log(epoch) < np.log(end)] + [end]
    ax.xaxis.set_major_locator(FixedLocator(np.log(shown).tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda x, _: f"{np.exp(x):.0f}")
    starts = rows[rows["terminal"]].groupby("trial")["log_epoch"].min()
    if len(starts):
        ax.axvspan(starts.max(), np.log(end), color=panels.SHADE, linewidth=0, zorder=0)


def guides(ax: Axes, rows: pd.DataFrame, metrics: list[str]) -> None:
    """Powers -1 and -1/2 of log t over the terminal phase, under and over the curves where it begins."""
    terminal = rows[rows["terminal"] & (rows["log_t"] >= 1)]
    terminal = terminal[terminal["trial"] == terminal["trial"].min()].sort_values("epoch")
    values = terminal[metrics].where(lambda v: v > 0)
    if len(terminal) < 2 or values.iloc[0].isna().all():
        return
    grown = terminal["log_t"] / terminal["log_t"].iloc[0]
    first = values.iloc[0]
    panels.guides(ax, terminal["log_epoch"], grown, under=0.6 * first.min(), over=1.6 * first.max())


def slopes_figure(results: Results, table: pd.DataFrame) -> Drawing:
    """Slopes of the six curves against either clock, a mark a network and data set."""
    cells = list(table.groupby(CELL, sort=False))
    models, sets = list(table["model.name"].unique()), list(table["set"].unique())
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
        say_if_empty(ax, "no slope: the terminal phase\nis missing or too short")
        ax.axvline(0, color="black", linewidth=0.8, zorder=1.6)
        for power, _, style, _ in GUIDES:
            ax.axvline(power, color="black", linewidth=0.8, linestyle=style, zorder=1.6)
        ax.set(xlabel=f"d log y / d log log {name}", title=f"Powers of log {name}")
        ax.set_yticks(range(len(CURVES)), list(CURVES.values()))
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], color=colours[d], marker=markers[m], linestyle="none",
               label=f"{NAMES.get(m, str(m))}, {set_name(str(d))}")
        for (m, d), _ in cells
    ]  # fmt: skip
    if handles:
        figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=min(4, len(handles)))
    meanings = ("layer-peeled model in the limit", "its uncentred classifier norms")
    panels.legend_above(figure, [
        Line2D([], [], color="black", linewidth=0.8, linestyle=style, label=f"{power}: {meaning}")
        for (_, power, style, _), meaning in zip(GUIDES, meanings, strict=True)
    ])  # fmt: skip
    perfect, seeds = results.config.train.target_accuracy, table["seed"].nunique()
    shown = "one seed" if seeds == 1 else f"mean over {seeds} seeds, with a bar from least to largest"
    return Drawing(
        figure,
        "Slopes of the logs of six measures against log log epoch and log log t, by least squares over the terminal "
        f"phase. A marker a network and data set: {shown}.",
        [
            *settings(results),
            "Slopes are of natural logs: the power of log epoch (left) or log t (right) by which a measure y falls. "
            "A slope over 2.30 is in decades of y per unit of log log epoch.",
            "t = steps × step size / (1 − momentum), the time of gradient flow.",
            f"Terminal phase: from the first probe with training accuracy ≥ {perfect:.1%}.",
            "Dotted: −1, the layer-peeled model in the limit. Dash-dotted: −1/2, its uncentred classifier norms. "
            "Solid: 0, no fall.",
            "Measures: of (a) the norms of class means and of classifiers as they are, of (b) tr S_W / tr S_B, of (c) "
            "the cosines of class means and of centred classifiers, and (d).",
            *DEFINITIONS,
        ],
    )
