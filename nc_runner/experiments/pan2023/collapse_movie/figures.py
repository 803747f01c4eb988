"""Collapse on the simplex plane: a strip of frames to print (Figure 1.2 of Pan 2023), and a movie."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.movie_frames import Frame, chosen, half_width, reach, read_frames
from nc_runner.experiments.pan2023.simplex_plane import simplex
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, YELLOW
from nc_runner.figures.drawing import Drawing, say

COLOURS, SHAPES = [BLUE, YELLOW, GREEN, PURPLE], ["o", "s", "^", "D"]
CURVES = {  # metric: label, colour, line; how far from collapse, so every curve falls
    "within_between_trace_ratio": ("NC1: tr $S_W$ / tr $S_B$", BLUE, "-"),
    "etf_cosine_deviation_class_means": ("NC2: mean |cos + 1/(C−1)|", ORANGE, "--"),
    "duality_gap": ("NC3: 1 − least cos($w_c$, mean)", "black", "-."),
}
CONVENTION = (
    "Plane: the row space of the centred output weights, turned so that the rows lie nearest to a fixed regular "
    "simplex (orthogonal Procrustes). No feature enters.",
    "In each frame all features are centred by the mean of the class means and divided by the mean length of the "
    "centred class means in the whole feature space.",
    "Classifier rows are the rows of the output weights, centred and divided by their mean length.",
    "Distances out of the plane are not shown. The share of the features' variance inside it is written under each "
    "frame.",
)
PLANE = {3: "plane", 4: "3-D span"}  # that the classifiers' centred rows lie in


def figures(results: Results) -> dict[str, Drawing]:
    """The strip of frames, a row a trial."""
    frames = read_frames(results)
    if not frames:
        figure, ax = plt.subplots(figsize=(4.5, 2.4))
        say(ax, "no trial has a defined simplex plane")
        ax.set(xticks=[], yticks=[])
        return {"figure_1_2": Drawing(figure, "Last-layer features on the plane of the classifiers.")}
    rows = {trial: chosen(of_trial) for trial, of_trial in frames.items()}
    per_class = max(len(points) for row in rows.values() for points in row[0].features)
    trials = "one trial" if len(rows) == 1 else "one row per trial"
    caption = (
        f"Last-layer features, the first {per_class} samples of each class, on the plane of the classifiers, {trials}. "
        "Each frame is centred and scaled by itself."
    )
    return {"figure_1_2": Drawing(strip(results, frames, rows), caption, strip_notes(results, frames, rows))}


def movie(results: Results) -> dict[str, Iterator[Figure]]:
    """A movie a trial, named by its id where there are several."""
    frames = read_frames(results)
    return {
        "collapse_movie" if len(frames) == 1 else f"collapse_movie_{trial}": movie_figures(results, trial, of_trial)
        for trial, of_trial in frames.items()
    }


def draw_frame(ax: Axes, frame: Frame, half: float, *, size: float = 1.0) -> None:
    """The simplex, the features, the class means and the classifier rows of one frame."""
    vertices = simplex(len(frame.means)).numpy()[:, :2]
    for a, b in itertools.combinations(vertices, 2):
        ax.plot(*np.stack([a, b]).T, color=GREY, linestyle=(0, (4, 3)), linewidth=0.9, zorder=1)
    for c, points in enumerate(frame.features):
        mark: dict[str, Any] = {"color": COLOURS[c], "marker": SHAPES[c], "linestyle": "none"}
        ax.plot(*points.T, markersize=3.6 * size, markeredgewidth=0, alpha=0.45, zorder=2, **mark)
    for c, (mean, row) in enumerate(zip(frame.means, frame.rows, strict=True)):
        arrow = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.1 * size, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", row, (0, 0), arrowprops={**arrow, "mutation_scale": 9 * size}, zorder=6)
        mark = {"color": COLOURS[c], "marker": SHAPES[c], "markeredgecolor": "black", "markeredgewidth": 1.0}
        ax.plot(*mean, markersize=9.5 * size, zorder=5, **mark)
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set(visible=True, color="0.8")


def legend_handles(classes: int) -> list[Line2D]:
    """What the marks mean, the classes by shape and colour."""
    none: dict[str, Any] = {"linestyle": "none"}
    return [
        *(
            Line2D([], [], color=COLOURS[c], marker=SHAPES[c], markersize=4, label=f"features, class {c + 1}", **none)
            for c in range(classes)
        ),
        Line2D([], [], color="0.75", marker="o", markersize=8.5, markeredgecolor="black", label="class mean", **none),
        Line2D([], [], color="black", marker=r"$\rightarrow$", markersize=13, label="classifier row", **none),
        Line2D([], [], color=GREY, linestyle=(0, (4, 3)), linewidth=0.9, label="regular simplex"),
    ]


def strip(results: Results, frames: dict[str, list[Frame]], rows: dict[str, list[Frame]]) -> Figure:
    """A row of frames a trial, to print."""
    columns, height = max(len(row) for row in rows.values()), 2.4 * len(rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=(1.95 * columns, height), squeeze=False)
    for (trial, row), of_row in zip(rows.items(), axes, strict=True):
        half = half_width(frames[trial])
        for ax in of_row[len(row) :]:
            ax.set_visible(False)
        for ax, frame in zip(of_row, row, strict=False):
            draw_frame(ax, frame, half, size=0.75)
            ax.set_title(f"epoch {frame.epoch}")
            share = f"{frame.numbers['plane_variance_fraction']:.0%} of variance in {PLANE[len(frame.means)]}"
            ax.set_xlabel(share, fontsize="small")
        if len(rows) > 1:
            of_row[0].set_ylabel(trial_name(results, trial), fontsize="small")
    figure.subplots_adjust(wspace=0.06, hspace=0.27, left=0.02, right=0.98, top=1 - 0.25 / height, bottom=0.25 / height)
    classes = max(len(row[0].means) for row in rows.values())
    figure.legend(
        handles=legend_handles(classes),
        loc="lower center",
        bbox_to_anchor=(0.5, 1 + 0.02 / height),
        ncols=min(classes + 3, columns + 1),
        handletextpad=0.4,
        columnspacing=1.2,
    )
    return figure


def strip_notes(results: Results, frames: dict[str, list[Frame]], rows: dict[str, list[Frame]]) -> list[str]:
    """The convention, what lies out of sight, and what was trained."""
    beyond = np.concatenate([reach(row) > half_width(frames[trial]) for trial, row in rows.items()]).mean()
    has_depth = any(len(row[0].means) == 4 for row in rows.values())
    depth = [
        "With four classes the plane has three dimensions. In the two drawn a tetrahedron is a square."
    ] * has_depth
    return [
        "Last-layer features: the input of the output layer, in eval mode.",
        *CONVENTION,
        *depth,
        "Frames: the first and the last epoch measured and at most four between them, evenly spread in log epoch.",
        f"{beyond:.1%} of the features drawn lie outside their frame.",
        *words.setting(results.config, results.trials),
    ]


def trial_name(results: Results, trial: str) -> str:
    """A trial by its seed and what varies."""
    row = results.trials.set_index("id").loc[trial]
    varied = [f"{key.split('.')[-1]} {row[key]}" for key in row.index if "." in key]
    return ", ".join([*varied, f"seed {row['seed']}"])


def movie_figures(results: Results, trial: str, frames: Sequence[Frame]) -> Iterator[Figure]:
    """One figure a frame: the plane at the left, how far the whole feature space has collapsed at the right."""
    half = half_width(frames)
    epochs = [frame.epoch for frame in frames]
    curves = {name: [curve_value(frame, name) for frame in frames] for name in CURVES}
    name_of_trial = f", {trial_name(results, trial)}" if len(results.trials) > 1 else ""
    for number, frame in enumerate(frames):
        figure = plt.figure(figsize=(7.6, 4.4))
        plane = figure.add_axes((0.012, 0.02, 0.521, 0.9))
        draw_frame(plane, frame, half)
        plane.set_title(f"epoch {frame.epoch} of {epochs[-1]}{name_of_trial}", fontsize=12)
        told = [
            f"training accuracy {frame.numbers['accuracy']:.1%}",
            f"{frame.numbers['plane_variance_fraction']:.0%} of variance in the classifiers' {PLANE[len(frame.means)]}",
        ]
        figure.text(0.58, 0.205, "\n".join(told), va="bottom", fontsize="small", color="0.3")
        ax = figure.add_axes((0.625, 0.5, 0.36, 0.42))
        for name, (label, colour, line) in CURVES.items():
            ax.plot(epochs, curves[name], color=colour, alpha=0.2, linestyle=line)
            ax.plot(epochs[: number + 1], curves[name][: number + 1], color=colour, linestyle=line, label=label)
            ax.plot(frame.epoch, curves[name][number], color=colour, marker="o", markersize=4.5)
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):  # over less than a decade they would collide
            axis.set_minor_formatter(NullFormatter())
        ax.set_title("distance from collapse, whole feature space")
        ax.set_xlabel("epoch", labelpad=0)
        ax.legend(loc="upper left", bbox_to_anchor=(-0.05, -0.19), fontsize="small", labelspacing=0.3)
        figure.legend(
            handles=legend_handles(len(frame.means)),
            loc="lower left",
            bbox_to_anchor=(0.572, 0.0),
            ncols=2,
            fontsize="small",
            handletextpad=0.4,
            columnspacing=1.2,
            labelspacing=0.5,
        )
        yield figure


def curve_value(frame: Frame, name: str) -> float:
    """A measure of collapse that is 0 at collapse."""
    if name == "duality_gap":
        return 1 - frame.numbers["min_self_duality_cosine_centred"]
    return frame.numbers[name]
