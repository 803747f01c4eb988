"""What is said of rank, weight decay and cluster variation, after Zangrando et al. 2026, judged over a grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.noise.contrast import above
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible, noisy_samples
from nc_runner.experiments.zangrando2026.powers import exponent

DECAY, SIGMA, DISTANCE = "train.weight_decay", "data.sigma", "relative_rank_distance"
VARIATION = "relative_input_cluster_variation"
SLACK = 1e-6  # [choice] relative slack of the bound, for float32 forward passes
FLOOR = 1e-10  # [choice] relative distances up to this count as equal: in float64 1e-11 is left where samples are equal
AGREE = 0.9  # [choice] share of neighbouring pairs of the grid that has to be exceeded
PAIRS = 20  # [choice] so that a distance without a trend agrees in as many with a chance below 1e-3
SPEARMAN = 0.7  # [choice] rank correlation over the networks of a layer and seed that has to be exceeded
NETWORKS = 15  # [choice] of which that correlation is taken, at least; without a trend it comes to 0.7 once in 500
WEIGHT_DECAYS = 3  # [choice] with distances above the floor, over which correlations are averaged, at least
AT_ONE = 5  # [choice] networks of a layer and seed at one weight decay, at least, for a correlation

SEEDS = 3  # [choice]
SILENT = "a bound above the norm of every weight"


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
PAIRS_RULE = (
    f"in more than {AGREE:.0%} of the neighbouring pairs of the grid, all layers, above {FLOOR:g} [choice], beyond the "
    "noise of the share over seeds; in fewer beyond noise counts against it"
)
SAYING = "over the networks of a seed whose bound is below the weight's norm and whose inputs vary"
BEYOND = f"above {SPEARMAN:g} in each layer but the last [choice], beyond noise; below it in one counts against it"

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
    f"Spearman's correlation {SAYING}, mean over seeds, {BEYOND}",
    NEEDS,
    Kind.ours,
)
WITHIN = Statement(
    "follows_variation_within_decay",
    "At one weight decay it follows cluster variation",
    "At one weight decay, where 1 / lambda can make no trend of its own, the distance of a weight from rank K follows "
    "the cluster variation of its inputs.",
    "the bound by a constant times TCV over lambda (abstract), read as a trend",
    f"Spearman's correlation of distance and TCV at one weight decay {SAYING}, mean over the weight decays with a "
    f"distance above {FLOOR:g} of the norm squared and over seeds, {BEYOND}",
    NEEDS,
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """The bound at every probe, how the distance changes along both axes of the heat map, and what it follows."""
    of = fits(results)
    trends = [trend(FALLS, of, DECAY, SIGMA, -1), trend(RISES, of, SIGMA, DECAY, 1)]
    return [bound_holds(of), *trends, follows(of), follows_within(of)]


def bounds(results: Results) -> pd.DataFrame:
    """One row a trial, epoch and layer, with the distance and its bound, where both are finite."""
    metrics = ["rank_distance", "rank_distance_bound", "input_cluster_variation", "weight_norm"]
    table = results.by_layer(*metrics)
    table = table.reindex(columns=[*table.columns.difference(metrics), *metrics])
    return table[table[["rank_distance", "rank_distance_bound"]].abs().max(axis=1) < np.inf]


def saying(table: pd.DataFrame, variation: str) -> pd.DataFrame:
    """The rows of which the bound says something: it is below the norm, which no distance exceeds, and inputs vary.

    Of equal samples, at a critical point, every weight is of rank K: what is left is how far training has come.
    """
    return table[(table["rank_distance_bound"] < table["weight_norm"]) & (table[variation] > 0)]


def after_training(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each trial's last epoch."""
    return table[table["epoch"] == table.groupby("id")["epoch"].transform("max")]


def bound_holds(results: Results) -> Claim:
    """At every probe, converged or not."""
    table = bounds(results)
    if table.empty:
        return BOUND.judged(results, None, "nothing measured")
    allowed = table["rank_distance_bound"] * (1 + SLACK) + SLACK * table["weight_norm"]
    violated = int((table["rank_distance"] > allowed).sum())
    last = after_training(table)
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
    metrics = [DISTANCE, VARIATION, "rank_distance_bound", "weight_norm"]
    table = results.final_by_layer(*metrics)
    table = table.reindex(columns=[*table.columns.difference(metrics), *metrics])
    return table[table["layer"] < results.config.model.depth]


def pairs(results: Results, along: str, across: str, *, sign: int) -> pd.DataFrame:
    """Neighbours along a key, all else equal: ``seed``, ``layer`` and whether the distance changes with ``sign``."""
    table = distances(results)
    table = table.assign(log=np.log10(table[DISTANCE].clip(lower=FLOOR))).dropna(subset="log")  # of a weight of zeros
    logs = table.sort_values(along, kind="stable").groupby([across, "seed", "layer"])["log"]
    steps = logs.diff()
    real = steps.notna() & (np.maximum(table["log"], logs.shift()) > np.log10(FLOOR) + 1e-9)
    found: pd.DataFrame = table.assign(agrees=sign * steps > 0).loc[real, ["seed", "layer", "agrees"]]
    return found


def trend(statement: Statement, results: Results, along: str, across: str, sign: int) -> Claim:
    """Along the rows of the heat map, or its columns."""
    found = pairs(results, along, across, sign=sign)
    if found.empty:
        return statement.judged(results, None, f"no two values of {along} above {FLOOR:g}")
    enough = Need("pairs", f"{PAIRS} or more above {FLOOR:g}", f"{len(found)}", len(found) >= PAIRS)
    shares = above({"all layers": found.groupby("seed")["agrees"].mean().tolist()}, AGREE)
    of_layers = ", ".join(f"layer {layer} {of.mean():.0%}" for layer, of in found.groupby("layer")["agrees"])
    measured = f"{found['agrees'].sum()} of {len(found)} pairs; {of_layers}"
    number = f"{found['agrees'].mean():.0%}"
    return statement.judged(results, shares.all_within, measured, number, [enough, shares.told])


def follows(results: Results) -> Claim:
    """The rank correlation of distance and variation over weight decay, layer by layer."""
    table = distances(results)
    if table[VARIATION].isna().all():
        return FOLLOWS.judged(results, None, "nothing measured")
    table = saying(table, VARIATION)
    if table.empty:
        return FOLLOWS.judged(results, None, SILENT)
    floored = table.assign(
        distance=table[DISTANCE].clip(lower=FLOOR), expected=np.sqrt(table[VARIATION]) / table[DECAY]
    )
    rows = [
        [layer, of["distance"].rank().corr(of["expected"].rank()), len(of)]
        for (layer, _), of in floored.groupby(["layer", "seed"])
    ]
    found = pd.DataFrame(rows, columns=["layer", "spearman", "networks"])
    fewest = int(found["networks"].min())
    enough = Need("networks", f"{NETWORKS} or more of each seed", f"{fewest}", fewest >= NETWORKS)
    if found["spearman"].isna().any():  # of equal values
        return FOLLOWS.judged(results, None, "a layer whose networks are all alike", needs=[enough])
    return correlated(FOLLOWS, results, found, [enough])


def correlated(statement: Statement, results: Results, found: pd.DataFrame, needs: list[Need], more: str = "") -> Claim:
    """A correlation in each layer, one a seed, against the one that is asked for."""
    compared = above({f"layer {layer}": of.tolist() for layer, of in found.groupby("layer")["spearman"]}, SPEARMAN)
    measured = ", ".join(f"{layer} {mean:.2f}" for layer, mean in compared.means.items())
    hidden = {f"layer {layer}" for layer in range(1, results.config.model.depth)}
    if silent := sorted(hidden - set(compared.means)):
        measured += f"; of {', '.join(silent)} the bound says nothing"
    number = f"{compared.worst[1].mean:.2f}"
    return statement.judged(results, compared.all_within, measured + more, number, [*needs, compared.told])


def by_weight_decay(results: Results) -> pd.DataFrame:
    """One row a layer whose rank can exceed K, a weight decay and a seed, in the terms of the bound, after training.

    ``networks`` is the number of those of which the bound says something, ``spearman`` the rank correlation of
    distance and TCV over them, NaN where no distance is above the floor, and ``power`` the p of distance ~ TCV^p by
    least squares over those that are.
    """
    table = saying(after_training(bounds(results)), "input_cluster_variation")
    table = table[table["layer"] < results.config.model.depth]
    real = table["rank_distance"] > FLOOR**0.5 * table["weight_norm"]
    table = table.assign(distance=table["rank_distance"].where(real, 0.0), variation=table["input_cluster_variation"])
    keys = ["layer", DECAY, "seed"]
    ranks, rows = table.groupby(keys)[["distance", "variation"]].rank(), []
    for key, of in table.groupby(keys):
        spearman = ranks["distance"][of.index].corr(ranks["variation"][of.index])
        rows.append([*key, len(of), spearman, exponent(of["variation"], of["distance"])])
    return pd.DataFrame(rows, columns=[*keys, "networks", "spearman", "power"])


def follows_within(results: Results) -> Claim:
    """Whether distance and variation rise together where the weight decay is the same."""
    table = by_weight_decay(results)
    if table.empty:
        return WITHIN.judged(results, None, SILENT)
    known = table[table["networks"] >= AT_ONE].dropna(subset="spearman")
    if known.empty:
        return WITHIN.judged(results, None, f"no {AT_ONE} networks of a seed whose distances above {FLOOR:g} differ")
    decays = int(known.groupby(["layer", "seed"]).size().min())
    enough = Need("weight decays", f"{WEIGHT_DECAYS} or more in each layer", f"{decays}", decays >= WEIGHT_DECAYS)
    more = f"; the least of one weight decay {known['spearman'].min():.2f}"
    if table["power"].notna().any():
        low, middle, high = table["power"].quantile([0.0, 0.5, 1.0])
        more += f"; distance as TCV^p, p {low:.2g} to {high:.2g}, median {middle:.2g}"
    means = known.groupby(["layer", "seed"])["spearman"].mean().reset_index()
    return correlated(WITHIN, results, means, [enough], more)
