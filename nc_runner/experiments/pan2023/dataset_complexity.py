"""Pan 2023, section 1.4, and Pan and Cao 2023: the simpler the distribution of the labels, the more collapse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, WEIGHT_DECAY, agreement, pairs
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase
from nc_runner.models import MLP

COLOURS = (SKY, BLUE, GREEN, ORANGE, PURPLE)
MEASURES = {  # metric: its panel's title and axis
    INTRA: ("same class", "min intra-class cosine"),
    INTER: ("different classes", "max inter-class cosine"),
    "within_between_trace_ratio": ("scatter within / between classes", "tr $S_W$ / tr $S_B$"),
}
ETF: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Cosines and collapse at the last layer's features, and fit."""
    assert network is not None
    outputs = dict(network.features(x))
    last, weight = network.depth - 1, network.params[f"{network.depth}.weight"]
    for name, value in (*geometry.cosines(outputs[last], y), *geometry.collapse(outputs[last], y, weight)):
        yield last, name, value
    for name, value in geometry.fit(outputs[network.depth], y):
        yield None, name, value


def with_complexity(final: pd.DataFrame) -> pd.DataFrame:
    """The finished trials that fit, with ``complexity`` (0 for conic hull, else the teacher's depth), a name, and g."""
    fits = final[final["status"] == "interpolated"]
    conic = fits["data.name"] == "conic_hull"
    complexity = fits["data.teacher_depth"].where(~conic, 0)
    names = "teacher of depth " + complexity.astype(str)
    return fits.assign(complexity=complexity, name=names.where(~conic, "conic hull"), gap=fits[INTRA] - fits[INTER])


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


def claims(results: Results) -> list[Claim]:
    """Collapse falls with complexity, in g and in the trace ratio."""
    fits = with_complexity(results.final())
    return [
        falls_with_complexity(fits, "gap", "g = min intra - max inter (uncentred)", falling=True),
        falls_with_complexity(fits, "within_between_trace_ratio", "1 / (tr S_W / tr S_B)", falling=False),
        simplest_against_hardest(fits),
    ]


def falls_with_complexity(fits: pd.DataFrame, metric: str, words: str, *, falling: bool) -> Claim:
    """Over all pairs of data sets at each weight decay, on means over seeds."""
    mean = fits.groupby([WEIGHT_DECAY, "complexity"])[metric].mean()
    sign = -1 if falling else 1
    wrong, compared = [], 0
    for decay, part in mean.groupby(level=0):
        for low, y_low, high, y_high in pairs(part.droplevel(0)):
            compared += 1
            if sign * (y_high - y_low) <= 0:
                wrong.append(f"{y_low:.3g} at complexity {low:g}, {y_high:.3g} at {high:g}, weight decay {decay!s}")
    agree, within = agreement(fits, ["seed", WEIGHT_DECAY], "complexity", metric, falling=falling)
    measured = f"{compared - len(wrong)} of {compared} comparisons of means; {agree} of {within} within a seed"
    return Claim(
        f"complexity_{metric}",
        f"The lower the complexity of the data, the more collapse: {words} falls from conic hull to teachers of depth "
        "3, 6 and 9, at each weight decay.",
        "every comparison of two data sets at one weight decay, means over seeds",
        measured + (f"; not: {'; '.join(wrong)}" if wrong else ""),
        Claim.judge(not wrong if compared else None),
    )


def simplest_against_hardest(fits: pd.DataFrame) -> Claim:
    """The simplest and the most complex data set alone, as neighbours may be too close to tell apart."""
    mean = fits.groupby([WEIGHT_DECAY, "complexity"])["gap"].mean().unstack("complexity")
    ends = mean[[mean.columns.min(), mean.columns.max()]].dropna() if mean.shape[1] >= 2 else mean.iloc[:0]
    holds, measured = None, "fewer than two data sets with perfect accuracy"
    if len(ends):
        holds = bool((ends.iloc[:, 0] > ends.iloc[:, 1]).all())
        said = [f"{a:.3f} against {b:.3f} at {decay:g}" for decay, a, b in ends.itertuples()]
        measured = ", ".join(said)
    return Claim(
        "simplest_against_hardest",
        "The simplest data set collapses further than the most complex one, at each weight decay.",
        "g of the simplest above g of the most complex, means over seeds",
        measured,
        Claim.judge(holds),
    )


EXPERIMENT = Experiment(
    paper="pan2023",
    figure="sec. 1.4",
    summary="collapse against the complexity of the labels: conic hull, teachers of depth 3, 6, 9",
    cost="19 min",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=(INTRA, INTER, "within_between_trace_ratio"),
)
