"""A row a lemma: the one side over the other, with the line at which it would be violated; and the counterexample."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.lemma_sides import CLASSES, DIM, NUMBERS, PER_CLASS, VECTORS
from nc_runner.experiments.pan2023.lemmas import LEMMAS, Lemma
from nc_runner.experiments.pan2023.pan_lemmas.claims import values_of
from nc_runner.experiments.pan2023.pan_lemmas.measure import A_SEARCH_IN, COUNTEREXAMPLE
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures.drawing import Drawing, say

FORBIDDEN = "#fbe3dc"
RIGHT = 2.12
LEFT = -0.06
MARKS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("random", "random instance", BLUE, {"marker": "o", "markersize": 2.5, "alpha": 0.35, "markeredgewidth": 0}),
    ("searched", "where a search for the worst ends", ORANGE, {"marker": "o", "markersize": 3.5, "alpha": 0.6,
     "markeredgewidth": 0}),
    ("extreme", "made so that the sides meet", "black", {"marker": "*", "markersize": 9, "markeredgewidth": 0}),
)  # fmt: skip


def figures(results: Results) -> dict[str, Drawing]:
    """How tight each lemma is, and where the step of Lemma 2.4.5 fails."""
    return {"lemmas": lemmas_figure(results), "counterexample": counterexample_figure(results)}


def lemmas_figure(results: Results) -> Drawing:
    """The ratio of the two sides over instances, a row a lemma."""
    figure, ax = plt.subplots(figsize=(6.6, 4.4))
    hidden = sum(draw_row(ax, results, lemma, -row) for row, lemma in enumerate(LEMMAS))
    ax.axvspan(1, RIGHT, color=FORBIDDEN, linewidth=0, zorder=0)
    ax.axvline(1, color="black", linewidth=1.0, zorder=1)
    ax.text(1.04, 0.75, "violated", fontsize="small", va="center", zorder=5)
    ax.text(0.96, 0.75, "holds", fontsize="small", va="center", ha="right", zorder=5)
    ax.set_yticks([-row for row in range(len(LEMMAS))], [lemma.title for lemma in LEMMAS])
    for label, lemma in zip(ax.get_yticklabels(), LEMMAS, strict=True):
        label.set_color(ORANGE if lemma.false else "black")
    ax.set(xlim=(LEFT, RIGHT), ylim=(-len(LEMMAS) + 0.4, 1.1), xlabel="smaller side / larger side")
    ax.grid(visible=False, axis="y")
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3, markerscale=1.6)
    else:
        say(ax, "no instance was measured")
    random = len(values_of(results, f"random_{LEMMAS[0].name}"))
    ends = len(values_of(results, f"searched_{LEMMAS[0].name}"))
    return Drawing(
        figure,
        f"Each statement says that the ratio is at most 1. A row a statement: {random:,} random instances, the ends of "
        f"{ends:,} searches.",
        [
            *(f"{lemma.title}: {lemma.says}." for lemma in LEMMAS),
            "Statements that a norm or a cosine is large are drawn as distances from 1: 1 less it, over 1 less its "
            "bound. So are the equalities of Lemma 2.4.4, whose ratio is 1.",
            "Lemmas 2.4.2 and 2.4.6, and the proposition quoted inside Lemma 2.4.5, are left out: we have not their "
            "wording. The step shown is one that proves the lemma where every r ≥ 0 (our derivation); Lemma 2.4.5 "
            "itself holds of any r.",
            "Theorem 2.3.1: at the least favourable δ = k/C, k = 1 to C − 1, and of the k-th worst class; 0 where the "
            f"bound is vacuous. W and H off a simplex ETF, C = {CLASSES}, {PER_CLASS} samples a class.",
            f"Instances: {NUMBERS} numbers; {VECTORS} vectors in {DIM} dimensions; each with a weight, so that it "
            f"stands for any share of equal ones. Two classes of {CLASSES} features. Theorem 3.1: normal W and H, "
            f"K = {CLASSES}, n = {PER_CLASS}; {hidden:,} of these have a margin below 0 and are not drawn.",
            f"Searches: from every {A_SEARCH_IN}th random instance, {results.config.train.epochs} steps of Adam up the "
            "slope of the ratio, by central differences.",
            "Stars: instances made by hand at which the sides meet or nearly do; of the false statement one that "
            "breaks it by the most.",
            "Sizes and numbers of instances are our choice. Nothing is trained.",
        ],
    )


def draw_row(ax: Axes, results: Results, lemma: Lemma, y: float) -> int:
    """The instances of a lemma, spread over the height of its row; how many lie left of the axes."""
    hidden = 0
    for place, (kind, label, colour, style) in enumerate(MARKS):
        values = values_of(results, f"{kind}_{lemma.name}").to_numpy()
        values = values[: 1 if kind == "extreme" else None]  # it is the same in every trial
        hidden += int((values < LEFT).sum())
        # Evenly spread, in an order that has nothing to do with the values.
        height = (np.arange(len(values)) * 0.618) % 1 * 0.3 if kind != "extreme" else np.full(len(values), 0.15)
        named = label if label not in ax.get_legend_handles_labels()[1] and len(values) else None
        shift = (0.05, -0.35, -0.15)[place]
        ax.plot(values, y + shift + height, linestyle="none", color=colour, label=named, zorder=2 + place, **style)
    return hidden


def counterexample_figure(results: Results) -> Drawing:
    """Two vectors in one dimension, 1 and x: the mean unit vector, the step's bound and the lemma's."""
    figure, ax = plt.subplots(figsize=(4.6, 3.4))
    x = np.linspace(-1, 1, 401)
    share = (1 + x) ** 2 / (2 * (1 + x**2))  # c^2 / (alpha beta)^2
    mean = np.where(x < 0, 0.0, 1.0)
    ax.fill_between(x, mean, share, where=share > mean, color=FORBIDDEN, linewidth=0)
    ax.plot(x[x < 0], mean[x < 0], color="black", label="‖mean v/‖v‖‖")
    ax.plot(x[x >= 0], mean[x >= 0], color="black")
    ax.plot(x, share, color=ORANGE, label="step: (c/αβ)²")
    ax.plot(x, 2 * share - 1, color=BLUE, label="Lemma 2.4.5: 2 (c/αβ)² − 1")
    one, other = COUNTEREXAMPLE
    mark: dict[str, Any] = {"linestyle": "none", "marker": "*", "markersize": 10, "markeredgewidth": 0}
    found = values_of(results, "counterexample_step")
    if len(found):
        ax.plot([other / one], [found.iloc[0]], color=ORANGE, zorder=4, **mark)
        ax.annotate(
            f"2 and −1: 0 < {found.iloc[0]:.2g}",
            (other / one, found.iloc[0]),
            (-0.95, 0.62),
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8},
        )
    ax.set(xlabel="second vector, the first is 1", xlim=(-1, 1), ylim=(-1.05, 1.1))
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])
    ax.set_ylabel("norm of the mean unit vector")
    figure.legend(loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=3)
    return Drawing(
        figure,
        "Two vectors in one dimension. The step of Lemma 2.4.5 fails where the second points against w (shaded); the "
        "lemma holds.",
        [
            "c = mean w . v, α² = mean ‖v‖², β = ‖w‖ = 1. Step: mean r ≥ c²/(α²β), r = w . v/‖v‖, which is true where "
            "every r ≥ 0 (our derivation).",
            "Star: 2 and −1, the least integers against it (1 and −1 have c = 0). Of one vector it is true.",
            "The wording of the proposition that the thesis quotes there is not known to us, so it is not shown.",
        ],
    )
