"""What is said of rank, weight decay and cluster variation, after Zangrando et al. 2026, judged over a grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible, noisy_samples

DECAY, SIGMA, DISTANCE = "train.weight_decay", "data.sigma", "relative_rank_distance"
VARIATION = "relative_input_cluster_variation"
SLACK = 1e-6  # [choice] relative slack of the bound, for float32 forward passes
FLOOR = 1e-10  # [choice] relative distances up to this count as equal; rounding of float32 weights is below it
AGREE = 0.9  # [choice] share of neighbouring pairs of the grid that has to agree
PAIRS = 20  # [choice] so that a distance without a trend agrees in as many with a chance below 1e-3
SPEARMAN = 0.7  # [choice] rank correlation over the networks of a layer, at least
NETWORKS = 15  # [choice] of which that correlation is taken, at least; without one it comes to 0.7 once in 500

SEEDS = 3  # [choice]


def several_seeds(results: Results) -> Need:
    """Seeds over the grid; not at each of its points, of which some fit with some seeds only."""
    count = results.trials["seed"].nunique()
    return Need("seeds", f"{SEEDS} or more", f"{count}", count >= SEEDS)


NEEDS = (
    interpolation_possible,
    noisy_samples,
    needs.finished,
    needs.grid_complete(DECAY, SIGMA),
    several_seeds,
    *converged,
)
PAIRS_RULE = f"in at least {AGREE:.0%} of the neighbouring pairs of the grid, all layers, above {FLOOR:g} [choice]"

BOUND = Statement(
    "bound_holds",
    "Distance from rank K below our form of the bound",
    "The distance of a weight from rank K is at most (1/lambda) [sqrt(TCV(delta_l) TCV(z_{l-1})) + ||R_l||_F], with "
    "R_l the gradient of the objective. It holds at any weights, so this checks the code and not the paper.",
    "after the bound at critical points (abstract)",
    f"no violation in any layer and epoch of a network that fits, to {SLACK:g} relative",
    (needs.finished,),
    Kind.derived,
)
FALLS = Statement(
    "falls_with_weight_decay",
    "The distance from rank K falls with weight decay",
    "The relative distance from rank K falls with weight decay.",
    "Figure 1, whose caption names no direction",
    PAIRS_RULE,
    NEEDS,
    Kind.ours,
)
RISES = Statement(
    "rises_with_noise",
    "The distance from rank K rises with the noise",
    "The relative distance from rank K rises with the noise of the mixture.",
    "Figure 1, whose caption names no direction",
    PAIRS_RULE,
    NEEDS,
    Kind.ours,
)
FOLLOWS = Statement(
    "follows_cluster_variation",
    "It follows cluster variation over weight decay",
    "The relative distance of a weight from rank K follows sqrt(TCV / mean ||z||^2) of its inputs over weight decay.",
    "the bound by a constant times TCV over lambda (abstract), read as a trend",
    f"Spearman's correlation over the networks at least {SPEARMAN:g} in each layer but the last [choice]",
    NEEDS,
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """The bound at every probe, how the distance changes along both axes of the heat map, and what it follows."""
    of = fits(results)
    return [bound_holds(of), trend(FALLS, of, DECAY, SIGMA, -1), trend(RISES, of, SIGMA, DECAY, 1), follows(of)]


def bounds(results: Results) -> pd.DataFrame:
    """One row a trial, epoch and layer, with the distance and its bound, where both are finite."""
    metrics = ["rank_distance", "rank_distance_bound", "input_cluster_variation", "weight_norm"]
    table = results.by_layer(*metrics)
    table = table.reindex(columns=[*table.columns.difference(metrics), *metrics])
    return table[table[["rank_distance", "rank_distance_bound"]].abs().max(axis=1) < np.inf]


def bound_holds(results: Results) -> Claim:
    """At every probe, converged or not."""
    table = bounds(results)
    if table.empty:
        return BOUND.judged(results, None, "nothing measured")
    allowed = table["rank_distance_bound"] * (1 + SLACK) + SLACK * table["weight_norm"]
    violated = int((table["rank_distance"] > allowed).sum())
    last = table[table["epoch"] == table.groupby("id")["epoch"].transform("max")]
    real = last[last["rank_distance"] > FLOOR**0.5 * last["weight_norm"]]
    loose = real["rank_distance_bound"] / real["rank_distance"]
    measured = f"{violated} violations in {len(table)} layers, trials and epochs"
    if len(loose):
        measured += (
            f"; after training the bound is {loose.min():.2g} to {loose.max():.2g} times the distance, median "
            f"{loose.median():.2g}"
        )
    return BOUND.judged(results, violated == 0, measured, number=f"{violated} above it")


def distances(results: Results) -> pd.DataFrame:
    """One row a network and layer whose rank can exceed K, after training."""
    table = results.final_by_layer(DISTANCE, VARIATION)
    table = table.reindex(columns=[*table.columns.difference([DISTANCE, VARIATION]), DISTANCE, VARIATION])
    return table[table["layer"] < results.config.model.depth]


def pairs(results: Results, along: str, across: str, *, sign: int) -> tuple[int, int]:
    """Neighbours along a key, all else equal, whose distance changes with ``sign``; and how many there are."""
    table = distances(results)
    table = table.assign(log=np.log10(table[DISTANCE].clip(lower=FLOOR)))
    agree = total = 0
    for _, rows in table.groupby([across, "seed", "layer"]):
        logs = rows.sort_values(along)["log"].dropna()  # an all-zero weight has no distance
        steps = logs.diff().iloc[1:]
        steps = steps[logs.rolling(2).max().iloc[1:] > np.log10(FLOOR) + 1e-9]
        agree, total = agree + int((sign * steps > 0).sum()), total + len(steps)
    return agree, total


def trend(statement: Statement, results: Results, along: str, across: str, sign: int) -> Claim:
    """Along the rows of the heat map, or its columns."""
    agree, total = pairs(results, along, across, sign=sign)
    if not total:
        return statement.judged(results, None, f"no two values of {along} above {FLOOR:g}")
    enough = Need("pairs", f"{PAIRS} or more above {FLOOR:g}", f"{total}", total >= PAIRS)
    measured = f"{agree} of {total} pairs"
    return statement.judged(results, agree >= AGREE * total, measured, number=f"{agree / total:.0%}", needs=[enough])


def follows(results: Results) -> Claim:
    """The rank correlation of distance and variation over weight decay, layer by layer."""
    table = distances(results)
    if table[VARIATION].isna().all():
        return FOLLOWS.judged(results, None, "nothing measured")
    floored = table.assign(
        distance=table[DISTANCE].clip(lower=FLOOR), expected=np.sqrt(table[VARIATION]) / table[DECAY]
    )
    of_layers = {
        str(layer): rows["distance"].rank().corr(rows["expected"].rank()) for layer, rows in floored.groupby("layer")
    }
    fewest = int(table.groupby("layer")["id"].nunique().min())
    enough = Need("networks", f"{NETWORKS} or more", f"{fewest}", fewest >= NETWORKS)
    least = min(of_layers.values(), key=lambda value: (not np.isnan(value), value))  # of equal values there is none
    if np.isnan(least):
        return FOLLOWS.judged(results, None, "a layer whose networks are all alike", needs=[enough])
    measured = ", ".join(f"layer {layer} {value:.2f}" for layer, value in of_layers.items())
    return FOLLOWS.judged(results, least >= SPEARMAN, measured, number=f"{least:.2f}", needs=[enough])
