"""NC1 and NC2 against the number of linear layers, of any network with a linear head."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.curves import curves, legend_above, logarithmic, styles
from nc_runner.experiments.jacot2025.ends import BALANCED, DECAY, LINEAR, both_ends
from nc_runner.experiments.jacot2025.layers import NC1, NC2
from nc_runner.figures.drawing import Drawing

PANELS = (("last", NC1), ("input", NC1), ("last", NC2), ("input", NC2))
TITLES = {"last": "last hidden layer", "input": "last non-linear layer"}
LABELS = {NC1: "tr $S_W$ / tr $S_B$", NC2: "condition number"}


def figures(results: Results) -> dict[str, Drawing]:
    """The four panels, one curve a weight decay."""
    table = both_ends(results)
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.0))
    for ax, (place, metric) in zip(axes, PANELS, strict=True):
        logarithmic(ax)
        curves(ax, table, LINEAR, f"{place}_{metric}", by=DECAY, name="weight decay")
        ax.set_title(f"{'NC1' if metric == NC1 else 'NC2'} of the {TITLES[place]}")
        ax.set(xlabel="number of linear layers", ylabel=LABELS[metric])
        ax.set_xticks(sorted(table[LINEAR].unique()))
        if metric == NC1:  # what hardly changes shall not look as if it did
            low, high = ax.get_ylim()
            wider = max(1.0, (10 * low / high) ** 0.5)
            ax.set_ylim(low / wider, high * wider)
    balanced_heads(axes[2], table)
    dashed = Line2D(
        [],
        [],
        linestyle="--",
        color="black",
        linewidth=1,
        marker=".",
        markersize=4,
        label="balanced head: $c_3^{\\,1/L_2}$",
    )
    legend_above(figure, axes[0], [dashed] if len(table) else [])
    return {"figure_2": Drawing(figure, caption(results, table), notes(results))}


def balanced_heads(ax: Axes, table: pd.DataFrame) -> None:
    """NC2 of balanced heads, dashed in the colour of their weight decay."""
    for decay, colour, _ in styles(table, DECAY):
        mean = table[table[DECAY] == decay].groupby(LINEAR)[BALANCED].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color=colour, linewidth=1, marker=".", markersize=4)


def caption(results: Results, table: pd.DataFrame) -> str:
    """What the points are."""
    return (
        f"Points: NC1 and NC2 after training, {words.runs(results)}; {words.fitted(results, table)}. "
        "NC2 is of uncentred class means."
    )


def notes(results: Results) -> list[str]:
    """Everything else."""
    return [
        "Last hidden layer: the one before the output, which Theorem B.1 is of; the output is near one-hot with any "
        "head. Last non-linear layer: the input of the linear ones. With one linear layer the two are the same.",
        words.DEFINITION_OF_NC1,
        words.DEFINITION_OF_NC2,
        "Dashed: NC2 of the last hidden layer if the head were balanced, c₃^(1/L₂), c₃ the condition number of the "
        "product of the L₂ linear layers (our derivation), in the colour of its weight decay.",
        "The axes of NC1 span a factor of ten or more, so that what hardly changes does not look as if it did.",
        words.what_fits(results),
        *words.setting(results),
    ]
