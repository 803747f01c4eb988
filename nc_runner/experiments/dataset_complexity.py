"""Pan 2023, section 1.4, and Pan and Cao 2023: the simpler the distribution of the labels, the more collapse."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.config import Config
from nc_runner.experiments import geometry
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.experiments.conjectures import INTER, INTRA, WEIGHT_DECAY, agreement, pairs
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from nc_runner.figures.series import caption, plot_over, seeds_phrase
from nc_runner.models import MLP

COLOURS = (SKY, BLUE, GREEN, ORANGE, PURPLE)
MEASURES = {
    INTRA: "min intra-class cosine",
    INTER: "max inter-class cosine",
    "within_between_trace_ratio": "tr $S_W$ / tr $S_B$",
}


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


def draw(results: Results) -> dict[str, Figure]:
    """Three measures of collapse against weight decay, a line a data set."""
    final = results.final()
    fits = with_complexity(final)
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(9.6, 3.1))
    for ax, (metric, label) in zip(axes, MEASURES.items(), strict=True):
        for name, colour in zip(fits.sort_values("complexity")["name"].unique(), COLOURS * 9, strict=False):
            plot_over(ax, fits[fits["name"] == name], WEIGHT_DECAY, metric, color=colour, marker="o", label=name)
        ax.set(xscale="log", xlabel="weight decay λ", ylabel=label)
        decays = sorted(final[WEIGHT_DECAY].unique())
        ax.set_xticks(decays, [f"{decay:g}" for decay in decays])
        ax.set_xticks([], minor=True)
    axes[1].axhline(-1 / (results.config.data.classes - 1), color=GREY, linestyle="--", linewidth=1)
    axes[0].axhline(1, color=GREY, linestyle="--", linewidth=1)
    axes[2].set_yscale("log")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.92), ncols=len(handles))
    figure.subplots_adjust(wspace=0.36, bottom=0.16)
    model, train, samples = results.config.model, results.config.train, results.config.data.samples
    caption(
        figure,
        f"Last-layer features of {model.depth}-layer networks of width {model.width} with affine BatchNorm after "
        f"{train.epochs} epochs, N = {samples:,}; {seeds_phrase(final)}; {len(final) - len(fits)} of {len(final)} "
        f"trials below an accuracy of {train.target_accuracy:g} left out. Cosines of uncentred features, self pairs "
        "included; dashed: the simplex ETF.",
    )
    return {"collapse_by_complexity": figure}


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
    """The two ends alone: what is left of the statement where neighbours are too close to tell."""
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
    figure="section 1.4",
    summary="collapse against the complexity of the labels: conic hull, teachers of depth 3, 6, 9",
    cost="at most 19 min",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=(INTRA, INTER, "within_between_trace_ratio"),
)
