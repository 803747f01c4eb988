"""Jacot et al. 2025, Figure 3: deeper non-linear parts are more balanced and less negative."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from nc_runner.experiments.base import Claim, Experiment, Results
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.claims import bounds_hold
from nc_runner.experiments.jacot2025.curves import curves, legend_above
from nc_runner.experiments.jacot2025.head import check
from nc_runner.experiments.jacot2025.imbalance import DECAYED, decayed
from nc_runner.experiments.jacot2025.layers import BALANCE, NEGATIVITY, column, final_layers, nonlinear_layers
from nc_runner.experiments.jacot2025.measures import measure
from nc_runner.figures.drawing import Drawing

DEPTH, RATE, DECAY = "nonlinear_depth", "train.learning_rate", "train.weight_decay"
TREND = -0.5  # [choice] rank correlation with the depth, below which a quantity falls with it
NEGATIVE = 0.1  # [choice] negativity from which on a layer is negative
PANELS = (("balancedness", "min"), ("balancedness", "mean"), ("negativity", "min"), ("negativity", "mean"))


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
    table, done, depths = by_run(results), decayed(results), results.trials["model.depth"].nunique()
    return [
        falls_with_depth(table, BALANCE, "deeper_more_balanced", "more balanced", depths=depths, done=done),
        falls_with_depth(table, NEGATIVITY, "deeper_less_negative", "less negative", depths=depths, done=done),
        last_stays_negative(table),
        bounds_hold(results),
    ]


def falls_with_depth(table: pd.DataFrame, metric: str, name: str, what: str, *, depths: int, done: bool) -> Claim:
    """Least and mean over the layers fall with depth, at each step size; undecided where weight decay is not ``done``.

    ``depths`` is the number of depths run, of which two in three must have a run that fits.
    """
    found = []
    for rate, rows in table.groupby(RATE):
        means = rows.groupby(DEPTH)[[f"{metric}_min", f"{metric}_mean"]].mean()
        if len(means) >= max(3, 2 * depths / 3):
            ranks = means.reset_index().rank()
            found += [(rate, of, float(ranks[DEPTH].corr(ranks[f"{metric}_{of}"]))) for of in ("min", "mean")]
    return Claim(
        name,
        f"Deeper non-linear parts are {what}.",
        f"rank correlation of the least and of the mean {metric} (mean over runs) with the number of non-linear layers "
        f"is below {TREND:g} [choice], at every step size; undecided where a run has 2 eta lambda * steps below "
        f"{DECAYED:g}",
        ", ".join(f"{of} at {rate:g}: {value:+.2f}" for rate, of, value in found)
        or "fewer than three depths, or than two in three, have a run that fits",
        Claim.judge(all(value < TREND for *_, value in found) if found and done else None),
    )


def last_stays_negative(table: pd.DataFrame) -> Claim:
    """The last non-linear layer of every run is negative."""
    values = table["last_negativity"].dropna()
    return Claim(
        "last_stays_negative",
        "The last non-linear layer always stays negative.",
        f"its negativity is above {NEGATIVE:g} [choice] in every run",
        f"{values.min():.2g} to {values.max():.2g}, {len(values)} runs" if len(values) else "no run",
        Claim.judge(bool((values > NEGATIVE).all()) if len(values) else None),
    )


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
