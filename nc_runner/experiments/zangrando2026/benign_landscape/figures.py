"""The way from interpolating starts to collapse, and where perturbed collapsed networks end."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.config.choices import Start
from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.benign_landscape.claims import (
    DISTANCE,
    START,
    VARIATION,
    curves,
    ends,
    noise_of,
)
from nc_runner.experiments.zangrando2026.words import DISTANCE as DISTANCE_DEFINED
from nc_runner.experiments.zangrando2026.words import DIVERGED, NOTHING, TCV, power, setting
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

LEAST = 1e-12  # where smaller values are drawn on a logarithmic axis


def figures(results: Results) -> dict[str, Drawing]:
    """Objective, variation, and what is left of a perturbation."""
    usable = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    paths = usable.only(usable.trials[START] == Start.interpolating.name)
    collapsed = usable.only(usable.trials[START] == Start.collapsed.name)
    figure, axes = plt.subplots(1, 3, figsize=(10.2, 2.9), gridspec_kw={"wspace": 0.45})
    table = curves(paths)
    for ax, column, title, label, colour in (
        (axes[0], "objective", "From zero loss: objective", "loss + penalty", BLUE),
        (axes[1], VARIATION, "From zero loss: variation", r"TCV / mean $\|z\|^2$", ORANGE),
    ):
        ax.set(title=title, xlabel="epoch", ylabel=label)
        if table[column].isna().all():
            say(ax, NOTHING)
            continue
        grouped = table.groupby("epoch")[column]
        ax.fill_between(grouped.min().index, grouped.min(), grouped.max(), color=colour, alpha=0.2, linewidth=0)
        ax.plot(grouped.mean(), color=colour)
        ax.set(xscale="log", yscale="log")
    draw_returns(axes[2], collapsed)
    return {
        "benign_landscape": Drawing(
            figure,
            "Gradient descent from random networks of zero loss (left, middle), and from a collapsed network after "
            f"noise on its weights (right); {seeds_phrase(usable.trials)}.",
            [
                "Starts of zero loss: random hidden layers under the output weight of least norm that fits. Collapsed "
                "network: each sample of a class at one multiple of one unit vector in every layer, at least norm. "
                "That gradient descent is the path is our choice.",
                "Noise: iid normal on each weight, its expected norm over the weight's own. Right: open marks after "
                "the first step, full ones at the end; marks are means, bars least to largest.",
                f"{TCV} Here over their mean squared norm and averaged over the intermediate layers, as is the "
                "distance.",
                DISTANCE_DEFINED,
                f"Values below {power(LEAST)} are drawn there.",
                DIVERGED,
                *setting(results),
            ],
        )
    }


def draw_returns(ax: Axes, results: Results) -> None:
    """Variation and distance after the first step and at the end, against the size of the noise."""
    ax.set(title="After a perturbation", xlabel="noise / weights", ylabel="mean over layers")
    of = ends(results)
    noises = noise_of(results, of)
    of, noises = of[noises > 0], noises[noises > 0]
    if of.empty:
        say(ax, NOTHING)
        return
    for quantity, marker, colour, name in (
        (VARIATION, "o", ORANGE, "TCV / mean ‖z‖²"),
        (DISTANCE, "s", BLUE, "distance from rank K"),
    ):
        for when, filling, said in (("first", "white", "at first"), ("last", colour, "at the end")):
            spread: pd.DataFrame = of[quantity, when].clip(lower=LEAST).groupby(noises).agg(["mean", "min", "max"])
            ax.vlines(spread.index, spread["min"], spread["max"], color=colour, linewidth=1.0)
            style: dict[str, Any] = {"marker": marker, "color": colour, "mfc": filling, "linestyle": "none"}
            ax.plot(spread.index, spread["mean"], label=f"{name}, {said}", markersize=5, **style)
    ax.set(xscale="log", yscale="log")
    ax.margins(0.1, 0.15)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22))
