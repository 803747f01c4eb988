"""What Zangrando et al. 2026 say of rank, weight decay and cluster variation, judged over a grid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results

DECAY, SIGMA, DISTANCE = "train.weight_decay", "data.sigma", "relative_rank_distance"
SLACK = 1e-6  # [choice] relative slack of the bound, for float32 forward passes
FLOOR = 1e-10  # [choice] relative distances up to this count as equal; rounding of float32 weights is below it
AGREE = 0.9  # [choice] share of neighbouring pairs of the grid that has to agree


def claims(results: Results) -> list[Claim]:
    """The bound at every probe, and how the distance changes along both axes of the heat map."""
    return [bound_holds(results), falls_with_decay(results), rises_with_noise(results)]


def bounds(results: Results) -> pd.DataFrame:
    """One row a trial, epoch and layer, with the distance and its bound, where both are finite."""
    table = results.by_layer("rank_distance", "rank_distance_bound", "input_cluster_variation", "weight_norm")
    return table[table[["rank_distance", "rank_distance_bound"]].abs().max(axis=1) < np.inf]


def bound_holds(results: Results) -> Claim:
    """At every probe, converged or not."""
    table = bounds(results)
    holds, measured = None, "nothing measured"
    if len(table):
        allowed = table["rank_distance_bound"] * (1 + SLACK) + SLACK * table["weight_norm"]
        violated = table["rank_distance"] > allowed
        last = table[table["epoch"] == table.groupby("id")["epoch"].transform("max")]
        real = last[last["rank_distance"] > FLOOR**0.5 * last["weight_norm"]]
        loose = real["rank_distance_bound"] / real["rank_distance"]
        holds = not bool(violated.any())
        measured = f"{int(violated.sum())} violations in {len(table)} layers, trials and epochs"
        if len(loose):
            measured += (
                f"; after training the bound is {loose.min():.2g} to {loose.max():.2g} times the distance, median "
                f"{loose.median():.2g}"
            )
    return Claim(
        "bound_holds",
        "The distance of a weight from rank K is at most (1/lambda) [sqrt(TCV(delta_l) TCV(z_{l-1})) + ||R_l||_F], "
        "with R_l the gradient of the objective [derived, after the paper's bound at critical points].",
        f"no violation in any layer, trial and epoch, to {SLACK:g} relative",
        measured,
        Claim.judge(holds),
    )


def pairs(results: Results, along: str, across: list[str], *, sign: int) -> tuple[int, int]:
    """Neighbours along a key, all else equal, whose distance changes with ``sign``; and how many there are."""
    table = results.final_by_layer(DISTANCE)
    table = table[table["status"] != "diverged"].assign(log=np.log10(table[DISTANCE].clip(lower=FLOOR)))
    agree = total = 0
    for _, rows in table.groupby([*across, "seed", "layer"]):
        logs = rows.sort_values(along)["log"].dropna()  # an all-zero weight has no distance
        steps = logs.diff().iloc[1:]
        steps = steps[logs.rolling(2).max().iloc[1:] > np.log10(FLOOR) + 1e-9]
        agree, total = agree + int((sign * steps > 0).sum()), total + len(steps)
    return agree, total


def falls_with_decay(results: Results) -> Claim:
    """Along the rows of the heat map."""
    agree, total = pairs(results, DECAY, [SIGMA], sign=-1)
    return Claim(
        "falls_with_weight_decay",
        "The relative distance from rank K falls with weight decay.",
        f"in at least {AGREE:.0%} [choice] of the neighbouring pairs of the grid, all layers, above {FLOOR:g}",
        f"{agree} of {total} pairs" if total else "no two weight decays",
        Claim.judge(agree >= AGREE * total if total else None),
    )


def rises_with_noise(results: Results) -> Claim:
    """Along its columns."""
    agree, total = pairs(results, SIGMA, [DECAY], sign=1)
    return Claim(
        "rises_with_noise",
        "The relative distance from rank K rises with the noise of the mixture.",
        f"in at least {AGREE:.0%} [choice] of the neighbouring pairs of the grid, all layers, above {FLOOR:g}",
        f"{agree} of {total} pairs" if total else "no two noises",
        Claim.judge(agree >= AGREE * total if total else None),
    )
