"""Figure 3.1 of Pan 2023 in two conventions, and norms and loss beside the optimum of the layer-peeled model."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes

from nc_runner import theory
from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import NC3, with_gap
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

PANELS = {"affine": "BatchNorm with affine part", "plain": "BatchNorm without affine part", "none": "no BatchNorm"}
CURVES = (
    ("min_intra_cosine", "min intra-class cosine", BLUE, "^"),
    ("max_inter_cosine", "max inter-class cosine", ORANGE, "v"),
)
MOST_LISTED = 3  # weight decays whose left-out trials are listed under a panel
CONVENTIONS = {"uncentred": words.UNCENTRED, "centred": "Cosines of centred features, self pairs left out."}
TITLES = {"uncentred": "Cosines of uncentred features", "centred": "Cosines of centred features"}
CONVENTION_NOTES = {
    "uncentred": (f"The thesis's convention: features as they are. {words.SELF_PAIRS}", words.NC3),
    "centred": (
        "The convention of the authors' code: the mean over all samples is subtracted from the features first, and "
        "the pairs of a class leave out each feature with itself. figure_3_1 has the thesis's convention.",
    ),
}


def figures(results: Results) -> dict[str, Drawing]:
    """Figure 3.1, its companion in the other convention, and norms and cross-entropy against the closed form."""
    return {
        "figure_3_1": cosine_figure(results, "uncentred"),
        "figure_3_1_centred": cosine_figure(results, "centred"),
        "g": gap_figure(results),
        "layer_peeled_optimum": optimum_figure(results),
    }


def cosine_figure(results: Results, convention: str) -> Drawing:
    """A panel a norm: min intra-class and max inter-class cosine against weight decay (Pan 2023, Figure 3.1)."""
    final, config = results.final(), results.config
    norms = [norm for norm in PANELS if (final["model.norm"] == norm).any()] or list(PANELS)
    figure, axes = plt.subplots(1, len(norms), figsize=(3.1 * len(norms) + 0.6, 3.3), sharey=True, squeeze=False)
    ideal = -1 / (config.data.classes - 1)
    for ax, norm in zip(axes[0], norms, strict=True):
        of_norm = final[final["model.norm"] == norm]
        kept, discarded = of_norm[of_norm["status"] == "interpolated"], of_norm[of_norm["status"] != "interpolated"]
        for metric, label, colour, marker in CURVES:
            plot_over(ax, kept, WEIGHT_DECAY, f"{metric}_{convention}", color=colour, marker=marker, label=label)
        etf: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1, "zorder": 1.6}
        ax.axhline(ideal, label=f"simplex ETF: 1 and −1/(C−1) = −{-ideal:.2f}", **etf)
        ax.axhline(1, **etf)
        if convention == "uncentred" and NC3 in kept:
            plot_over(ax, kept, WEIGHT_DECAY, NC3, color=GREEN, linewidth=0.9, marker=".", label="NC3 cosine")
        ax.set(title=PANELS[norm], xlabel=f"weight decay λ\n{discarded_note(discarded)}", ylim=(-0.42, 1.12))
        largest = max(kept[WEIGHT_DECAY].max() if len(kept) else 0.0, 1e-3)
        ax.set_xlim(-0.03 * largest, 1.04 * largest)  # markers at either end are whole
        ax.ticklabel_format(axis="x", style="plain")
        if kept.empty:
            say(ax, words.none_fits(config))
    axes[0, 0].set_ylabel("cosine similarity")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.suptitle(TITLES[convention])
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3)
    return Drawing(
        figure,
        f"Lines: last-layer features after training, {seeds_phrase(final)}. {CONVENTIONS[convention]}",
        [
            *words.COSINES,
            *CONVENTION_NOTES[convention],
            "Last-layer features: the input of the output layer, in eval mode.",
            "Affine part: the γ and β of BatchNorm. Without it γ = 1 and β = 0.",
            f"{words.left_out(config, final)} They are told under their panel with the accuracy they reached.",
            *words.setting(config, final),
        ],
    )


def gap_figure(results: Results) -> Drawing:
    """g against weight decay, a line a norm: what the claims compare."""
    final = results.final()
    kept = with_gap(final[final["status"] == "interpolated"])
    figure, ax = plt.subplots(figsize=(4.6, 3.2))
    best = 1 + 1 / (results.config.data.classes - 1)
    for (norm, name), colour, marker in zip(PANELS.items(), (BLUE, ORANGE, GREEN), "os^", strict=True):
        if (of_norm := kept[kept["model.norm"] == norm]).size:
            plot_over(ax, of_norm, WEIGHT_DECAY, "gap", color=colour, marker=marker, label=name)
    ax.axhline(best, color=GREY, linestyle="--", linewidth=1, label=f"simplex ETF: C/(C−1) = {best:.2f}")
    ax.set(xscale="log", xlabel="weight decay λ", ylabel="g = min intra − max inter")
    ax.set_ylim(min(0.0, kept["gap"].min() - 0.05) if len(kept) else 0.0, best + 0.08)
    if kept.empty:
        ax.set_xlim(1e-4, 1e-2)
        say(ax, words.none_fits(results.config))
    figure.legend(*ax.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=2)
    return Drawing(
        figure,
        f"g of last-layer features after training, {seeds_phrase(final)}. {words.UNCENTRED}",
        [
            words.GAP,
            *words.COSINES,
            words.SELF_PAIRS,
            words.left_out(results.config, final),
            *words.setting(results.config, final),
        ],
    )


def discarded_note(discarded: pd.DataFrame) -> str:
    """The trials left out of a panel, with the training accuracy each seed reached."""
    if discarded.empty:
        return "(every trial fits)"
    if discarded[WEIGHT_DECAY].nunique() > MOST_LISTED:
        low, high = discarded["accuracy"].min(), discarded["accuracy"].max()
        return f"left out: {len(discarded)} trials,\naccuracy {low:.4f} to {high:.4f}"
    lines = ["left out, with their accuracy:"]
    for decay, rows in discarded.groupby(WEIGHT_DECAY):
        lines += textwrap.wrap(f"λ = {decay:g}: {', '.join(words.reached(rows))}", 42)
    return "\n".join(lines)


def optimum_figure(results: Results) -> Drawing:
    """Squared norms and cross-entropy against weight decay, with the layer-peeled model's optimum [derived]."""
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
    points(norms, affine, "weight_squared_norm", color=BLUE, marker="o", label="affine: ‖W‖²", **dot)
    if len(affine):
        total = affine.assign(scale=affine["gamma_squared_norm"] + affine["beta_squared_norm"])
        points(norms, total, "scale", color=GREEN, marker="x", label="affine: ‖γ‖² + ‖β‖²", **dot)
    points(norms, plain, "weight_squared_norm", color=ORANGE, marker="s", label="plain: ‖W‖²", **dot)
    line: dict[str, Any] = {"linewidth": 1.3}
    norms.plot(decay, optimum.norm_squared, color=BLUE, label="affine: least loss + penalty", **line)
    norms.plot(decay, plain_norm, color=ORANGE, linestyle="--", label="plain: least loss + penalty", **line)
    norms.set(ylabel="squared norm", title="Output weights, last BatchNorm")
    points(losses, affine, "loss", color=BLUE, marker="o", **dot)
    points(losses, plain, "loss", color=ORANGE, marker="s", **dot)
    losses.plot(decay, optimum.cross_entropy, color=BLUE, **line)
    losses.plot(decay, plain_loss, color=ORANGE, linestyle="--", **line)
    losses.set(ylabel="cross-entropy (nats)", title="Training loss without penalty")
    for ax in (norms, losses):
        ax.set(xscale="log", yscale="log", xlabel="weight decay λ")
        if affine.empty and plain.empty:
            say(ax, words.none_fits(results.config, "trial with BatchNorm"))
    figure.legend(*norms.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3)
    return Drawing(
        figure,
        f"Points: trained networks with affine or plain BatchNorm, {seeds_phrase(final, band=False)}. Lines: the "
        "layer-peeled model where its cross-entropy + penalty is least (our derivation).",
        [
            "W: weights of the output layer. γ, β: affine part of the last BatchNorm. Plain BatchNorm has none.",
            f"Points: a trial each, of a training accuracy of at least {results.config.train.target_accuracy:g}.",
            "Lines: the minimum of cross-entropy + (λ/2)(‖W‖² + ‖γ‖²) over free features behind the last "
            "BatchNorm, balanced classes, no bias. Our derivation, not the thesis's.",
            "Left: the lines show ‖W‖². Right: the cross-entropy alone, without the penalty, so that points may lie "
            "below a line: less loss, at more penalty.",
            "Affine optimum, λ < 1/√C: ‖W‖² = ‖γ‖² = ((C−1)/√C) ln(√C/λ − C + 1), cross-entropy −ln(1 − λ (C−1)/√C).",
            "Plain optimum: mean ‖h‖² is the width d, and the penalty (λ/2) ‖W‖². The logit gap z solves "
            "1/(e^z + C − 1) = λ (C−1) z/(C d); ‖W‖² = z² (C−1)²/(C d), cross-entropy ln(1 + (C−1) e^(−z)).",
            *words.setting(results.config, final),
        ],
    )


def points(ax: Axes, table: pd.DataFrame, y: str, **style: Any) -> None:
    """A point a trial over its weight decay; no entry of the legend where there is none."""
    if len(table):
        ax.plot(table[WEIGHT_DECAY].to_numpy(), table[y].to_numpy(), **style)
