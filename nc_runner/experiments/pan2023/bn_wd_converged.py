"""Pan 2023, Conjecture 3.1.1: collapse against weight decay at convergence, beside the thesis's 300 epochs."""

from __future__ import annotations

import itertools
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Experiment, Kind, Results, Statement
from nc_runner.experiments.decay import decay_times_of
from nc_runner.experiments.needs import DECAY_TIMES, data_is, decay_times, plain_network, seeds
from nc_runner.experiments.noise.contrast import between
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.bn_wd_sweep.measure import measure
from nc_runner.experiments.pan2023.conjectures import (
    GROWTH,
    GROWTH_RULE,
    INTER,
    INTRA,
    growth_with_weight_decay,
    with_gap,
)
from nc_runner.experiments.pan2023.fits import SEEDS, WEIGHT_DECAY, fitting, groups, measured
from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_over, seeds_phrase

EPOCHS = "train.epochs"
SIMPLEX = "simplex ETF, C/(C−1)"
MARGIN = 1.3  # beside the points
TITLES = {"conic_hull": "conic hull data", "teacher": "the teacher's data"}

GROWTH_EVERYWHERE = replace(
    GROWTH,
    id="growth_at_every_decay",
    short="the same at the thesis's smallest weight decays too",
    text=f"{GROWTH.text} At every weight decay of the thesis, the smallest among them.",
    rule=f"{GROWTH_RULE}; over the longest training of each weight decay",
)
AT_CONVERGENCE = Statement(
    "g_at_convergence",
    "on the teacher's data g grows with decay at convergence",
    "With affine BatchNorm g is larger at larger weight decay at convergence, on the teacher's data.",
    "Figure 3.1, whose networks are not at convergence at weight decays up to 1e-3",
    f"{GROWTH_RULE}; over trials of ten decay times or more",
    (data_is(DataName.teacher), plain_network, decay_times(), seeds(SEEDS), measured(INTRA, INTER)),
    Kind.ours,
)
STILL_GROWING = Statement(
    "g_still_grows_after_300_epochs",
    "at small weight decay g still grows after 300 epochs",
    "On the teacher's data, at weight decays whose shorter training is less than ten decay times, g is larger at "
    "convergence: a part of its growth with weight decay in Figure 3.1 is training time.",
    "ours",
    "at every such weight decay the mean of g over seeds is larger after the longer training, beyond noise",
    (data_is(DataName.teacher), seeds(SEEDS), measured(INTRA, INTER)),
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """The conjecture on its own data, then the teacher's."""
    conic, teacher = (fitting(results, data=name) for name in ("conic_hull", "teacher"))
    return [
        growth_with_weight_decay(longest(conic), GROWTH, late=True),
        growth_with_weight_decay(longest(conic), GROWTH_EVERYWHERE),
        growth_with_weight_decay(longest(teacher), AT_CONVERGENCE, late=True),
        still_growing(teacher),
    ]


def longest(fits: Results) -> Results:
    """The trials of each weight decay that were trained longest."""
    if EPOCHS not in fits.trials:
        return fits
    epochs = fits.trials.groupby(WEIGHT_DECAY)[EPOCHS].transform("max")
    return fits.only(fits.trials[EPOCHS] == epochs)


def still_growing(teacher: Results) -> Claim:
    """g after ten decay times or more less g after fewer, at the weight decays that have both."""
    table = with_gap(teacher.final()).assign(late=(decay_times_of(teacher) >= DECAY_TIMES).tolist())
    short, long = (groups(table[table["late"] == late], WEIGHT_DECAY, "gap") for late in (False, True))
    both = [decay for decay in short if decay in long]
    of = teacher.only(teacher.trials[WEIGHT_DECAY].isin(both))
    if not both:
        return STILL_GROWING.judged(of, None, "no weight decay trained to less than ten decay times, and to more")
    found = between({f"{decay:g}": long[decay] for decay in both}, {f"{decay:g}": short[decay] for decay in both})
    said = [f"{more:.3f} at {decay}" for decay, more in found.means.items()]
    return STILL_GROWING.judged(of, found.all_within, f"g grows by {', '.join(said)}", said[0], [found.told])


def figures(results: Results) -> dict[str, Drawing]:
    """g against weight decay after each training, and against its decay times."""
    final = results.final()
    fits = with_gap(final[final["status"] == "interpolated"])
    times = decay_times_of(results)
    fits["decay times"] = fits["id"].map(dict(zip(results.trials["id"], times, strict=True)))
    lengths = sorted(final[EPOCHS].unique()) if EPOCHS in final else []
    figure, axes = plt.subplots(2, len(TITLES), figsize=(8.2, 6.2), sharey=True)
    best = 1 + 1 / (results.config.data.classes - 1)
    for (name, title), (over_decay, over_time) in zip(TITLES.items(), axes.T, strict=True):
        of = fits[fits["data.name"] == name]
        over_decay.set(title=title, xscale="log", xlabel="weight decay λ")
        over_time.set(xscale="log", xlabel="decay times at the end of training")
        by_epochs(over_decay, of, lengths)
        by_decay(over_time, of, sorted(final[WEIGHT_DECAY].unique()))
        for ax in (over_decay, over_time):
            ax.axhline(best, color=GREY, linestyle="--", linewidth=1, label=SIMPLEX)
            if of.empty:
                say(ax, words.none_fits(results.config))
        over_time.axvline(DECAY_TIMES, color=GREY, linestyle=":", linewidth=1)
        for ax, key in ((over_decay, WEIGHT_DECAY), (over_time, "decay times")):  # the same for both data sets
            if len(fits):
                ax.set_xlim(fits[key].min() / MARGIN, fits[key].max() * MARGIN)
    for ax in axes[:, 0]:
        ax.set_ylabel("g = min intra − max inter")
    for row, columns in ((0, 4), (1, 5)):
        entries = {
            label: handle for ax in axes[row] for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        entries[SIMPLEX] = entries.pop(SIMPLEX)  # the last, though a later panel may have more lines
        where = (0.5, 0.92) if row == 0 else (0.5, 0.0)
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="lower center" if row == 0 else "upper center",
            bbox_to_anchor=where,
            ncols=columns,
        )
    figure.subplots_adjust(wspace=0.08, hspace=0.32)
    return {
        "g_at_convergence": Drawing(
            figure,
            "Top: g of the last layer against weight decay by the length of training. Bottom: g against decay "
            f"times. {seeds_phrase(final).capitalize()}. {words.UNCENTRED}",
            [
                words.GAP,
                *words.COSINES,
                words.SELF_PAIRS,
                "Decay times: the sum over the steps of 2 ηλ/(1 "
                "− momentum). After ten (dotted), e^−10 of a weight's start is left.",
                "A line of the lower panels is a weight decay, its points the trainings by their length, the schedule "
                "of the step size stretched with it.",
                "Conjecture 3.1.1 is stated for conic hull data at convergence. The teacher's data are those of Figure "
                "3.1, at 300 epochs at scale=paper.",
                words.left_out(results.config, final),
                *words.setting(results.config, final),
            ],
        )
    }


def by_epochs(ax: Axes, fits: pd.DataFrame, lengths: list[int]) -> None:
    """A line a length of training over weight decay, its colour by its place among all lengths."""
    for epochs, colour in zip(lengths, itertools.cycle((ORANGE, BLUE, GREEN, PURPLE)), strict=False):
        rows = fits[fits[EPOCHS] == epochs]
        if len(rows):
            plot_over(ax, rows, WEIGHT_DECAY, "gap", color=colour, marker="o", label=f"{epochs} epochs")


def by_decay(ax: Axes, fits: pd.DataFrame, decays: list[float], metric: str = "gap") -> None:
    """A line a weight decay of a metric over decay times, its colour by its place among all weight decays."""
    for number, decay in enumerate(decays):
        rows = fits[fits[WEIGHT_DECAY] == decay]
        colour = plt.colormaps["viridis_r"](0.1 + 0.9 * number / max(len(decays) - 1, 1))
        if len(rows):
            plot_over(ax, rows, "decay times", metric, color=colour, marker="s", label=f"λ = {decay:g}")


EXPERIMENT = Experiment(
    paper="pan2023",
    figure="Conj. 3.1.1",
    summary="g against weight decay at convergence beside 300 epochs, conic hull and teacher's data",
    cost="~1.6 h",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=(INTRA, INTER, "ncc_accuracy"),
)
