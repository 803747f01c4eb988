"""The figures of Theorem 2.3.1: collapse against eps, and the eps the theorem needs with the eps that was reached."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from torch import Tensor

from nc_runner import theory
from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.every_delta_figure import delta_figure
from nc_runner.experiments.pan2023.near_optimal.claims import NC3_FACTOR, ROUNDING, orders_too_large
from nc_runner.experiments.pan2023.theorem_marks import (
    NETWORKS,
    NOTHING,
    by_kind,
    draw_networks,
    entries_of,
    legend,
    shades,
)
from nc_runner.figures import GREY
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

EPS_LIMITS = (ROUNDING, 5.0)
GAP_LIMITS = (10 * ROUNDING, 6.0)
VACUOUS = "0.92"
DASHES = (0, (4, 2))
DEFINITIONS = (
    "α = √(mean ‖h‖²), h the last-layer features; β = ‖W‖/√C, W the output weights, C the number of classes.",
    "ε: cross-entropy less m(α, β), its least value at these norms.",
    "Each class has equal weight in the averages, as the theorem asks for classes of one size.",
    "A bias is taken in as one more feature, scaled so that αβ is least (our derivation; the thesis sets it to 1). "
    "α, β and the cosines are of the features with this one.",
)
THEOREM = (
    "Theorem 2.3.1 of the thesis, with the constants of its proof: min intra-class cosine ≥ "
    "1 − 8 ((C−1)/(C αβ)) √(2ε (1−δ)/(Λδ)), Λ = (C−1) e^(C αβ) / (1 + (C−1) e^(C αβ))². "
    "At δ = 1/C, taken here, it is for every class (our derivation). Vacuous: the right side is at most 0."
)
NC3 = (
    "(2.21), its part on NC3: the least cosine of a row of the output weights with the mean of its class's unit "
    "features, its distance from 1 bounded by a quarter of that (the quarter derived from the same steps)."
)


def figures(results: Results) -> dict[str, Drawing]:
    """Collapse against eps with the theorem's bound, and the eps the theorem needs with the eps that was reached."""
    return {
        "theorem_2_3_1": collapse_figure(results),
        "eps_needed": reach_figure(results),
        "every_delta": delta_figure(results),
    }


def vacuous_eps(norms: Tensor, classes: int) -> Tensor:
    """The least eps at which the theorem's bound is vacuous, delta = 1/C, at each alpha beta."""
    return theory.near_optimal_bounds(norms, 1.0, 1.0, classes, 1 / classes).vacuous_eps


def free_phrase(results: Results, free: pd.DataFrame) -> str:
    """What the free features are and how they were trained."""
    of = words.common(results.config, free)
    sizes = words.told(
        (of["model.width"], "dimension {}"), (of["data.samples"], "N = {:,}"), (of["train.epochs"], "{:,} steps")
    )
    return (
        "Free features: the layer-peeled model by full-batch gradient descent in float64, α and β held, classes of one "
        f"size, {sizes}."
    )


def collapse_figure(results: Results) -> Drawing:
    """1 - min intra and 1 - the NC3 cosine with the theorem's bounds, and max inter + 1/(C-1), against eps."""
    networks, free = by_kind(results)
    classes = results.config.data.classes
    figure, (intra, inter, nc3) = plt.subplots(1, 3, figsize=(12.9, 3.7))
    for ax, gap in ((intra, "intra_gap"), (inter, "inter_gap"), (nc3, "nc3_gap")):
        draw_free(ax, free, gap)
        draw_networks(ax, networks, "eps", gap)
        ax.set(xscale="log", yscale="log", xlim=EPS_LIMITS, ylim=GAP_LIMITS)
        ax.set_xlabel("ε = cross-entropy − m(α, β)   (nats)")
        if networks.empty and free.empty:
            say(ax, NOTHING)
    draw_bounds(intra, free, classes)
    draw_bounds(nc3, free, classes, NC3_FACTOR)
    intra.set(title="distance from full intra-class collapse", ylabel="1 − min intra-class cosine")
    inter.set(title="distance from the simplex ETF", ylabel=f"max inter-class cosine + 1/{classes - 1}")
    nc3.set(title="distance from self-duality", ylabel="1 − NC3 cosine")
    figure.subplots_adjust(wspace=0.28)
    legend(figure, entries_of(intra, networks=False), "free features", centre=0.29, columns=3)
    legend(figure, entries_of(intra, networks=True), NETWORKS, centre=0.72, columns=3)
    return Drawing(
        figure,
        "Lines: free features over training, one trial each. Squares: trained networks after the last epoch; small "
        f"dots: before it. {seeds_phrase(results.trials, band=False).capitalize()}. {words.UNCENTRED}",
        [
            *DEFINITIONS,
            *words.COSINES,
            words.SELF_PAIRS,
            THEOREM,
            NC3,
            "Dashed: the largest distance that the theorem allows at that αβ. The dot is where it becomes vacuous. "
            "Grey: vacuous at every αβ.",
            f"{free_phrase(results, free)} Lines end where ε or the distance from collapse is rounding, {ROUNDING:g}.",
            *words.setting(results.config, networks),
        ],
    )


def draw_free(ax: Axes, free: pd.DataFrame, gap: str) -> None:
    """A line a trial, a colour an alpha beta."""
    drawn = free[(free["eps"] > ROUNDING) & (free[gap] > ROUNDING)]
    for norms, colour in shades("YlGnBu", free["norms"]).items():
        label: str | None = f"αβ = {norms:g}"
        for _, rows in drawn[drawn["norms"] == norms].groupby("trial"):
            ax.plot(rows["eps"].to_numpy(), rows[gap].to_numpy(), color=colour, label=label, zorder=2)
            label = None


def draw_bounds(ax: Axes, free: pd.DataFrame, classes: int, factor: float = 1.0) -> None:
    """``factor`` times 1 minus the theorem's lower bound, a dashed line for each alpha beta up to where it is vacuous.

    A band begins at the largest eps at which the bound says something for any alpha beta.
    """
    if classes < 3:
        return
    colours = shades("YlGnBu", free["norms"])
    for norms, colour in colours.items():
        if not norms > 0:
            continue
        end = float(vacuous_eps(torch.tensor(norms, dtype=torch.float64), classes)) / factor**2
        if end > EPS_LIMITS[0]:
            # The bound is 1 - factor sqrt(eps / vacuous_eps): a straight line here.
            eps = np.array([EPS_LIMITS[0], end])
            ax.plot(eps, (eps / end) ** 0.5, color=colour, linestyle=DASHES, linewidth=1.1, zorder=1)
            ax.plot([end], [1.0], color=colour, marker="o", markersize=4.5, zorder=3)
    if colours:
        style: dict[str, Any] = {"linestyle": DASHES, "linewidth": 1.1, "marker": "o", "markersize": 4.5}
        ax.plot([], [], color=GREY, label="bound, vacuous at the dot", **style)
    most = float(vacuous_eps(torch.logspace(-2, 1, 3000, dtype=torch.float64), classes).max()) / factor**2
    ax.axvspan(most, EPS_LIMITS[1], color=VACUOUS, linewidth=0, zorder=0)
    ax.text(
        (most * EPS_LIMITS[1]) ** 0.5,
        GAP_LIMITS[0] * 5,
        "bound vacuous\nat any αβ",
        ha="center",
        fontsize="small",
        color="0.25",
    )


def draw_nearest(ax: Axes, networks: pd.DataFrame) -> None:
    """An arrow from the eps the theorem needs to the network nearest to it, with its length in orders of magnitude."""
    for nearest in orders_too_large(networks).nsmallest(1, "orders").to_dict("records"):
        low, high, at = nearest["vacuous_eps"], nearest["eps"], nearest["alpha_beta"]
        outline = [withStroke(linewidth=4, foreground="white")]  # free features may be drawn at the same alpha beta
        arrow = {"arrowstyle": "<->", "linewidth": 1.1, "shrinkA": 4, "shrinkB": 0, "path_effects": outline}
        ax.annotate("", xy=(at, low), xytext=(at, high), arrowprops=arrow, zorder=5)
        text = f"nearest network:\n{nearest['orders']:.1f} orders of\nmagnitude above"
        box = {"facecolor": VACUOUS, "edgecolor": "none", "pad": 0.8}
        ax.text(max(at, 5.0) + 0.35, (low * high) ** 0.5, text, va="center", fontsize="small", bbox=box)


def reach_figure(results: Results) -> Drawing:
    """The eps at which the theorem becomes vacuous against alpha beta, over the eps that was reached."""
    networks, free = by_kind(results)
    classes = results.config.data.classes
    right = 1.05 * max([6.0, *networks["alpha_beta"], *free["alpha_beta"]])
    figure, ax = plt.subplots(figsize=(6.4, 4.0))
    floor = ROUNDING / 1e4
    if classes >= 3:
        norms = torch.linspace(0.02, right, 500, dtype=torch.float64)
        needed = vacuous_eps(norms, classes)
        floor = min(floor, float(needed[-1]) / 1e2)
        ax.plot(norms, needed, color="black", label="ε at which the bound becomes vacuous")
        ax.fill_between(norms, needed, 10, color=VACUOUS, linewidth=0)
        ax.text(0.3, 0.05, "the theorem guarantees\nsome collapse", transform=ax.transAxes, ha="center", color="0.25")
        ax.text(0.74, 0.62, "the theorem says nothing", transform=ax.transAxes, ha="center", color="0.25")
    draw_networks(ax, networks, "alpha_beta", "eps")
    draw_nearest(ax, networks)
    for norm, colour in shades("YlGnBu", free["norms"]).items():
        reached = free.loc[free["norms"] == norm, "eps"].clip(lower=ROUNDING)
        ax.plot([norm, norm], [reached.max(), reached.min()], color=colour, marker="v", markevery=[1])
    ax.axhline(ROUNDING, color=GREY, linewidth=0.8, linestyle=":", label="rounding in float64")
    ax.set(yscale="log", ylim=(floor, 10), xlim=(0, right))
    ax.set(xlabel="αβ, feature norm times weight norm", ylabel="ε = cross-entropy − m(α, β)   (nats)")
    entries = entries_of(ax, networks=False)
    if len(free):
        line = Line2D([], [], color=mpl.colormaps["YlGnBu"](0.7), marker="v")
        entries.append((line, "free features: from the first step down"))
    if networks.empty and free.empty:
        say(ax, NOTHING)
    legend(figure, entries, "theorem and free features", centre=0.2, columns=1)
    legend(figure, entries_of(ax, networks=True), NETWORKS, centre=0.73, columns=3)
    return Drawing(
        figure,
        "Squares: trained networks after the last epoch; small dots: before it. Arrows: free features over training. "
        f"{seeds_phrase(results.trials, band=False).capitalize()}. Classes weighted equally.",
        [
            *DEFINITIONS,
            THEOREM,
            f"Black line: the least ε at which the theorem is vacuous, C = {classes} (our derivation).",
            "Double arrow: between the line and the network nearest to it in log ε, of those with perfect training "
            "accuracy.",
            f"{free_phrase(results, free)} Arrows end at the least ε reached, no lower than rounding, {ROUNDING:g}.",
            *words.setting(results.config, networks),
        ],
    )
