"""Jacot et al. 2025, Figure 3: deeper non-linear parts are more balanced and less negative."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from nc_runner.experiments.base import Claim, Experiment, Need, Results, Statement
from nc_runner.experiments.jacot2025 import seeds, words
from nc_runner.experiments.jacot2025.bounds import bounds_hold
from nc_runner.experiments.jacot2025.conditions import enough_fit, fit, paper_sizes
from nc_runner.experiments.jacot2025.curves import curves, legend_above
from nc_runner.experiments.jacot2025.head import check
from nc_runner.experiments.jacot2025.layers import BALANCE, NEGATIVITY, column, final_layers, nonlinear_layers
from nc_runner.experiments.jacot2025.measures import measure
from nc_runner.experiments.needs import decay_times, interpolates, plain_network
from nc_runner.figures.drawing import Drawing

DEPTH, RATE, DECAY = "nonlinear_depth", "train.learning_rate", "train.weight_decay"
NEGATIVE = 0.1  # [choice] negativity from which on a layer is negative
PANELS = (("balancedness", "min"), ("balancedness", "mean"), ("negativity", "min"), ("negativity", "mean"))


_FALLS = (
    "the least and the mean {} over the layers fall with the number of non-linear layers at every step size, Page's "
    f"test of ranks within a seed: {seeds.RULE}; and are lower with the most than with the fewest"
)
_CONVERGED = (interpolates, plain_network, decay_times(), paper_sizes)

MORE_BALANCED = Statement(
    "deeper_more_balanced",
    "deeper non-linear parts are more balanced",
    "Deeper non-linear parts are more balanced.",
    "Figure 3",
    _FALLS.format("balancedness"),
    _CONVERGED,
)
LESS_NEGATIVE = Statement(
    "deeper_less_negative",
    "deeper non-linear parts are less negative",
    "Deeper non-linear parts are less negative.",
    "Figure 3",
    _FALLS.format("negativity"),
    _CONVERGED,
)
LAST_NEGATIVE = Statement(
    "last_stays_negative",
    "the last non-linear layer always stays negative",
    "The last non-linear layer always stays negative.",
    "Figure 3",
    f"its negativity is above {NEGATIVE:g} [choice] in every run",
    _CONVERGED,
)


def by_run(results: Results) -> pd.DataFrame:
    """One row a trial at its last epoch: least and mean balancedness and negativity of its non-linear layers.

    The first two layers are not measured [paper]. ``nonlinear_depth`` counts them; ``last_negativity`` is of the last
    non-linear layer.
    """
    table = final_layers(results, BALANCE, NEGATIVITY)
    nonlinear = nonlinear_layers(table, results.config)
    last = table[table["layer"] == nonlinear].set_index("id")[NEGATIVITY]
    table = table[table["layer"].between(1, nonlinear)]
    layers = table.groupby("id")[[BALANCE, NEGATIVITY]]
    grouped = layers.min().add_suffix("_min").join(layers.mean().add_suffix("_mean"))
    trials = results.trials.set_index("id")
    depth = trials["model.depth"] - results.config.model.linear_layers
    columns = {DEPTH: depth, RATE: trials[RATE], "seed": trials["seed"], "last_negativity": last}
    return grouped.join(pd.DataFrame(columns), how="inner").reset_index()


def figures(results: Results) -> dict[str, Drawing]:
    """The four panels, one curve a step size."""
    table = by_run(results)
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.0))
    for ax, (metric, of) in zip(axes, PANELS, strict=True):
        curves(ax, table, DEPTH, f"{metric}_{of}", by=RATE, name="step size")
        ax.set(title=f"{of} over layers", xlabel="number of non-linear layers", ylabel=metric)
        ax.set_ylim(bottom=0)
    legend_above(figure, axes[0])
    return {"figure_3": Drawing(figure, caption(results, table), notes(results))}


def caption(results: Results, table: pd.DataFrame) -> str:
    """What the points are."""
    return (
        "Points: min and mean over the non-linear layers of the head (the third of the network and later) after "
        f"training, {words.runs(results)}; {words.fitted(results, table)}. Operator norms."
    )


def notes(results: Results) -> list[str]:
    """Everything else."""
    return [
        words.DEFINITION_OF_BALANCEDNESS,
        words.DEFINITION_OF_NEGATIVITY,
        "The first two layers count in the number of non-linear layers but are not measured [paper]. The last "
        "non-linear layer is paired with the first linear one.",
        words.what_fits(results),
        *words.setting(results),
        *weight_decay_by_depth(results),
    ]


def weight_decay_by_depth(results: Results) -> list[str]:
    """A sentence where the weight decay is inversely proportional to the number of layers."""
    depth = results.trials["model.depth"]
    product = depth * column(results.trials, DECAY, results.config.train.weight_decay)
    one = depth.min() < depth.max() and product.max() < 1.001 * product.min()
    return [f"The weight decay is {product.mean():.3g} over the number of layers."] if one else []


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figure 3."""
    of, enough = fit(results), enough_fit(results)
    table = by_run(of)
    return [
        falls_with_depth(of, table, enough, MORE_BALANCED, BALANCE),
        falls_with_depth(of, table, enough, LESS_NEGATIVE, NEGATIVITY),
        last_stays_negative(of, table, enough),
        *bounds_hold(results),
    ]


def falls_with_depth(of: Results, table: pd.DataFrame, enough: Need, statement: Statement, metric: str) -> Claim:
    """Least and mean over the layers fall with depth, at each step size."""
    found = {
        (rate, over): rows.pivot_table(index="seed", columns=DEPTH, values=f"{metric}_{over}")
        for rate, rows in table.groupby(RATE)
        for over in ("min", "mean")
    }
    holds, noise = seeds.told([seeds.trend(values, rising=False) for values in found.values()])
    if holds is None or any(values.empty for values in found.values()):
        return statement.judged(of, None, "no run that fits", needs=[enough])
    ends = {key: (values.mean().iloc[0], values.mean().iloc[-1]) for key, values in found.items()}
    measured = ", ".join(f"{over} at {rate:g}: {a:.3g} to {b:.3g}" for (rate, over), (a, b) in ends.items())
    factor = max(b / a for a, b in ends.values())
    falls = all(b < a for a, b in ends.values())
    return statement.judged(of, holds and falls, measured, f"times {factor:.2g} or less", [enough, noise])


def last_stays_negative(of: Results, table: pd.DataFrame, enough: Need) -> Claim:
    """The last non-linear layer of every run is negative."""
    values = table["last_negativity"].dropna()
    if values.empty:
        return LAST_NEGATIVE.judged(of, None, "no run that fits", needs=[enough])
    measured = f"{values.min():.2g} to {values.max():.2g}, {len(values)} runs"
    return LAST_NEGATIVE.judged(of, bool((values > NEGATIVE).all()), measured, f"{values.min():.2g} or more", [enough])


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="3",
    summary="balancedness and negativity of the non-linear layers against their number",
    cost="~3 days",
    measure=measure,
    figures=figures,
    claims=claims,
    check=check,
)
