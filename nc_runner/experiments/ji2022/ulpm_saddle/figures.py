"""The escape from Example 3.1 in log log time, and the critical points a random search found."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch

from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022.laws import REACH, by_time, flows
from nc_runner.experiments.ji2022.panels import SHADE, across, say_if_empty, time_axis
from nc_runner.experiments.ji2022.ulpm_saddle.claims import (
    COLLAPSE_RATIO,
    CRITICAL,
    SADDLE_RATIO,
    critical_points,
    is_collapse,
)
from nc_runner.experiments.ji2022.words import MARGIN, SHADED_REACH, peeled_model
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures.drawing import Drawing

RATIO = "q$_{min}$ / (‖W‖² + ‖H‖²)"
LEVELS = ((SADDLE_RATIO, "1/8: Example 3.1"), (COLLAPSE_RATIO, "1/6: neural collapse"))
LEVELS_NOTE = "Dotted: the ratio is 1/6 at neural collapse, its largest value (Theorem 3.1), and 1/8 at Example 3.1."


def figures(results: Results) -> dict[str, Drawing]:
    """The escape from the ray in log log time, and the critical points found."""
    return {"escape": escape_figure(results), "landscape": landscape_figure(results)}


def escape_figure(results: Results) -> Drawing:
    """The ratio against log log t, a colour a noise."""
    table = flows(by_time(results))
    end = max([REACH, *table["log_t"]])
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    time_axis(ax, end)
    noises = sorted(table["model.start_noise"].unique())
    for noise, colour in zip(
        noises, mpl.colormaps["viridis"](np.linspace(0.05, 0.85, max(len(noises), 1))), strict=False
    ):
        values = across(table[table["model.start_noise"] == noise], "margin_over_squared_norm")
        x, label = values.index.to_numpy(), "none: on the ray" if noise == 0 else f"{noise:g}"
        ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.18, linewidth=0)
        ax.plot(x, values.median(axis=1), color=colour, label=label)
    say_if_empty(ax, "no gradient flow")
    for level, words in LEVELS:
        ax.axhline(level, color="black", linewidth=0.8, linestyle=":")
        ax.text(
            1.01, level, words.replace(" ", "\n", 1), transform=ax.get_yaxis_transform(), va="center", fontsize="small"
        )
    ax.set(xlabel="log t (log scale)", ylabel=RATIO, ylim=(0.105, 0.172))
    if len(noises):
        handles = [*ax.get_legend_handles_labels()[0], Patch(color=SHADE, label="t ≤ 10⁵: reached by descent")]
        figure.legend(
            handles=handles, title="Noise of the start", loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=4
        )
    seeds = table["seed"].nunique()
    shown = "Lines: one seed" if seeds == 1 else f"Median and min–max band over {seeds} seeds"
    return Drawing(
        figure,
        "Least margin over squared norms along gradient flow that starts at, or near, the saddle of Example 3.1. "
        f"{shown}.",
        [
            peeled_model(results.config),
            "Start: W = H = M of Example 3.1, with iid normal noise of the given standard deviation added to each "
            "entry. Without noise the flow stays on the ray W = H = r M.",
            MARGIN,
            LEVELS_NOTE,
            f"Gradient flow of the {results.config.flow.reduction.name} of the cross-entropy over the samples, not "
            "regularised.",
            "The horizontal axis is log log t: log t on a log scale.",
            SHADED_REACH,
        ],
    )


def landscape_figure(results: Results) -> Drawing:
    """Each critical point: its ratio and its least eigenvalue."""
    points = critical_points(results)
    searches = int((results.trials["train.method"] == "critical_point").sum())
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    if len(points):
        collapsed = is_collapse(points)
        groups = (
            (points[~collapsed], ORANGE, "o", "other critical points"),
            (points[collapsed], BLUE, "*", "neural collapse"),
        )
        for group, colour, marker, label in groups:
            ax.plot(
                group["margin_over_squared_norm"],
                group["least_hessian_eigenvalue_relative"],
                marker, color=colour, markersize=9 if marker == "*" else 4.5, alpha=0.6, markeredgewidth=0,
                label=f"{label} ({len(group)})",
            )  # fmt: skip
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    say_if_empty(ax, "no critical point found")
    ax.axhline(0, color="black", linewidth=0.8)
    # The words stand over the axes, to either side, where they meet neither each other nor the points.
    for (level, words), side, shift in zip(LEVELS, ("right", "left"), (0.004, -0.004), strict=True):
        ax.axvline(level, color="black", linewidth=0.8, linestyle=":")
        ax.text(level + shift, 1.01, words, transform=ax.get_xaxis_transform(), fontsize="small", ha=side, va="bottom")
    ax.axvspan(-1, 0, color="0.95", linewidth=0, zorder=0)
    ax.text(-0.155, 0.06, "does not separate the classes", fontsize="small", color=GREY, ha="center")
    ax.set(xlabel=RATIO, ylabel="least eigenvalue / largest in size", xlim=(-0.32, 0.19), ylim=(-1.08, 0.14))
    return Drawing(
        figure,
        f"Critical points of the loss on spheres that {searches} searches found, a marker each: least margin over "
        "squared norms, and least Hessian eigenvalue. Below 0: a strict saddle.",
        [
            peeled_model(results.config),
            "Searches start at Example 3.1 and at random points, some in a random subspace, at once or after gradient "
            "flow for a while.",
            "Loss: the summed cross-entropy on the sphere ‖W‖² + ‖H‖² = const. on which a search started.",
            f"Critical: no entry of the Riemannian gradient is above {CRITICAL:g} in size [choice]. Of {searches} "
            f"searches {len(points)} ended so; the others are left out.",
            MARGIN,
            LEVELS_NOTE,
            "Vertical axis: least eigenvalue of the Riemannian Hessian, over its eigenvalue of largest size.",
            "Rotations of W and H together leave the loss as it is, so 0 is an eigenvalue of a minimum too.",
            "Shaded: q_min < 0, where some sample is misclassified.",
        ],
    )
