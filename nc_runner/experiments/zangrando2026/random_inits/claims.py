"""What 100 random initialisations have in common (Figure 3 of Zangrando et al. 2026)."""

from __future__ import annotations

import pandas as pd

from nc_runner import theory
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible, noisy_samples

VARIATION = "relative_cluster_variation"
QUANTITIES = (VARIATION, "relative_rank_distance", "distance_from_prediction")
ZERO = 0.01  # [choice] of TCV over mean ||z||^2, which weight decay and noise keep from 0, at most
HALVES = 2.0  # [choice] factor by which it has to fall from where a network fits, which is late and near its end
FALLS = 10.0  # [choice] factor by which the other quantities have to fall
RANK_TOLERANCE = 1e-2  # [choice] of the largest singular value, above which another counts for the rank
SHARE = 0.9  # [choice] share of the initialisations of which a claim has to hold
NEAR = 0.05  # [choice] of the least objective, within which another is the same
INITIALISATIONS = 90  # [choice] of the figure's 100, so that a few that do not fit may be left out

NEEDS = (interpolation_possible, noisy_samples, needs.finished, needs.seeds(INITIALISATIONS), *converged)

TO_COLLAPSE = Statement(
    "cluster_variation_falls",
    "Falling loss leads to less variation in hidden layers",
    "From almost every interpolating start there is a path of falling loss to zero total cluster variation in all "
    "intermediate layers.",
    "the theorem on paths from interpolating starts (abstract), Figure 3",
    f"from the first probe at which a network fits to its last TCV / mean ||z||^2, averaged over intermediate layers, "
    f"falls by a factor of {HALVES:g}, to at most {ZERO:g}, and the objective falls, in {SHARE:.0%} of the "
    "initialisations [choice]",
    NEEDS,
)
RANK_FALLS = Statement(
    "relative_rank_distance_falls",
    "The distance from rank K falls in training",
    "From almost every initialisation the relative distance from rank K of intermediate weights falls in training.",
    "Figure 3, whose caption names no direction",
    f"its mean over intermediate layers, from its largest to its last value, by a factor of {FALLS:g} in {SHARE:.0%} "
    "of the initialisations [choice]",
    NEEDS,
    Kind.ours,
)
SPECTRUM_NEARS = Statement(
    "distance_from_prediction_falls",
    "Singular values near the prediction in training",
    "From almost every initialisation the singular values of intermediate weights come nearer to those of the linear "
    "network of zero cluster variation that fits at least penalty.",
    "Figure 3, whose caption names no direction; the prediction is ours",
    f"their mean relative distance, from its largest to its last value, by a factor of {FALLS:g} in {SHARE:.0%} of the "
    "initialisations [choice]",
    NEEDS,
    Kind.ours,
)
SAME_OBJECTIVE = Statement(
    "same_objective",
    "Different initialisations end at the same objective",
    "Different initialisations end at the same objective.",
    "Figure 3",
    f"every one within {NEAR:.0%} of the least [choice]",
    NEEDS,
    Kind.ours,
)
RANK_K = Statement(
    "rank_k",
    "Intermediate weights end with rank K",
    "Intermediate weights end with rank K: at critical points without cluster variation their rank is at most K.",
    "from the bound at critical points (abstract)",
    f"{SHARE:.0%} of them, counting singular values above {RANK_TOLERANCE:g} of the largest [choice]",
    NEEDS,
    Kind.derived,
)


def claims(results: Results) -> list[Claim]:
    """Variation that falls from where a network fits, two more quantities, one objective, and rank K."""
    results = fits(results)
    table = curves(results)
    return [
        leads_to_collapse(results, table),
        falls(RANK_FALLS, results, table, "relative_rank_distance"),
        falls(SPECTRUM_NEARS, results, table, "distance_from_prediction"),
        same_objective(results),
        rank_k(results),
    ]


def curves(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: each quantity, averaged over the intermediate layers, 2 to L - 1."""
    table = results.by_layer(*QUANTITIES).reindex(columns=["id", "epoch", "layer", *QUANTITIES])
    inner = table[table["layer"].between(2, results.config.model.depth - 1)]
    return inner.groupby(["id", "epoch"])[[*QUANTITIES]].mean().reset_index()


def leads_to_collapse(results: Results, table: pd.DataFrame) -> Claim:
    """From the first probe at which a network fits, in variation and objective."""
    if table[VARIATION].isna().all():
        return TO_COLLAPSE.judged(results, None, "nothing measured")
    known = results.by_epoch()[["id", "epoch", "accuracy", "objective"]]
    of = table.merge(known, on=["id", "epoch"]).sort_values("epoch")
    of = of[of["accuracy"] >= results.config.train.target_accuracy]
    ends = of.groupby("id")[[VARIATION, "objective"]].agg(["first", "last"])
    factors = ends[VARIATION, "first"] / ends[VARIATION, "last"]
    held = (factors >= HALVES) & (ends[VARIATION, "last"] <= ZERO)
    held &= ends["objective", "last"] < ends["objective", "first"]
    if ends.empty:
        return TO_COLLAPSE.judged(results, None, "no probe at which a network fits")
    return TO_COLLAPSE.judged(
        results,
        bool(held.mean() >= SHARE),
        f"in {held.sum()} of {len(held)}; variation falls by factors of {factors.min():.3g} to {factors.max():.3g}, "
        f"to at most {ends[VARIATION, 'last'].max():.2g}",
        number=f"{held.mean():.0%}",
    )


def falls(statement: Statement, results: Results, table: pd.DataFrame, metric: str) -> Claim:
    """A quantity from its largest to its last value, over the curves of all initialisations."""
    if table[metric].isna().all():
        return statement.judged(results, None, "nothing measured")
    ends = table.loc[table.groupby("id")["epoch"].idxmax()].set_index("id")[metric]
    fell = ends * FALLS <= table.groupby("id")[metric].max()
    measured = f"in {fell.sum()} of {len(fell)}; at the end {ends.min():.2g} to {ends.max():.2g}"
    return statement.judged(results, bool(fell.mean() >= SHARE), measured, number=f"{fell.mean():.0%}")


def same_objective(results: Results) -> Claim:
    """How far apart the objectives after training are."""
    final = results.final()
    if len(final) < 2:
        return SAME_OBJECTIVE.judged(results, None, "fewer than two trials")
    objective = final["objective"]
    near = int((objective <= (1 + NEAR) * objective.min()).sum())
    return SAME_OBJECTIVE.judged(
        results,
        near == len(objective),
        f"{objective.min():.4g} to {objective.max():.4g}; {near} of {len(objective)} within {NEAR:.0%} of the least",
        number=f"{near} of {len(objective)}",
    )


def rank_k(results: Results) -> Claim:
    """Whether trained weights have the rank of the prediction, which is of linear networks."""
    config = results.config
    ranks = results.final_by_layer("numerical_rank")
    ranks = ranks[ranks["layer"].between(2, config.model.depth - 1)]
    if ranks.empty:
        return RANK_K.judged(results, None, "nothing measured")
    least = theory.first_layer_delta_singular_values(
        config.train.weight_decay, config.data.classes, config.model.depth - 1, 1.0
    ).objective.item()
    objective, rank = results.final()["objective"], ranks["numerical_rank"]
    share = float((rank == config.data.classes).mean())
    lower = int((objective < least * (1 - 1e-3)).sum())
    return RANK_K.judged(
        results,
        share >= SHARE,
        f"{share:.0%} of {len(rank)} weights, ranks {rank.min():.0f} to {rank.max():.0f}; {lower} of {len(objective)} "
        f"networks end below the objective {least:.4g} of the rank-K optimum of linear networks without noise",
        number=f"{share:.0%}",
    )
