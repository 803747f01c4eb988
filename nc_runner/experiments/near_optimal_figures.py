"""The figures of Theorem 2.3.1: collapse against eps, and the eps the theorem asks for against the eps there is."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from torch import Tensor

from nc_runner import theory
from nc_runner.experiments.base import Results
from nc_runner.experiments.near_optimal_claims import ROUNDING, last_probes, orders_too_large, probes
from nc_runner.figures import GREY
from nc_runner.figures.series import caption, seeds_phrase

WEIGHT_DECAY = "train.weight_decay"
EPS_LIMITS = (ROUNDING, 5.0)
GAP_LIMITS = (10 * ROUNDING, 6.0)
VACUOUS = "0.92"
DASHES = (0, (4, 2))


def vacuous_eps(norms: Tensor, classes: int) -> Tensor:
    """The least eps at which the theorem's bound is vacuous, delta = 1/C, at each alpha beta."""
    return theory.near_optimal_bounds(norms, 1.0, 1.0, classes, 1 / classes).vacuous_eps


def trials_phrase(results: Results) -> str:
    """How many seeds there are, to begin or end a caption with."""
    return seeds_phrase(results.trials, band=False).capitalize()


def by_kind(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The probes of networks and of free features."""
    table = probes(results)
    table["norms"] = table["alpha_beta"].round(6)  # held, so alike at every epoch of free features but for rounding
    return table[table["model.name"] == "mlp"], table[table["model.name"] == "free_features"]


def shades(colours: str, values: pd.Series[float]) -> dict[float, tuple[float, ...]]:
    """A colour for each distinct value, the larger the darker."""
    distinct = sorted(values.unique())
    places = np.linspace(0.4, 1, len(distinct)) if len(distinct) != 1 else [0.8]
    return {value: mpl.colormaps[colours](place) for value, place in zip(distinct, places, strict=True)}


def collapse_figure(results: Results) -> Figure:
    """1 - min intra with the theorem's bound, and max inter + 1/(C-1), against eps."""
    networks, free = by_kind(results)
    classes = results.config.data.classes
    figure, (intra, inter) = plt.subplots(1, 2, figsize=(8.8, 3.7))
    for ax, gap in ((intra, "intra_gap"), (inter, "inter_gap")):
        draw_free(ax, free, gap)
        draw_networks(ax, networks, "eps", gap)
        ax.set(xscale="log", yscale="log", xlim=EPS_LIMITS, ylim=GAP_LIMITS)
        ax.set_xlabel("ε = cross-entropy − m(α, β)   (nats)")
    draw_bounds(intra, free, classes)
    intra.set(title="distance from full intra-class collapse", ylabel="1 − min intra-class cosine")
    inter.set(title="distance from the simplex ETF", ylabel=f"max inter-class cosine + 1/{classes - 1}")
    figure.subplots_adjust(wspace=0.28)
    legend(figure, entries_of(intra, networks=False), "free features", centre=0.29, columns=3)
    legend(figure, entries_of(intra, networks=True), "networks, by weight decay λ", centre=0.72, columns=4)
    data, model = results.config.data, results.config.model
    caption(
        figure,
        f"Networks: {model.depth} layers of width {model.width}, affine BatchNorm, {data.name.name} data, "
        f"N = {data.samples:,}; squares after the last epoch, small marks before it. Free features: the layer-peeled "
        "model by full-batch gradient descent in float64, α and β held, classes of one size, a line a trial, down to "
        f"where ε is rounding. {trials_phrase(results)}. Cosines uncentred, self pairs included; each class has equal "
        "weight in the averages; a bias is taken in as one more feature, scaled so that αβ is least. Dashed: what "
        "Theorem 2.3.1 allows at that αβ, with the constants of its proof and δ = 1/C, up to the ε where it becomes "
        "vacuous.",
        below=6,
    )
    return figure


def draw_free(ax: Axes, free: pd.DataFrame, gap: str) -> None:
    """A line a trial, a colour an alpha beta."""
    drawn = free[(free["eps"] > ROUNDING) & (free[gap] > ROUNDING)]
    for norms, colour in shades("YlGnBu", free["norms"]).items():
        label: str | None = f"αβ = {norms:g}"
        for _, rows in drawn[drawn["norms"] == norms].groupby("trial"):
            ax.plot(rows["eps"].to_numpy(), rows[gap].to_numpy(), color=colour, label=label, zorder=2)
            label = None


def draw_bounds(ax: Axes, free: pd.DataFrame, classes: int) -> None:
    """1 minus the theorem's lower bound, a dashed line for each alpha beta up to where it is vacuous.

    A band begins at the largest eps at which the bound says something for any alpha beta.
    """
    if classes < 3:
        return
    colours = shades("YlGnBu", free["norms"])
    for norms, colour in colours.items():
        end = float(vacuous_eps(torch.tensor(norms, dtype=torch.float64), classes))
        if end > EPS_LIMITS[0]:
            # The bound is 1 - sqrt(eps / vacuous_eps): a straight line here.
            eps = np.array([EPS_LIMITS[0], end])
            ax.plot(eps, (eps / end) ** 0.5, color=colour, linestyle=DASHES, linewidth=1.1, zorder=1)
            ax.plot([end], [1.0], color=colour, marker="o", markersize=4.5, zorder=3)
    ax.plot([], [], color=GREY, linestyle=DASHES, linewidth=1.1, marker="o", markersize=4.5, label="bound, its end")
    most = float(vacuous_eps(torch.logspace(-2, 1, 3000, dtype=torch.float64), classes).max())
    ax.axvspan(most, EPS_LIMITS[1], color=VACUOUS, linewidth=0, zorder=0)
    ax.text(
        (most * EPS_LIMITS[1]) ** 0.5,
        GAP_LIMITS[0] * 5,
        "bound vacuous\nat any αβ",
        ha="center",
        fontsize=8,
        color="0.25",
    )


def draw_networks(ax: Axes, networks: pd.DataFrame, x: str, y: str) -> None:
    """Every epoch of a network small, the last large, a colour a weight decay."""
    for decay, colour in shades("OrRd", networks[WEIGHT_DECAY]).items():
        of_decay = networks[networks[WEIGHT_DECAY] == decay]
        for _, rows in of_decay.groupby("trial"):
            path: dict[str, Any] = {"color": colour, "linewidth": 0.5, "marker": ".", "markersize": 2.5, "alpha": 0.6}
            ax.plot(rows[x].to_numpy(), rows[y].to_numpy(), **path)
        final = last_probes(of_decay[of_decay["status"] != "diverged"])
        square: dict[str, Any] = {"color": colour, "marker": "s", "linestyle": "none", "markeredgecolor": "white"}
        label = f"λ = {decay:g}"
        ax.plot(final[x].to_numpy(), final[y].to_numpy(), markeredgewidth=0.5, label=label, zorder=4, **square)


def legend(figure: Figure, entries: list[tuple[Artist, str]], title: str, *, centre: float, columns: int) -> None:
    """Under the axes."""
    if entries:
        figure.legend(
            *zip(*entries, strict=True),
            loc="upper center",
            bbox_to_anchor=(centre, 0.0),
            ncols=columns,
            title=title,
            columnspacing=1.0,
            handletextpad=0.4,
        )


def entries_of(ax: Axes, *, networks: bool) -> list[tuple[Artist, str]]:
    """Legend entries of the networks, or of everything else."""
    entries = zip(*ax.get_legend_handles_labels(), strict=True)
    return [(handle, label) for handle, label in entries if label.startswith("λ") == networks]


def draw_nearest(ax: Axes, networks: pd.DataFrame) -> None:
    """How far the network nearest to the theorem's reach is from it."""
    for nearest in orders_too_large(networks).nsmallest(1, "orders").to_dict("records"):
        low, high, at = nearest["vacuous_eps"], nearest["eps"], nearest["alpha_beta"]
        outline = [withStroke(linewidth=4, foreground="white")]  # free features may be drawn at the same alpha beta
        arrow = {"arrowstyle": "<->", "linewidth": 1.1, "shrinkA": 4, "shrinkB": 0, "path_effects": outline}
        ax.annotate("", xy=(at, low), xytext=(at, high), arrowprops=arrow, zorder=5)
        text = f"nearest network: {nearest['orders']:.1f} orders of magnitude"
        box = {"facecolor": VACUOUS, "edgecolor": "none", "pad": 0.8}
        ax.text(max(at, 5.0) + 0.35, (low * high) ** 0.5, text, va="center", fontsize=8, bbox=box)


def reach_figure(results: Results) -> Figure:
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
        ax.text(0.3, 0.15, "the theorem guarantees\nsome collapse", transform=ax.transAxes, ha="center", color="0.25")
        ax.text(0.74, 0.62, "the theorem says nothing", transform=ax.transAxes, ha="center", color="0.25")
    draw_networks(ax, networks, "alpha_beta", "eps")
    draw_nearest(ax, networks)
    for norm, colour in shades("YlGnBu", free["norms"]).items():
        reached = free.loc[free["norms"] == norm, "eps"].clip(lower=ROUNDING)
        ax.plot([norm, norm], [reached.max(), reached.min()], color=colour, marker="v", markevery=[1])
    ax.axhline(ROUNDING, color=GREY, linewidth=0.8, linestyle=":")
    ax.text(right, ROUNDING / 2, "rounding in float64", ha="right", va="top", fontsize=7.5, color=GREY)
    ax.set(yscale="log", ylim=(floor, 10), xlim=(0, right))
    ax.set(xlabel="αβ, feature norm times weight norm", ylabel="ε = cross-entropy − m(α, β)   (nats)")
    entries = entries_of(ax, networks=False)
    if len(free):
        line = Line2D([], [], color=mpl.colormaps["YlGnBu"](0.7), marker="v")
        entries.append((line, "free features: from the first step down"))
    legend(figure, entries, "", centre=0.2, columns=1)
    legend(figure, entries_of(ax, networks=True), "", centre=0.73, columns=4)
    caption(
        figure,
        "Black: the excess of the cross-entropy over its least value at which Theorem 2.3.1 stops bounding the "
        f"intra-class cosine away from 0, with the constants of its proof, C = {classes}, δ = 1/C [derived]. Squares: "
        "trained networks by weight decay λ, small marks before the last epoch; classes weighted alike, a bias taken "
        f"in as one more feature, scaled so that αβ is least. α = √(mean ‖h‖²), β = ‖W‖/√C. {trials_phrase(results)}.",
        width=105,
        below=4,
    )
    return figure
