"""g, NC1, alpha and beta of the last layer against depth, a line a weight decay."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import with_gap
from nc_runner.experiments.pan2023.dataset_complexity.measure import RATIO
from nc_runner.experiments.pan2023.depth_collapse.claims import DEPTH, with_norms
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.figures import GREY
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

PANELS = {
    "gap": ("collapse", "g = min intra − max inter"),
    RATIO: ("scatter within / between classes", "NC1: tr $S_W$ / tr $S_B$"),
    "alpha": ("norm of the features", "α = √(mean ‖h‖²)"),
    "beta": ("norm of the output weights", "β = ‖W‖ / √C"),
}


def figures(results: Results) -> dict[str, Drawing]:
    """Collapse and norms against depth."""
    final, classes = results.final(), results.config.data.classes
    fits = with_norms(with_gap(final[final["status"] == "interpolated"]), classes)
    figure, axes = plt.subplots(2, 2, figsize=(8.2, 6.2))
    decays = sorted(final[WEIGHT_DECAY].unique())
    for ax, (metric, (title, label)) in zip(axes.flat, PANELS.items(), strict=True):
        for number, decay in enumerate(decays):
            rows = fits[fits[WEIGHT_DECAY] == decay]
            if rows.empty or metric not in rows:
                continue
            colour = plt.colormaps["viridis_r"](0.1 + 0.9 * number / max(len(decays) - 1, 1))
            style: dict[str, Any] = {"color": colour, "marker": "o"}
            if not decay:
                style = {"color": GREY, "marker": "x", "linestyle": ":"}
            name = f"λ = {decay:g}" if decay else "no weight decay"
            plot_over(ax, rows, DEPTH, metric, label=name, **style)
        ax.set(title=title, xlabel="depth (linear layers)", ylabel=label)
        if metric == RATIO:
            ax.set_yscale("log")
        if len(fits):
            ax.set_xticks(sorted(fits[DEPTH].unique()))
        else:
            say(ax, words.none_fits(results.config))
    best = 1 + 1 / (classes - 1)
    axes[0, 0].axhline(best, color=GREY, linestyle="--", linewidth=1, label=f"simplex ETF: C/(C−1) = {best:.2f}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.95), ncols=3)
    figure.subplots_adjust(wspace=0.3, hspace=0.4)
    return {
        "collapse_by_depth": Drawing(
            figure,
            f"Last-layer features after training against depth, a line per weight decay λ, {seeds_phrase(final)}. "
            f"{words.UNCENTRED}",
            [
                words.GAP,
                *words.COSINES,
                words.SELF_PAIRS,
                "S_W and S_B: covariance of the features within the classes, and of the class means. The ratio of "
                "their traces is 0 at within-class collapse.",
                "h: last-layer features. W: weights of the output layer. C: number of classes. Biases are left out.",
                words.left_out(results.config, final),
                *words.setting(results.config, final),
            ],
        )
    }
