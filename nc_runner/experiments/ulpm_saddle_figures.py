"""The escape from Example 3.1 in log log time, and the critical points a random search found."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.ulpm_flow_figures import across, time_axis
from nc_runner.experiments.ulpm_laws import REACH, by_time, flows
from nc_runner.experiments.ulpm_saddle_claims import COLLAPSE_RATIO, SADDLE_RATIO, critical_points, is_collapse
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures.series import caption

RATIO = "q$_{min}$ / (‖W‖² + ‖H‖²)"


def escape_figure(results: Results) -> Figure:
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
    for level, words in ((SADDLE_RATIO, "1/8: Example 3.1"), (COLLAPSE_RATIO, "1/6: neural collapse")):
        ax.axhline(level, color="black", linewidth=0.8, linestyle=":")
        ax.text(1.25, level + 0.0008, words, fontsize=8)
    ax.text(3.2, 0.1405, "reached by\ndescent", fontsize=7.5, color=GREY, ha="center")
    ax.set(xlabel="log t", ylabel=RATIO, ylim=(0.105, 0.172))
    ax.legend(title="noise of the start", loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=4)
    caption(
        figure,
        "Gradient flow from W = H = M of Example 3.1 (K = 4, n = 1, d = 4) with iid normal noise of the given standard "
        f"deviation; median and min-max band over {table['seed'].nunique()} seeds. The axis is log log t: log t on a "
        "log scale. q_min is the least margin; shaded: t up to 1e5.",
        width=105,
        below=4,
    )
    return figure


def landscape_figure(results: Results) -> Figure:
    """Each critical point: its ratio and its least eigenvalue."""
    points = critical_points(results)
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
    ax.axhline(0, color="black", linewidth=0.8)
    for level, words in ((SADDLE_RATIO, "1/8"), (COLLAPSE_RATIO, "1/6")):
        ax.axvline(level, color="black", linewidth=0.8, linestyle=":")
        ax.text(level, 0.06, words, fontsize=8, ha="center")
    ax.axvspan(-1, 0, color="0.95", linewidth=0, zorder=0)
    ax.text(-0.155, 0.06, "does not separate the classes", fontsize=7.5, color=GREY, ha="center")
    if len(points):
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    ax.set(xlabel=RATIO, ylabel="least eigenvalue / largest in size", xlim=(-0.32, 0.19), ylim=(-1.08, 0.14))
    caption(
        figure,
        "Critical points of the summed cross-entropy on spheres ‖W‖² + ‖H‖² = const that a random search found "
        "(K = 4, n = 1, d = 4), by the ratio of the least margin and the least eigenvalue of the Riemannian Hessian, "
        "relative to the one largest in size. Below 0: a strict saddle. Rotations make 0 an eigenvalue of a minimum.",
        width=105,
        below=3,
    )
    return figure
