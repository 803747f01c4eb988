"""Proposition 3.1 of Zangrando et al. 2026, judged on every gradient that was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results

SIGMA, EPOCHS = "data.sigma", "train.epochs"
TOLERANCE = 1e-8  # [choice] of the largest singular value, above which another counts; float64 rounds at 1e-16
ATTAINED = 0.9  # [choice] share of an untrained network's gradients whose rank is the most it could be


def claims(results: Results) -> list[Claim]:
    """Both parts of the proposition, and that its bounds are attained."""
    table = ranks(results)
    return [at_most_batch(table), at_most_classes(table, results.config.data.classes), attained(table)]


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


def at_most_batch(table: pd.DataFrame) -> Claim:
    """The first part: the gradient is a sum of |B| matrices of rank one."""
    decidable = table[table["size"] < table["sides"]]  # of larger batches any matrix has as small a rank
    violated = int((~(decidable["rank"] <= decidable["size"])).sum())
    return Claim(
        "rank_at_most_batch",
        "The gradient of a dense layer on a batch B has rank at most |B|.",
        f"no violation, of the ranks to {TOLERANCE:g} of the largest singular value [choice], where |B| is less than "
        "both sides of the weight",
        f"{violated} violations in {len(decidable)} gradients" if len(decidable) else "no such batch",
        Claim.judge(violated == 0 if len(decidable) else None),
    )


def at_most_classes(table: pd.DataFrame, classes: int) -> Claim:
    """The second part: samples with equal pairs (z, y) add up to one matrix of rank one."""
    of = table[(table["distinct"] < table["size"]) & (table["distinct"] < table["sides"])]
    violated = int((~(of["rank"] <= of["distinct"])).sum())
    above = int((of["rank"] > classes).sum())
    noisy = table[(table["distinct"] > classes) & (table["sides"] > classes)]
    measured = f"{violated} violations of it, {above} ranks above K, in {len(of)} gradients"
    if len(noisy):
        measured += f"; with more than K different pairs ranks reach {noisy['rank'].max():.0f}"
    return Claim(
        "rank_at_most_distinct",
        f"Where only K of the pairs (z, y) differ (sigma = 0, K = {classes}), the rank is at most K, however large the "
        "batch.",
        "rank at most the number of different pairs in the batch, in every gradient where that is less than |B| and "
        "than both sides of the weight",
        measured if len(of) else "no batch with equal pairs",
        Claim.judge(violated == 0 if len(of) else None),
    )


def attained(table: pd.DataFrame) -> Claim:
    """How sharp the bounds are; not a statement of the paper."""
    fresh = table[~table["trained"]]
    known = len(fresh) > 0 and bool(np.isfinite(fresh["rank"]).all())
    share = float((fresh["rank"] == fresh["most"]).mean()) if len(fresh) else np.nan
    by_layer = ", ".join(
        f"{layer}: {(of['rank'] == of['most']).mean():.0%}" for layer, of in table[table["trained"]].groupby("layer")
    )
    return Claim(
        "bound_attained_untrained",
        "Both bounds are sharp: before training, the rank is the least of |B|, the number of different pairs in B and "
        "the sides of the weight [derived: generic].",
        f"in at least {ATTAINED:.0%} of the untrained networks' gradients [choice]",
        f"in {share:.0%} of {len(fresh)} before training; after it, by layer {by_layer or 'none'}"
        if len(fresh)
        else "no untrained network",
        Claim.judge(share >= ATTAINED if known else None),
    )
