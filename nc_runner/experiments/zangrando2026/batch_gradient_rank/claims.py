"""Proposition 3.1 of Zangrando et al. 2026, judged on every gradient that was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.config.choices import Precision
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement

SIGMA, EPOCHS = "data.sigma", "train.epochs"
TOLERANCE = 1e-8  # [choice] of the largest singular value, above which another counts; float64 rounds at 1e-16
ATTAINED = 0.9  # [choice] share of an untrained network's gradients whose rank is the most it could be
GRADIENTS = 20  # [choice] on which a part is judged, at least


def in_float64(results: Results) -> Need:
    """Gradients of which a singular value of 1e-8 of the largest is not rounding."""
    precision = results.config.train.precision
    return Need("precision", "train.precision=float64", precision.name, precision is Precision.float64)


NEEDS = (in_float64, needs.finished)

AT_MOST_BATCH = Statement(
    "rank_at_most_batch",
    "A gradient on a batch B has rank at most |B|",
    "The gradient of a dense layer on a batch B has rank at most |B|.",
    "Proposition 3.1",
    f"no violation, of the ranks to {TOLERANCE:g} of the largest singular value [choice], where |B| is less than both "
    "sides of the weight",
    NEEDS,
)
AT_MOST_DISTINCT = Statement(
    "rank_at_most_distinct",
    "Of samples of which K differ its rank is at most K",
    "Where only K of the pairs (z, y) differ, as with sigma = 0, the rank is at most K, however large the batch.",
    "Proposition 3.1",
    "rank at most the number of different pairs in the batch, in every gradient where that is less than |B| and than "
    "both sides of the weight",
    NEEDS,
)
SHARP = Statement(
    "bound_attained_untrained",
    "Both bounds are sharp before training",
    "Both bounds are sharp: before training, the rank is the least of |B|, the number of different pairs in B and the "
    "sides of the weight.",
    "not in the paper; generic of random weights",
    f"in at least {ATTAINED:.0%} of the untrained networks' gradients [choice]",
    NEEDS,
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """Both parts of the proposition, and that its bounds are attained."""
    of = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    table = ranks(of)
    return [at_most_batch(of, table), at_most_distinct(of, table), attained(of, table)]


def enough(table: pd.DataFrame) -> Need:
    """A part is judged on several gradients."""
    return Need("gradients", f"{GRADIENTS} or more", f"{len(table)}", len(table) >= GRADIENTS)


def ranks(results: Results) -> pd.DataFrame:
    """One row a trial, layer, batch size and draw, after the last epoch: rank, distinct samples, and ``most``.

    ``most`` is the least of |B|, the number of distinct (x, y) in B, and the sides of the weight.
    """
    model, data = results.config.model, results.config.data
    done = results.trials[~results.trials["status"].isin(["diverged", "unfinished"])]
    rows = done[["id", "seed", SIGMA, EPOCHS]].merge(results.metrics, left_on="id", right_on="trial")
    rows = rows[rows["epoch"] == rows.groupby("id")["epoch"].transform("max")]
    parts = rows["metric"].str.extract(r"^(?P<kind>rank|distinct)_(?P<size>\d+)_(?P<draw>\d+)$")
    rows = pd.concat([rows, parts], axis=1).dropna(subset="kind").astype({"size": "int64", "draw": "int64"})
    key = ["id", "size", "draw"]
    distinct = rows.loc[rows["kind"] == "distinct", [*key, "value"]].rename(columns={"value": "distinct"})
    table = rows[rows["kind"] == "rank"].rename(columns={"value": "rank"}).merge(distinct, on=key)
    table = table.drop(columns=["trial", "epoch", "metric", "kind"]).astype({"layer": "int64"})
    inputs = np.where(table["layer"] == 1, data.dim, model.width)
    outputs = np.where(table["layer"] == model.depth, data.classes, model.width)
    sides = np.minimum(inputs, outputs)
    most = np.minimum(np.minimum(table["size"], table["distinct"]), sides)
    trained = table[EPOCHS] > 1
    return table.assign(sides=sides, most=most, trained=trained)


def at_most_batch(results: Results, table: pd.DataFrame) -> Claim:
    """The first part: the gradient is a sum of |B| matrices of rank one."""
    of = table[table["size"] < table["sides"]]  # of larger batches any matrix has as small a rank
    if of.empty:
        return AT_MOST_BATCH.judged(results, None, "no such batch")
    violated = int((~(of["rank"] <= of["size"])).sum())
    measured = f"{violated} violations in {len(of)} gradients"
    return AT_MOST_BATCH.judged(results, violated == 0, measured, number=f"{violated} above it", needs=[enough(of)])


def at_most_distinct(results: Results, table: pd.DataFrame) -> Claim:
    """The second part: samples with equal pairs (z, y) add up to one matrix of rank one."""
    classes = results.config.data.classes
    of = table[(table["distinct"] < table["size"]) & (table["distinct"] < table["sides"])]
    if of.empty:
        return AT_MOST_DISTINCT.judged(results, None, "no batch with equal pairs")
    violated = int((~(of["rank"] <= of["distinct"])).sum())
    above = int((of["rank"] > classes).sum())
    noisy = table[(table["distinct"] > classes) & (table["sides"] > classes)]
    measured = f"{violated} violations of it, {above} ranks above K = {classes}, in {len(of)} gradients"
    if len(noisy):
        measured += f"; with more than K different pairs ranks reach {noisy['rank'].max():.0f}"
    return AT_MOST_DISTINCT.judged(results, violated == 0, measured, number=f"{violated} above it", needs=[enough(of)])


def attained(results: Results, table: pd.DataFrame) -> Claim:
    """How sharp the bounds are."""
    fresh = table[~table["trained"]]
    if fresh.empty:
        return SHARP.judged(results, None, "no untrained network")
    if not np.isfinite(table["rank"]).all():  # it equals nothing, and would count against
        return SHARP.judged(results, None, "a rank that is not finite")
    share = float((fresh["rank"] == fresh["most"]).mean())
    by_layer = ", ".join(
        f"{layer}: {(of['rank'] == of['most']).mean():.0%}" for layer, of in table[table["trained"]].groupby("layer")
    )
    measured = f"in {share:.0%} of {len(fresh)} before training; after it, by layer {by_layer or 'none'}"
    return SHARP.judged(results, share >= ATTAINED, measured, number=f"{share:.0%}", needs=[enough(fresh)])
