"""What 100 random initialisations have in common (Figure 3 of Zangrando et al. 2026), as predicates."""

from __future__ import annotations

import pandas as pd

from nc_runner import theory
from nc_runner.experiments.base import Claim, Results

QUANTITIES = {
    "cluster_variation": "total cluster variation",
    "relative_rank_distance": "relative distance from rank K",
    "distance_from_prediction": "distance of the singular values from the prediction",
}
FALLS = 10.0  # [choice] factor by which a quantity has to fall
RANK_TOLERANCE = 1e-2  # [choice] of the largest singular value, above which another counts for the rank
SHARE = 0.9  # [choice] share of the initialisations of which a claim has to hold


def curves(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: each quantity, averaged over the intermediate layers, 2 to L - 1."""
    table = results.by_layer(*QUANTITIES)
    table = table[table["status"] != "diverged"]
    inner = table[table["layer"].between(2, results.config.model.depth - 1)]
    return inner.groupby(["id", "epoch"])[[*QUANTITIES]].mean().reset_index()


def claims(results: Results) -> list[Claim]:
    """Three quantities that fall, one objective, and rank K."""
    final = results.final()
    kept = final[final["status"] != "diverged"]
    return [*all_fall(curves(results)), same_objective(kept), rank_k(results, kept)]


def all_fall(table: pd.DataFrame) -> list[Claim]:
    """A claim a quantity, over the curves of all initialisations."""
    ends = table.loc[table.groupby("id")["epoch"].idxmax()].set_index("id")
    largest = table.groupby("id")[[*QUANTITIES]].max()
    fell = (ends[[*QUANTITIES]] * FALLS <= largest).mean()
    made = []
    for metric, words in QUANTITIES.items():
        end = ends[metric]
        made.append(
            Claim(
                f"{metric}_falls",
                f"From almost every initialisation the {words} of intermediate layers falls in training.",
                f"by a factor of {FALLS:g} from its largest to its last value in {SHARE:.0%} of them [choice]",
                f"{fell[metric]:.0%} of {len(ends)}; at the end {end.min():.2g} to {end.max():.2g}"
                if len(ends)
                else "nothing measured",
                Claim.judge(bool(fell[metric] >= SHARE) if len(ends) else None),
            )
        )
    return made


def same_objective(kept: pd.DataFrame) -> Claim:
    """How far apart the objectives after training are."""
    objective = kept["objective"]
    holds, measured = None, "fewer than two trials"
    if len(kept) > 1:
        near = int((objective <= 1.05 * objective.min()).sum())
        holds = near == len(kept)
        measured = f"{objective.min():.4g} to {objective.max():.4g}; {near} of {len(kept)} within 5% of the least"
    return Claim(
        "same_objective",
        "Different initialisations end at the same objective.",
        "every one within 5% of the least [choice]",
        measured,
        Claim.judge(holds),
    )


def rank_k(results: Results, kept: pd.DataFrame) -> Claim:
    """Whether trained weights have the rank of the prediction, which is of linear networks."""
    config = results.config
    ranks = results.final_by_layer("numerical_rank")
    ranks = ranks[ranks["id"].isin(kept["id"]) & ranks["layer"].between(2, config.model.depth - 1)]
    least = theory.first_layer_delta_singular_values(
        config.train.weight_decay, config.data.classes, config.model.depth - 1, 1.0
    ).objective.item()
    holds, measured = None, "nothing measured"
    if len(ranks):
        share = float((ranks["numerical_rank"] == config.data.classes).mean())
        lower = int((kept["objective"] < least * (1 - 1e-3)).sum())
        holds = share >= SHARE
        measured = (
            f"{share:.0%} of the weights, ranks {ranks['numerical_rank'].min():.0f} to "
            f"{ranks['numerical_rank'].max():.0f}; {lower} of {len(kept)} networks end below the objective "
            f"{least:.4g} of the rank-K optimum of linear networks without noise"
        )
    return Claim(
        "rank_k",
        "Intermediate weights end with rank K, as the solution without cluster variation has.",
        f"{SHARE:.0%} of them, counting singular values above {RANK_TOLERANCE:g} of the largest [choice]",
        measured,
        Claim.judge(holds),
    )
