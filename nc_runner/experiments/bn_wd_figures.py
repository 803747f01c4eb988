"""The figures of the BatchNorm and weight decay sweep."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nc_runner import theory
from nc_runner.experiments.base import Results
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE
from nc_runner.figures.series import caption, plot_over, seeds_phrase

PANELS = {"affine": "BatchNorm with affine part", "plain": "BatchNorm without affine part", "none": "no BatchNorm"}
CONVENTIONS = {
    "uncentred": "Convention of the thesis: cosines of uncentred features, self pairs included.",
    "centred": "Convention of the authors' code: global feature mean subtracted first, self pairs left out.",
}
WEIGHT_DECAY = "train.weight_decay"


def cosine_figure(results: Results, convention: str) -> Figure:
    """Three panels, min intra-class and max inter-class cosine against weight decay (Pan 2023, Figure 3.1)."""
    final = results.final()
    norms = [norm for norm in PANELS if (final["model.norm"] == norm).any()]
    figure, axes = plt.subplots(1, len(norms), figsize=(3.1 * len(norms) + 0.6, 3.3), sharey=True, squeeze=False)
    note_lines = 0
    for ax, norm in zip(axes[0], norms, strict=True):
        of_norm = final[final["model.norm"] == norm]
        kept, discarded = of_norm[of_norm["status"] == "interpolated"], of_norm[of_norm["status"] != "interpolated"]
        plot_over(
            ax,
            kept,
            WEIGHT_DECAY,
            f"min_intra_cosine_{convention}",
            color=BLUE,
            marker="^",
            label="min intra-class cosine",
        )
        plot_over(
            ax,
            kept,
            WEIGHT_DECAY,
            f"max_inter_cosine_{convention}",
            color=ORANGE,
            marker="v",
            label="max inter-class cosine",
        )
        ideal = -1 / (results.config.data.classes - 1)
        ax.axhline(ideal, color=GREY, linestyle="--", linewidth=1, label=f"simplex ETF, −1/(C−1) = −{-ideal:.2f}")
        ax.set(title=PANELS[norm], xlabel="weight decay λ", ylim=(-0.4, 1.1))
        ax.set_xlim(0, max(kept[WEIGHT_DECAY].max() if len(kept) else 0.0, 1e-3) * 1.05)
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, -3), useMathText=True)
        note = discarded_note(discarded)
        note_lines = max(note_lines, note.count("\n") + 1)
        ax.text(0.5, -0.22, note, transform=ax.transAxes, ha="center", va="top", fontsize=7.5, color="0.35")
    axes[0, 0].set_ylabel("cosine similarity")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3)
    figure.subplots_adjust(wspace=0.08, bottom=0.2)
    data, model, train = results.config.data, results.config.model, results.config.train
    caption(
        figure,
        f"Last-layer features of {model.depth}-layer networks of width {model.width} after {train.epochs} epochs, "
        f"{data.name.name} data, N = {data.samples:,}; {seeds_phrase(final)}. {CONVENTIONS[convention]} Trials with a "
        f"training accuracy below {train.target_accuracy:g} are left out of the curves and listed under their panel.",
        below=note_lines,
    )
    return figure


def discarded_note(discarded: pd.DataFrame) -> str:
    """The trials left out of a panel, with the training accuracy each seed reached."""
    if discarded.empty:
        return "no trial discarded"
    lines = ["discarded, with their accuracy:"]
    for decay, rows in discarded.groupby(WEIGHT_DECAY):
        reached = ["diverged" if row.status == "diverged" else f"{row.accuracy:.4f}" for row in rows.itertuples()]
        lines += textwrap.wrap(f"λ = {decay:g}: {', '.join(reached)}", 42)
    return "\n".join(lines)


def optimum_figure(results: Results) -> Figure:
    """Squared norms and cross-entropy against weight decay, over the layer-peeled optimum's closed form [derived]."""
    final = results.final()
    kept = final[final["status"] == "interpolated"]
    affine, plain = kept[kept["model.norm"] == "affine"], kept[kept["model.norm"] == "plain"]
    classes, width = results.config.data.classes, results.config.model.width
    least, largest = (kept[WEIGHT_DECAY].min(), kept[WEIGHT_DECAY].max()) if len(kept) else (1e-4, 1e-2)
    decay = torch.logspace(math.log10(max(least, 1e-6) / 1.3), math.log10(largest * 1.3), 200, dtype=torch.float64)
    optimum = theory.layer_peeled_optimum(decay, classes)
    gap = theory.plain_batchnorm_gap(decay, classes, width)
    plain_norm = gap**2 * (classes - 1) ** 2 / (classes * width)
    plain_loss = torch.log1p((classes - 1) * torch.exp(-gap))

    figure, (norms, losses) = plt.subplots(1, 2, figsize=(8.2, 3.3))
    dot: dict[str, Any] = {"linestyle": "none", "markersize": 5}
    _points(norms, affine, "weight_squared_norm", color=BLUE, marker="o", label="affine: ‖W‖²", **dot)
    if len(affine):
        total = affine.assign(scale=affine["gamma_squared_norm"] + affine["beta_squared_norm"])
        _points(norms, total, "scale", color=GREEN, marker="x", label="affine: ‖γ‖² + ‖β‖²", **dot)
    _points(norms, plain, "weight_squared_norm", color=ORANGE, marker="s", label="plain: ‖W‖²", **dot)
    norms.plot(decay, optimum.norm_squared, color=BLUE, label="affine: optimum")
    norms.plot(decay, plain_norm, color=ORANGE, label="plain: optimum")
    norms.set(xlabel="weight decay λ", ylabel="squared norm", title="output weights and last BatchNorm")
    _points(losses, affine, "loss", color=BLUE, marker="o", label="affine", **dot)
    _points(losses, plain, "loss", color=ORANGE, marker="s", label="plain", **dot)
    losses.plot(decay, optimum.cross_entropy, color=BLUE, label="affine: optimum")
    losses.plot(decay, plain_loss, color=ORANGE, label="plain: optimum")
    losses.set(xlabel="weight decay λ", ylabel="cross-entropy (nats)", title="training loss")
    for ax in (norms, losses):
        ax.set(xscale="log", yscale="log")
        ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2)
    figure.subplots_adjust(wspace=0.28, bottom=0.2)
    caption(
        figure,
        f"Points: trained networks with a training accuracy of at least {results.config.train.target_accuracy:g} "
        f"({seeds_phrase(final, band=False)}). Lines: minimum of cross-entropy plus weight decay over free features "
        "behind the last BatchNorm, balanced classes, no bias (our derivation, not the thesis's); for affine "
        "‖W‖² = ‖γ‖² there.",
        width=115,
        below=4,
    )
    return figure


def _points(ax: Axes, table: pd.DataFrame, y: str, **style: Any) -> None:
    if len(table):
        ax.plot(table[WEIGHT_DECAY].to_numpy(), table[y].to_numpy(), **style)
