"""NC1 and NC2 against the number of linear layers, of any network with a linear head: figure and claims."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.claims import SPREAD, bounds_hold
from nc_runner.experiments.jacot2025.curves import curves, legend_above, logarithmic, styles
from nc_runner.experiments.jacot2025.imbalance import decayed
from nc_runner.experiments.jacot2025.layers import NC1, NC2, final_layers, nonlinear_layers, whole_condition_number
from nc_runner.figures.drawing import Drawing

LINEAR, DECAY, BALANCED = "model.linear_layers", "train.weight_decay", "balanced_nc2"
IMPROVES = 0.75  # [choice] share of the steps from a number of linear layers to the next
BALANCED_ERROR = 0.1  # [choice] of NC2 of the last layer against that of a balanced head
PANELS = (("last", NC1), ("input", NC1), ("last", NC2), ("input", NC2))
PLACES = {"last": "last layer", "input": "head's input"}
TITLES = {"last": "last hidden layer", "input": "last non-linear layer"}
LABELS = {NC1: "tr $S_W$ / tr $S_B$", NC2: "condition number"}


def both_ends(results: Results) -> pd.DataFrame:
    """One row a trial at its last epoch: ``last_NC``, of Z_(L-1), and ``input_NC``, of the last non-linear layer.

    The last layer is Z_(L-1), which Theorem B.1 is of: Z_L is near one-hot with any head. With one linear layer the two
    are the same. ``balanced_nc2`` is c3^(1/L2), c3 the condition number of the product of the linear layers [choice].
    """
    table = final_layers(results, NC1, NC2)
    nonlinear = nonlinear_layers(table, results.config)
    joined = results.trials.set_index("id")[["seed", LINEAR, DECAY]]
    for place, layer in (("last", nonlinear + table[LINEAR] - 1), ("input", nonlinear)):
        rows = table[table["layer"] == layer]
        joined = joined.join(rows.set_index("id")[[NC1, NC2]].add_prefix(f"{place}_"), how="inner")
    c3 = whole_condition_number(results).reindex(joined.index)
    return joined.assign(**{BALANCED: c3 ** (1 / joined[LINEAR])}).reset_index()


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


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figures 2 and 5."""
    table = both_ends(results)
    decided = decayed(results) and complete(results, table)
    note = f"; {len(table)} of {len(results.trials)} runs fit"
    of_heads = [replace(claim, measured=claim.measured + note) for claim in after_decay(table)]
    return [
        *(claim if decided else replace(claim, holds=None) for claim in of_heads),
        bounds_hold(results),
    ]


def complete(results: Results, table: pd.DataFrame) -> bool:
    """Whether every point of the grid has a run that fits."""
    return set(zip(table[DECAY], table[LINEAR], strict=True)) >= set(
        zip(results.trials[DECAY], results.trials[LINEAR], strict=True)
    )


def after_decay(table: pd.DataFrame) -> list[Claim]:
    """Claims on balanced heads: nothing is decided while more than a little of the first imbalance is left."""
    means = table.groupby([DECAY, LINEAR])[[f"{place}_{metric}" for place, metric in PANELS]].mean()
    return [
        nc2_better_with_depth(means),
        nc2_input_worse(means),
        nc1_hardly_varies(means),
        nc2_of_balanced_head(table),
    ]


def spans(means: pd.DataFrame, column: str) -> list[tuple[float, pd.Series]]:
    """(weight decay, means by number of linear layers) where there are at least two."""
    decays = sorted(means.index.get_level_values(DECAY).unique())
    curves = [(decay, means.xs(decay, level=DECAY)[column].sort_index().dropna()) for decay in decays]
    return [(decay, curve) for decay, curve in curves if len(curve) >= 2]


def said(found: list[tuple[float, pd.Series]]) -> str:
    """The first and last of each curve, in words."""
    return "; ".join(f"{rows.iloc[0]:.3g} to {rows.iloc[-1]:.3g} at {decay:g}" for decay, rows in found) or "nothing"


def nc2_better_with_depth(means: pd.DataFrame) -> Claim:
    """NC2 of the last layer falls with the number of linear layers."""
    found = spans(means, f"last_{NC2}")
    holds = all(rows.iloc[-1] < rows.iloc[0] and (rows.diff().dropna() < 0).mean() >= IMPROVES for _, rows in found)
    return Claim(
        "nc2_better_with_depth",
        "NC2 of the last layer improves with the number of linear layers.",
        f"the mean over runs is lower with the most than with the fewest, and falls in at least {IMPROVES:.0%} of the "
        "steps between, at every weight decay [choice]",
        said(found),
        Claim.judge(holds if found else None),
    )


def nc2_input_worse(means: pd.DataFrame) -> Claim:
    """NC2 of the head's input rises with the number of linear layers."""
    found = spans(means, f"input_{NC2}")
    return Claim(
        "nc2_input_worse",
        "NC2 at the head's input becomes slightly worse with the number of linear layers.",
        "the mean over runs is higher with the most than with the fewest, at every weight decay",
        said(found),
        Claim.judge(all(rows.iloc[-1] > rows.iloc[0] for _, rows in found) if found else None),
    )


def nc1_hardly_varies(means: pd.DataFrame) -> Claim:
    """NC1 of the last layer and of the head's input varies little with the number of linear layers."""
    found = {place: [rows.max() / rows.min() for _, rows in spans(means, f"{place}_{NC1}")] for place in PLACES}
    every = [ratio for ratios in found.values() for ratio in ratios]
    return Claim(
        "nc1_hardly_varies",
        "NC1 hardly depends on the number of linear layers.",
        f"largest over least mean over runs is at most {SPREAD:g}, at both ends of the head and every weight decay "
        "[choice]",
        "; ".join(f"{PLACES[place]} up to {max(ratios):.3g}" for place, ratios in found.items() if ratios) or "nothing",
        Claim.judge(max(every) <= SPREAD if every else None),
    )


def nc2_of_balanced_head(table: pd.DataFrame) -> Claim:
    """NC2 of the last layer is the L2-th root of the condition number of the product of the linear layers."""
    table = table[(table[LINEAR] > 1)].dropna(subset=[f"last_{NC2}", BALANCED])
    error = (table[f"last_{NC2}"] / table[BALANCED] - 1).abs()
    return Claim(
        "nc2_of_balanced_head",
        "NC2 of the last layer is c3^(1/L2), as of a balanced head, c3 the condition number of the product of its L2 "
        "linear layers [derived].",
        f"within {BALANCED_ERROR:.0%} [choice] in every run with at least two linear layers",
        f"off by {error.mean():.1%} on average and {error.max():.1%} at most, {len(table)} runs"
        if len(table)
        else "no such run",
        Claim.judge(bool(np.all(error <= BALANCED_ERROR)) if len(table) else None),
    )
