"""Figure 2 of Ji et al. 2022 with local slopes under it, and what the theorems say beside it."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, LogLocator, NullFormatter

from nc_runner.experiments.base import Results
from nc_runner.experiments.ulpm_laws import REACH, by_time, descents, flows, local_slopes
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.series import caption

RED = ORANGE  # the paper's red, in a shade that colour-blind readers tell from its blue
EARLIEST = 1.0  # log t at the left edge: before, no law is meant
FIRST_REACHABLE = 0.7  # log t at the left edge of the figure of what descent reaches
REACHED = "0.93"

# Title, y label, and the curves: metric, label, colour, line.
PANELS: list[tuple[str, str, list[tuple[str, str, str, str]]]] = [
    (
        "(a) Norms",
        "std / mean over classes",
        [
            ("norm_variation_class_means", "class means, centred", BLUE, "-"),
            ("norm_variation_weights", "classifiers", RED, "-"),
            ("norm_variation_centred_weights", "classifiers, centred", RED, "--"),
            ("norm_variation_weights_predicted", "classifiers, predicted", "black", ":"),
        ],
    ),
    (
        "(b) Within-class variation",
        "relative to the class means",
        [
            ("within_between_trace_ratio", r"tr $S_W$ / tr $S_B$", GREEN, "-"),
            ("within_between_pinv_trace", r"tr($S_W S_B^+$) / K", SKY, "--"),
            ("within_class_variation", "mean distance", YELLOW, "-."),
        ],
    ),
    (
        "(c) Cosines",
        "mean |cos + 1/(K−1)|",
        [
            ("etf_cosine_deviation_class_means", "class means, centred", BLUE, "-"),
            ("etf_cosine_deviation_weights", "classifiers", RED, "-"),
            ("etf_cosine_deviation_centred_weights", "classifiers, centred", RED, "--"),
        ],
    ),
    (
        "(d) Self-duality",
        "mean distance, centred",
        [("self_duality_distance", "class means to classifiers", PURPLE, "-")],
    ),
]


def figure_2(results: Results) -> Figure:
    """The paper's four panels over log log t, and d log y / d log log t under each."""
    table = by_time(results)
    end = max([REACH, *table["log_t"]])
    figure, axes = plt.subplots(
        2, 4, figsize=(12.5, 5.6), sharex=True, height_ratios=[2, 1.15], gridspec_kw={"wspace": 0.36, "hspace": 0.08}
    )
    for (title, ylabel, curves), top, bottom in zip(PANELS, *axes, strict=True):
        for ax in (top, bottom):
            time_axis(ax, end)
        for metric, label, colour, line in curves:
            band(top, flows(table), metric, colour, line, label)
            if "predicted" not in metric:
                slope_band(bottom, flows(table), metric, colour, line)
        guides(top, flows(table), [metric for metric, *_ in curves if "pinv" not in metric], end)
        top.set(title=title, ylabel=ylabel, yscale="log")
        for rate, style in ((-1, ":"), (-0.5, "-.")):
            bottom.axhline(rate, color="black", linewidth=0.9, linestyle=style, zorder=1)
        steepest = -3.4 if "within_between_pinv_trace" in [metric for metric, *_ in curves] else -1.6
        bottom.set(ylim=(steepest, 0.35), ylabel="local slope", xlabel="log t")
        bottom.legend(*top.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, -0.34))
    axes[0, 0].text(
        1.6, 0.04, "reached by descent", rotation=90, fontsize=7.5, color=GREY,
        transform=axes[0, 0].get_xaxis_transform(),
    )  # fmt: skip
    data, model = results.config.data, results.config.model
    scales = " and ".join(f"{scale:g}" for scale in sorted(flows(table)["model.start_scale"].unique()))
    caption(
        figure,
        f"K = {data.classes}, n = {data.samples // data.classes}, d = {model.width}. Mean (of logs) and min-max band "
        f"over {flows(table)['trial'].nunique()} gradient flows of the {results.config.flow.reduction.name} of the "
        "cross-entropy, from "
        f"iid normal starts of standard deviation {scales}. The axis is log log t: log t on a log scale, so 10⁶ is "
        "t = e^1000000 and O(1/log t) a line of slope −1 (dotted; −1/2 dash-dotted). Lower row: d log y / d log log t. "
        "Shaded: t up to 1e5. Class means centred by their mean; std and mean over the K classes, divided by K; "
        "cosines over ordered pairs of classes. Predicted: by the conserved mean classifier alone, to first order.",
        width=175,
        below=8,
    )
    return figure


def reachable_figure(results: Results) -> Figure:
    """The paper's four panels over the times a descent reaches: the flow, and the descent from the same start on it."""
    table = by_time(results)
    descent = descents(table)
    descent = descent[descent["seed"] == descent["seed"].min()]
    flow = flows(table)
    flow = flow[(flow["seed"].isin(descent["seed"])) & flow["model.start_scale"].isin(descent["model.start_scale"])]
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 2.7), gridspec_kw={"wspace": 0.36})
    for ax, (title, ylabel, curves) in zip(axes, PANELS, strict=True):
        for metric, label, colour, line in curves:
            if "predicted" in metric:
                continue
            rows = flow[flow["log_t"].between(FIRST_REACHABLE, 1.05 * REACH)]
            ax.plot(rows["log_t"], rows[metric], color=colour, linestyle=line, label=label, linewidth=1.4)
            rows = descent[descent["log_t"] >= FIRST_REACHABLE]
            ring: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": colour, "markeredgewidth": 0.9}
            ax.plot(rows["log_t"], rows[metric], "o", markersize=3.4, zorder=3, **ring)
        ax.set(
            title=title, ylabel=ylabel, xlabel="log t", xscale="log", yscale="log", xlim=(FIRST_REACHABLE, 1.1 * REACH)
        )
        ax.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 8, 11.5]))
        ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    train = results.config.train
    caption(
        figure,
        "The range of the paper's figure. Lines: gradient flow from one start. Circles: gradient descent from the same "
        f"start, step size rising to {train.learning_rate:g}, which ends at t = {math.exp(descent['log_t'].max()):.0e}"
        f" after {descent['epoch'].max():,.0f} steps. Axes and conventions as in the figure over all times.",
        width=175,
        below=8,
    )
    return figure


def time_axis(ax: Axes, end: float) -> None:
    """log t on a log scale, with what descent reaches shaded."""
    ax.set(xscale="log", xlim=(EARLIEST, end))
    ax.axvspan(EARLIEST, REACH, color=REACHED, linewidth=0, zorder=0)
    ax.xaxis.set_major_locator(LogLocator(numticks=10))
    ax.xaxis.set_minor_formatter(NullFormatter())


def across(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row an output time, one column a trial."""
    return table.assign(log_t=table["log_t"].round(12)).pivot_table(index="log_t", columns="trial", values=column)


def band(ax: Axes, table: pd.DataFrame, metric: str, colour: str, line: str, label: str) -> None:
    """Geometric mean over the trials, with a band from least to largest."""
    values = across(table[table[metric] > 0], metric)
    if values.empty:
        return
    x = values.index.to_numpy()
    ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.15, linewidth=0)
    ax.plot(x, np.exp(np.log(values).mean(axis=1)), color=colour, linestyle=line, label=label, linewidth=1.4)


def slope_band(ax: Axes, table: pd.DataFrame, metric: str, colour: str, line: str) -> None:
    """The local slopes of every trial: mean and band."""
    slopes = pd.concat([local_slopes(rows, metric) for _, rows in table.groupby("trial")]) if len(table) else None
    if slopes is None:
        return
    values = across(table.assign(slope=slopes).dropna(subset="slope"), "slope")
    if values.empty:
        return
    x = values.index.to_numpy()
    ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.12, linewidth=0)
    ax.plot(x, values.mean(axis=1), color=colour, linestyle=line, linewidth=1.2)


def guides(ax: Axes, table: pd.DataFrame, metrics: list[str], end: float) -> None:
    """Short lines of slope -1 under the curves and -1/2 over them."""
    start = end / 100
    there = table[table["log_t"].between(start / 1.1, start * 1.1)][metrics].where(lambda values: values > 0)
    if there.isna().all(axis=None):
        return
    x = np.array([start, end])
    ax.plot(x, 0.2 * there.min().min() * (x / start) ** -1.0, color="black", linewidth=0.9, linestyle=":")
    ax.plot(x, 5 * there.max().max() * (x / start) ** -0.5, color="black", linewidth=0.9, linestyle="-.")


def margin_figure(results: Results) -> Figure:
    """Theorems 3.1 and 3.2, the loss, and the integrator's own error."""
    table = by_time(results).assign(margin_gap=lambda t: 1 - t["margin_ratio"])
    table["loss_gap"] = (table["loss_over_asymptote"] - 1).abs()
    end = max([REACH, *table["log_t"]])
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 2.7), gridspec_kw={"wspace": 0.38})
    panels = [
        ("margin_gap", "Margin (Theorem 3.1)", "1 − margin / its bound", BLUE),
        ("kkt_residual", "KKT conditions (Theorem 3.2)", "relative residual", RED),
        ("loss_gap", "Loss", "|loss / asymptote − 1|", GREEN),
        ("conserved_drift", "Integrator's own error", r"drift of $W^TW - HH^T$", GREY),
    ]
    for ax, (metric, title, ylabel, colour) in zip(axes, panels, strict=True):
        time_axis(ax, end)
        band(ax, flows(table), metric, colour, "-", "")
        ax.set(title=title, ylabel=ylabel, yscale="log", xlabel="log t")
    for ax, metric in zip(axes[:2], ("margin_gap", "kkt_residual"), strict=True):
        guides(ax, flows(table), [metric], end)
    caption(
        figure,
        "Mean (of logs) and min-max band over the same flows. Margin: the least margin over (‖W‖² + ‖H‖²)/(2(K−1)√n), "
        "which it cannot pass. KKT: length of one step of sequential quadratic programming for "
        "the hard-margin problem, relative to ‖(W, H)‖. Asymptote of the loss: (K−1)√n / (2t ln(2sK√n t)). Drift: "
        "Frobenius norm, over ‖W‖² + ‖H‖² at the start. Dotted: slope −1, dash-dotted −1/2; shaded: t up to 1e5.",
        width=175,
        below=2,
    )
    return figure
