"""Three measures of collapse against weight decay, a line a data set."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.dataset_complexity.measure import RATIO, with_complexity
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

COLOURS = (SKY, BLUE, GREEN, ORANGE, PURPLE)
MEASURES = {  # metric: its panel's title and axis
    INTRA: ("same class", "min intra-class cosine"),
    INTER: ("different classes", "max inter-class cosine"),
    RATIO: ("scatter within / between classes", "tr $S_W$ / tr $S_B$"),
}
ETF: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}


def figures(results: Results) -> dict[str, Drawing]:
    """Three measures of collapse against weight decay, a line a data set."""
    final = results.final()
    fits = with_complexity(final)
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(9.6, 3.1))
    for ax, (metric, (title, label)) in zip(axes, MEASURES.items(), strict=True):
        for name, colour in zip(fits.sort_values("complexity")["name"].unique(), COLOURS * 9, strict=False):
            plot_over(ax, fits[fits["name"] == name], WEIGHT_DECAY, metric, color=colour, marker="o", label=name)
        ax.set(xscale="log", xlabel="weight decay λ", ylabel=label, title=title)
        decays = sorted(final[WEIGHT_DECAY].unique())
        ax.set_xticks(decays, [f"{decay:g}" for decay in decays])
        ax.set_xticks([], minor=True)
        if fits.empty:
            ax.set(xlim=(decays[0] / 1.2, decays[-1] * 1.2))
            say(ax, words.none_fits(results.config), at=(0.5, 0.3))
    axes[0].axhline(1, **ETF)
    axes[1].axhline(-1 / (results.config.data.classes - 1), **ETF)
    axes[2].set_yscale("log")
    handles = [*axes[0].get_legend_handles_labels()[0], Line2D([], [], **ETF, label="simplex ETF")]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=len(handles))
    figure.subplots_adjust(wspace=0.36, bottom=0.16)
    return {
        "collapse_by_complexity": Drawing(
            figure,
            f"Lines: last-layer features after training, one line per data set, {seeds_phrase(final)}. "
            f"{words.UNCENTRED}",
            [
                "Data sets from simple to complex: conic hull (cells of random planes through the origin), then the "
                "labels of random networks, teachers, of growing depth.",
                *words.COSINES,
                words.SELF_PAIRS,
                "S_W and S_B: covariance of the features within the classes, and of the class means. The ratio of "
                "their traces is 0 at within-class collapse, below the range of its axis.",
                words.left_out(results.config, final),
                *words.setting(results.config, final),
            ],
        )
    }
