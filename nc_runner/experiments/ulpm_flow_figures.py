"""Figure 2 of Ji et al. 2022 with local slopes under it, and what the theorems say beside it."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from nc_runner.experiments.base import Results
from nc_runner.experiments.ulpm_laws import REACH, by_time, descents, flows, local_slopes
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW
from nc_runner.figures.series import caption

RED = ORANGE  # the paper's red, in a shade that colour-blind readers tell from its blue
EARLIEST = 1.0  # log t at the left edge: before, no law is meant
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
        2, 4, figsize=(11.5, 5.4), sharex=True, height_ratios=[2, 1.15], gridspec_kw={"wspace": 0.32, "hspace": 0.08}
    )
    for column, (title, ylabel, curves) in enumerate(PANELS):
        top, bottom = axes[0, column], axes[1, column]
        for ax in (top, bottom):
            time_axis(ax, end)
        for metric, label, colour, line in curves:
            band(top, flows(table), metric, colour, line, label)
            if "predicted" not in metric:
                slope_band(bottom, flows(table), metric, colour, line)
                draw_descents(top, table, metric)
        guides(top, table, [metric for metric, *_ in curves], end)
        top.set(title=title, ylabel=ylabel, yscale="log")
        for rate, style in ((-1, ":"), (-0.5, "-.")):
            bottom.axhline(rate, color="black", linewidth=0.9, linestyle=style, zorder=1)
        bottom.set(ylim=(-1.6, 0.35), xlabel="log t   (t = e$^{x}$)")
        handles, labels = top.get_legend_handles_labels()
        bottom.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.34))
    axes[1, 0].set_ylabel("local slope")
    axes[0, 0].text(
        math.sqrt(EARLIEST * REACH), 0.985, "descent\nreaches", ha="center", va="top", fontsize=7.5, color=GREY,
        transform=axes[0, 0].get_xaxis_transform(),
    )  # fmt: skip
    caption(figure, figure_2_caption(results, table), width=170, below=9)
    return figure


def figure_2_caption(results: Results, table: pd.DataFrame) -> str:
    """What is drawn, of what, in which convention."""
    data, scales = results.config.data, sorted(flows(table)["model.start_scale"].unique())
    steps = descents(table)
    descent = (
        f" Circles: gradient descent with step {results.config.train.learning_rate:g} from the same starts, to "
        f"t = {math.exp(steps['log_t'].max()):.0e}."
        if len(steps)
        else ""
    )
    return (
        f"K = {data.classes}, n = {data.samples // data.classes}, d = {results.config.model.width}; mean (of logs) and "
        f"min-max band over {flows(table)['trial'].nunique()} gradient flows from iid normal starts of standard deviation "
        f"{' and '.join(f'{scale:g}' for scale in scales)}, {results.config.flow.reduction.name} of the cross-entropy. The "
        f"x axis is log t on a log scale, so that O(1/log t) is a line of slope −1 (dotted); −1/2 dash-dotted. Lower row: "
        f"d log y / d log log t. Class means centred by their mean; std and mean over the K classes (divided by K); a "
        f"mean over ordered pairs of classes.{descent} Predicted: the conserved mean classifier alone, to first order."
    )


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


def draw_descents(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    """Every second measurement of a descent as a small circle on top of the flow."""
    for _, rows in descents(table).groupby("trial"):
        rows = rows[(rows["log_t"] >= EARLIEST) & (rows[metric] > 0)].iloc[::2]
        ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 0.5}
        ax.plot(rows["log_t"], rows[metric], "o", markersize=2.6, zorder=4, **ring)


def guides(ax: Axes, table: pd.DataFrame, metrics: list[str], end: float) -> None:
    """Lines of slope -1 and -1/2 through the lower right, off the curves."""
    values = flows(table)[[*metrics]].where(lambda v: v > 0)
    last = flows(table)["log_t"] >= end * 0.999
    if not last.any():
        return
    low, high = values[last].min().min(), values[last].max().max()
    x = np.array([end / 300, end])
    ax.plot(x, 0.25 * low * (x / end) ** -1.0, color="black", linewidth=0.9, linestyle=":")
    ax.plot(x, 4 * high * (x / end) ** -0.5, color="black", linewidth=0.9, linestyle="-.")


def margin_figure(results: Results) -> Figure:
    """Theorems 3.1 and 3.2, the loss, and the integrator's own error."""
    table = by_time(results).assign(margin_gap=lambda t: 1 - t["margin_ratio"])
    table["loss_gap"] = (table["loss_over_asymptote"] - 1).abs()
    end = max([REACH, *table["log_t"]])
    figure, axes = plt.subplots(1, 4, figsize=(11.5, 2.7), gridspec_kw={"wspace": 0.34})
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
        guides(ax, table, [metric], end)
    caption(
        figure,
        "Mean (of logs) and min-max band over the same flows. Margin: q_min over (‖W‖² + ‖H‖²)/(2(K−1)√n), which it cannot "
        "pass; once it is positive. KKT: length of the step to the nearest solution of the linearised conditions, "
        "relative to ‖(W, H)‖. Asymptote of the loss: (K−1)√n / (2t ln(2sK√n t)). Drift: Frobenius norm, relative to "
        "‖W‖² + ‖H‖² at the start. Dotted: slope −1, dash-dotted −1/2; shaded: log t up to log 1e5.",
        width=170,
        below=3,
    )
    return figure
