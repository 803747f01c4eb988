"""Figure 2 of Ji et al. 2022 with local slopes under it, and what the theorems say beside it."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FormatStrFormatter, LogLocator, NullFormatter

from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022 import panels
from nc_runner.experiments.ji2022.laws import REACH, SPAN, by_time, descents, flows, local_slopes
from nc_runner.experiments.ji2022.panels import GUIDES, PANELS, RED, Line, across, band, say_if_empty, time_axis
from nc_runner.experiments.ji2022.words import DEFINITIONS, MARGIN, PREDICTED, SHADED_REACH, over, peeled_model
from nc_runner.figures import BLUE, GREEN, GREY
from nc_runner.figures.drawing import Drawing

FIRST_REACHABLE = 0.7  # log t at the left edge of the figure of what descent reaches
STEEPEST, STEEPEST_PINV = -1.6, -3.4  # lower ends of the axes of local slopes
NO_FLOW = "no gradient flow"


def figures(results: Results) -> dict[str, Drawing]:
    """The paper's panels to the limit with local slopes and in its own range; margin, KKT residual, loss and error."""
    drawings = {"figure_2": figure_2(results), "margin": margin_figure(results)}
    if "gd" in set(results.trials["train.method"]):
        drawings["figure_2_reachable"] = reachable_figure(results)
    return drawings


def figure_2(results: Results) -> Drawing:
    """The paper's four panels over log log t, and d log y / d log log t under each."""
    table = by_time(results)
    flow = flows(table)
    end = max([REACH, *table["log_t"]])
    figure, axes = plt.subplots(
        2, 4, figsize=(12.5, 5.6), sharex=True, height_ratios=[2, 1.15], gridspec_kw={"wspace": 0.36, "hspace": 0.08}
    )
    for (title, ylabel, curves), top, bottom in zip(PANELS, *axes, strict=True):
        for ax in (top, bottom):
            time_axis(ax, end)
        for metric, label, colour, line in curves:
            band(top, flow, metric, colour, line, label)
            if "predicted" not in metric:
                slope_band(bottom, flow, metric, colour, line)
        for ax in (top, bottom):
            say_if_empty(ax, NO_FLOW)
        guides(top, flow, [metric for metric, *_ in curves if "pinv" not in metric], end)
        top.set(title=title, ylabel=ylabel, yscale="log")
        for rate, _, style, _ in GUIDES:
            bottom.axhline(rate, color="0.4", linewidth=0.9, linestyle=style, zorder=1.6)  # over the grid
        steepest = STEEPEST_PINV if "within_between_pinv_trace" in [metric for metric, *_ in curves] else STEEPEST
        bottom.set(ylim=(steepest, 0.35), ylabel="local slope", xlabel="log t (log scale)")
        if drawn := top.get_legend_handles_labels()[0]:
            bottom.legend(handles=drawn, loc="upper center", bbox_to_anchor=(0.5, -0.34))
    panels.legend_above(figure, [*panels.guide_handles(slopes=True), reach_handle()])
    return Drawing(
        figure,
        "Four measures of neural collapse along gradient flow of the layer-peeled model, over log log t, and their "
        f"local slopes below. {over_flows(flow)}.",
        [
            *settings(results, flow),
            "The horizontal axis is log log t: log t on a log scale. Its 10⁶ is t = e^1000000. A decay of O(1/log t) "
            "is a line of slope −1.",
            "Lower row: d log y / d log log t, as a difference quotient over "
            f"{SPAN} outputs to either side [choice]; mean and min–max band. The prediction of (a) has none. The axes "
            f"end at −{-STEEPEST:g}, in (b) at −{-STEEPEST_PINV:g}, and cut off what is steeper.",
            "Grey dotted: slope −1. Grey dash-dotted: slope −1/2. In the upper row they are guides under and over the "
            "curves of the last two decades, without tr(S_W S_B⁺) / K; they are not fitted.",
            SHADED_REACH,
            *DEFINITIONS,
            f"{PREDICTED} The flow conserves w̄, so this falls at (log t)^(−1/2) (our derivation).",
        ],
    )


def over_flows(flow: pd.DataFrame) -> str:
    """How many flows a figure shows, in words for its caption."""
    seeds, scales = flow["seed"].nunique(), flow["model.start_scale"].nunique()
    of = f" ({seeds} seed{'s' * (seeds != 1)}, {scales} scales of the start)" if scales > 1 else ""
    return over(flow["trial"].nunique(), "flow") + of


def settings(results: Results, flow: pd.DataFrame) -> list[str]:
    """The model and its flows, in sentences for the notes."""
    config = results.config.flow
    scales = " and ".join(f"{scale:g}" for scale in sorted(flow["model.start_scale"].unique()))
    flows_of = (
        f"Gradient flow of the {config.reduction.name} of the cross-entropy over the samples, not regularised, from "
        f"iid normal starts of standard deviation {scales or 'none'}. {flow['epoch'].nunique()} outputs; tolerances of "
        f"the solver {config.rtol:g} relative and {config.atol:g} absolute."
    )
    return [peeled_model(results.config), flows_of]


def reach_handle() -> Patch:
    """The legend's entry of the shaded times."""
    return Patch(color=panels.SHADE, label="t ≤ 10⁵: reached by descent")


def reachable_figure(results: Results) -> Drawing:
    """The paper's four panels over the times a descent reaches: the flow, and the descent from the same start on it."""
    table = by_time(results)
    descent = descents(table)
    descent = descent[descent["seed"] == descent["seed"].min()]
    flow = flows(table)
    flow = flow[(flow["seed"].isin(descent["seed"])) & flow["model.start_scale"].isin(descent["model.start_scale"])]
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 2.7), gridspec_kw={"wspace": 0.36})
    ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 3.4, "markerfacecolor": "white"}
    for ax, (title, ylabel, curves) in zip(axes, PANELS, strict=True):
        for metric, label, colour, line in curves:
            if "predicted" in metric:
                continue
            rows = flow[flow["log_t"].between(FIRST_REACHABLE, 1.05 * REACH)]
            ax.plot(rows["log_t"], rows[metric], color=colour, linestyle=line, label=label, linewidth=1.4)
            rows = descent[descent["log_t"] >= FIRST_REACHABLE]
            ax.plot(rows["log_t"], rows[metric], markeredgecolor=colour, markeredgewidth=0.9, zorder=3, **ring)
        ax.set(title=title, ylabel=ylabel, xlabel="log t (log scale)")
        ax.set(xscale="log", yscale="log", xlim=(FIRST_REACHABLE, 1.1 * REACH))
        ax.xaxis.set_major_locator(FixedLocator([1, 2, 3, 5, 8, 11.5]))
        ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    lines = Line2D([], [], color=GREY, linewidth=1.4, label="gradient flow")
    panels.legend_above(figure, [lines, Line2D([], [], markeredgecolor=GREY, label="gradient descent", **ring)])
    end = math.exp(descent["log_t"].max()) if len(descent) else 0.0
    return Drawing(
        figure,
        "Four measures of neural collapse in the layer-peeled model over the times that descent reaches: gradient flow "
        "(lines) and gradient descent (circles) from the same start, one seed.",
        [
            *settings(results, flow),
            "Descent: all samples in every step, with a step size that rises over a warm-up to "
            f"{results.config.train.learning_rate:g}. It ends at t = {end:.0e} after {descent['epoch'].max():,.0f} "
            "steps; t is the sum of the step sizes.",
            "This is the range of the paper's figure. The horizontal axis is log log t, as in figure_2: log t on a log "
            f"scale, from t = e^{FIRST_REACHABLE:g}. The prediction of (a) is left out.",
            *DEFINITIONS,
        ],
    )


def slope_band(ax: Axes, table: pd.DataFrame, metric: str, colour: str, line: Line) -> None:
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
    """Over the last two decades of log t: slope -1 under the curves and -1/2 over them."""
    start = end / 100
    there = table[table["log_t"].between(start / 1.1, start * 1.1)][metrics].where(lambda values: values > 0)
    if there.isna().all(axis=None):
        return
    x = np.array([start, end])
    panels.guides(ax, x, x / start, under=0.2 * there.min().min(), over=5 * there.max().max())


def margin_figure(results: Results) -> Drawing:
    """Theorems 3.1 and 3.2, the loss, and the integrator's own error."""
    table = by_time(results).assign(margin_gap=lambda t: 1 - t["margin_ratio"])
    table["loss_gap"] = (table["loss_over_asymptote"] - 1).abs()
    flow = flows(table)
    end = max([REACH, *table["log_t"]])
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 2.7), gridspec_kw={"wspace": 0.38})
    shown = [
        ("margin_gap", "Margin (Theorem 3.1)", "1 − margin / its bound", BLUE),
        ("kkt_residual", "KKT conditions (Theorem 3.2)", "relative residual", RED),
        ("loss_gap", "Loss against its asymptote", "|loss / asymptote − 1|", GREEN),
        ("conserved_drift", "Integrator's own error", r"drift of $W^TW - HH^T$", GREY),
    ]
    for ax, (metric, title, ylabel, colour) in zip(axes, shown, strict=True):
        time_axis(ax, end)
        band(ax, flow, metric, colour, "-", "")
        say_if_empty(ax, NO_FLOW)
        ax.set(title=title, ylabel=ylabel, yscale="log", xlabel="log t (log scale)")
    for ax, metric in zip(axes[:2], ("margin_gap", "kkt_residual"), strict=True):
        guides(ax, flow, [metric], end)
    panels.legend_above(figure, [*panels.guide_handles(slopes=True), reach_handle()])
    return Drawing(
        figure,
        "Margin, KKT residual, loss and integration error along gradient flow of the layer-peeled model, over log log "
        f"t. {over_flows(flow)}.",
        [
            *settings(results, flow),
            MARGIN,
            "Margin: q_min over its bound (‖W‖² + ‖H‖²) / (2(K−1)√n), which it cannot pass.",
            "KKT: ‖x* − x‖ / ‖x‖, with x = (W, H) and x* − x one step of sequential quadratic programming for the "
            "hard-margin problem [choice]. It is 0 exactly where the KKT conditions hold (our derivation).",
            "Asymptote of the loss: (K−1)√n / (2t ln(2sK√n t)), with s the weight of a sample in the loss "
            "(our derivation).",
            "Drift: Frobenius norm of the change of WᵀW − HHᵀ since the start, over ‖W‖² + ‖H‖² at the start; features "
            "are the columns of H. The flow conserves this matrix, so the drift is the integrator's own error.",
            "Grey dotted: slope −1. Grey dash-dotted: slope −1/2. They are guides and not fitted.",
            SHADED_REACH,
        ],
    )
