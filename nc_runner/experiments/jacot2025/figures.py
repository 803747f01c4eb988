"""Figures 1 and 4 of Jacot et al. 2025: the layers of a linear head over training, Gram matrices at its end."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.curves import logarithmic
from nc_runner.experiments.jacot2025.head import head_depth
from nc_runner.experiments.jacot2025.imbalance import LEARNT
from nc_runner.experiments.jacot2025.layers import BALANCE, NC1, NC2, NEGATIVITY
from nc_runner.experiments.jacot2025.panels import (
    HIGHEST,
    draw_bound,
    draw_condition,
    draw_geometry,
    draw_gram,
    draw_layers,
    draw_predictions,
)
from nc_runner.figures.drawing import Drawing, colour_bar

PANELS = (
    (NC1, "NC1", "tr $S_W$ / tr $S_B$"),
    (NC2, "NC2", "condition number of class means"),
    (BALANCE, "balancedness", "‖W₊ᵀW₊ − WWᵀ‖, relative"),
    (NEGATIVITY, "negativity", "‖Z − relu(Z)‖ / ‖Z‖"),
)


def training_figure(results: Results, *, gram_layers: int) -> Drawing:
    """Panels over training, a curve a layer, with predictions, and NC3; below, Gram matrices and NC2 by layer."""
    config, columns = results.config, gram_layers + 1
    figure = plt.figure(figsize=(13.5, 6.2))
    halves = figure.add_gridspec(2, 1, height_ratios=(1.25, 1), hspace=0.42)
    above, below = halves[0].subgridspec(1, 5, wspace=0.32), halves[1].subgridspec(1, columns, wspace=0.45)
    upper = [figure.add_subplot(above[i]) for i in range(4)]
    lower = [figure.add_subplot(below[i]) for i in range(columns)]
    table = results.by_layer(NC1, NC2, BALANCE, NEGATIVITY)
    table = table[table["status"] != "diverged"]
    for ax, (metric, title, label) in zip(upper, PANELS, strict=True):
        if metric != NEGATIVITY:
            logarithmic(ax)
        draw_layers(ax, table, metric, config)
        ax.set(title=title, xlabel="epoch")
        ax.set_ylabel(label, fontsize="small")
    draw_predictions(upper[2], results)
    draw_bound(upper[0], results, NC1)
    draw_bound(upper[1], results, NC2)
    legend(figure, upper[:3])
    depth = head_depth(config)
    for ax, layer in zip(lower, range(max(0, depth + 1 - gram_layers), depth + 1), strict=False):
        image = draw_gram(ax, results, layer)
    colour_bar(lower[-2], image, "relative", ticks=[-1, 0, 1])  # one scale for all
    draw_condition(lower[-1], results)
    draw_geometry(figure.add_subplot(above[4]), results)
    return Drawing(figure, caption(results), notes(results))


def caption(results: Results) -> str:
    """What the panels show."""
    return (
        f"Above: each layer of the head over training, and NC3; {words.runs(results)}. Below, at the last epoch: "
        "Gram matrices of class means, and NC2 against the layer. Class means are uncentred."
    )


def notes(results: Results) -> list[str]:
    """Everything else."""
    return [
        f"{words.numbering(results.config)} Orange: non-linear layers, blue: linear ones, the darker the deeper.",
        words.DEFINITION_OF_NC1,
        words.DEFINITION_OF_NC2,
        words.DEFINITION_OF_BALANCEDNESS,
        words.DEFINITION_OF_NEGATIVITY,
        "Dash-dotted: Theorem B.1 for the layer before the last, in its sharper form (our derivation): mean over the "
        f"runs in which it is finite, where that is no more than {HIGHEST:g} times what is measured [choice].",
        "Dashed, in the darkened colour of its layer: the imbalance D = ‖W₊ᵀW₊ − WWᵀ‖ by the recursion "
        "D ← (1 − ηλ)² D + η² q for each step of SGD (our derivation), divided by the measured denominator of "
        "balancedness. η: step size over 1 − momentum. q: operator norm of the mean of SᵀS − TTᵀ over batches, taken "
        "at each probe; T and S are a batch's gradients at the layer's weight and at the next, without the penalty.",
        f"The dashed lines begin where the loss has settled: at most {LEARNT:g} [choice] of (K − 1)/(2K), the loss of "
        "the best constant output. With several runs that is the latest such epoch. A run without free decay after it "
        "counts from its first probe.",
        "Dotted: the straight decay (1 − ηλ)²ᵗ after t steps, the recursion without gradients, for the deepest pair of "
        "linear layers, up to the first drop of the step size.",
        "Gram matrices: inner products of class means over the largest of them, mean over runs.",
        "Dashed in the panel of NC2 by layer: NC2 of a balanced head, c₃^((L − l)/L₂) at layer l of L, c₃ the "
        "condition number of the product of the L₂ linear layers (our derivation).",
        "NC3, orthogonality: of the layer before the last, the mean over pairs of |cos| of class means, and what "
        "Wielandt's inequality allows a pair, (κ² − 1)/(κ² + 1) with κ = NC2 (our derivation); NC3 is the mean "
        "cosine of the last weight's rows with the class means that come into it [paper].",
        "Runs that diverged are left out; the balanced head is of those that fit.",
        *words.averaged(results),
        *words.setting(results),
    ]


def legend(figure: Figure, axes: list[Axes]) -> None:
    """One legend for these panels, above them all."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        columns = min(len(entries), 7)
        figure.legend(entries.values(), entries.keys(), loc="lower center", bbox_to_anchor=(0.5, 0.92), ncols=columns)
