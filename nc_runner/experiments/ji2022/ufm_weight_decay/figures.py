"""What was trained as points over the closed form of the optimum as lines."""

from __future__ import annotations

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nc_runner import theory
from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022.panels import say_if_empty
from nc_runner.experiments.ji2022.ufm_weight_decay.claims import COMPARED, compared
from nc_runner.experiments.ji2022.words import peeled_model
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures import training as how
from nc_runner.figures.drawing import Drawing

TITLES = ("Logit gap", "Classifier norm", "Feature norm", "Loss", "Distance from the optimum")
LEAST = 1e-16  # a smaller distance is drawn as this
R = "r = √(n λ$_W$ λ$_H$)"


def figures(results: Results) -> dict[str, Drawing]:
    """Gap, norms and loss over r, the closed form as lines; and how far apart the objectives are."""
    table, config = compared(results), results.config
    own = flatten(config)
    classes, per_class = config.data.classes, config.data.samples // config.data.classes
    figure, axes = plt.subplots(1, 5, figsize=(13.5, 2.7), gridspec_kw={"wspace": 0.5})
    colours = dict(
        zip(sorted(table["ratio"].unique(), reverse=True), cycle((BLUE, ORANGE, "0.4", "0.6")), strict=False)
    )
    for ax, (metric, label, name) in zip(axes, COMPARED, strict=False):
        for ratio, rows in table.groupby("ratio"):
            r = np.geomspace(0.8 * table["r"].min(), 1.2 * table["r"].max(), 400)
            on_weight = torch.tensor(r / np.sqrt(per_class * float(str(ratio))))
            optimum = theory.ufm_optimum(classes, per_class, on_weight, on_weight * float(str(ratio)))
            ax.plot(r, getattr(optimum, name), color=colours[ratio], linewidth=1.1)
            ax.plot(rows["r"], rows[metric], "o", color=colours[ratio], markersize=4)
        say_if_empty(ax, "nothing trained")
        ax.set(xscale="log", ylabel=label)
    ax = axes[-1]
    for ratio, rows in table.groupby("ratio"):
        kept = rows[rows["r"] < 1 / classes]
        if len(kept):
            off = (kept["total"] / kept["optimum_total"] - 1).abs().clip(lower=LEAST)
            ax.plot(kept["r"], off, "o", color=colours[ratio], markersize=4)
    say_if_empty(ax, "nothing trained\nbelow r = 1/K")
    ax.set(xscale="log", yscale="log", ylabel="|objective / optimum − 1|")
    for ax, title in zip(axes, TITLES, strict=True):
        threshold(ax, classes)
        ax.set(title=title, xlabel=R)
    figure.legend(handles=handles(colours), loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=len(colours) + 3)
    seeds = table["seed"].nunique()
    return {
        "closed_form": Drawing(
            figure,
            "Free features and a classifier trained under weight decay (a point a trial, "
            f"{seeds} seed{'s' * (seeds != 1)} at each weight decay), against the closed form of the optimum (lines).",
            [
                peeled_model(config),
                "Objective: mean cross-entropy + (λ_W/2)‖W‖² + (λ_H/2)‖H‖².",
                f"{how.optimizer(own, 'Gradient descent')} on all samples, step size {config.train.learning_rate:g}"
                f"{how.step_size(own, '')}, {how.momentum(own)} {config.train.momentum:g}, {config.train.epochs:,} "
                "steps, from iid normal starts of standard "
                f"deviation {config.model.start_scale:g}.",
                "Logit gap: the true class's logit less the mean of the others, mean over samples.",
                "Lines: closed form (our derivation). With r = √(n λ_W λ_H) < 1/K: gap z = ln(1/r − K + 1), "
                "‖W‖² = (K−1) √(n λ_H/λ_W) z, ‖H‖² = (K−1) √(n λ_W/λ_H) z, cross-entropy −ln(1 − (K−1) r).",
                "Dotted: r = 1/K. From there on the optimum is W = 0 and H = 0.",
                f"Last panel: trials with r < 1/K alone; distances below {LEAST:g} are drawn at {LEAST:g}.",
            ],
        )
    }


def handles(colours: dict[float, str]) -> list[Line2D]:
    """The entries of the legend: a colour a ratio of weight decays, then what points, lines and dots are."""
    return [
        *(
            Line2D(
                [], [], color=colour, linewidth=4, label="λ$_H$ = " + (f"{ratio:g} " if ratio != 1 else "") + "λ$_W$"
            )
            for ratio, colour in colours.items()
        ),
        Line2D([], [], color=GREY, linestyle="none", marker="o", markersize=4, label="trained"),
        Line2D([], [], color=GREY, linewidth=1.1, label="closed form"),
        Line2D([], [], color="black", linewidth=0.8, linestyle=":", label="r = 1/K"),
    ]


def threshold(ax: Axes, classes: int) -> None:
    """Where the optimum becomes zero."""
    ax.axvline(1 / classes, color="black", linewidth=0.8, linestyle=":")
