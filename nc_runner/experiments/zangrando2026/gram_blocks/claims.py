"""What Figure 5 of Zangrando et al. 2026 shows, and what zero cluster variation predicts."""

from __future__ import annotations

import pandas as pd

from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible, noisy_samples

ACTIVATION = "model.activation"
BLOCKS = 0.01  # [choice] share of a Gram matrix's squared norm that is not constant on class blocks, at most
VARIATION_FALL = 0.1  # [choice] of TCV over the mean squared feature norm, last probe to first, at most
ORTHOGONAL = 0.1  # [choice] mean |cosine| between class means of the last hidden layer, at most
SEEDS = 5  # [choice] networks of each activation

NEEDS = (interpolation_possible, noisy_samples, needs.finished, needs.seeds(SEEDS), *converged)

BLOCKS_APPEAR = Statement(
    "blocks_appear",
    "Gram matrices of the features become block matrices",
    "In training the Gram matrices of the features, samples sorted by class, become block matrices.",
    "Figure 5",
    "the share of the squared norm left after averaging over class blocks falls from the first probe to the last in "
    f"every layer, to at most {BLOCKS:g} in the later half of the layers [choice]",
    (needs.grid_complete(), *NEEDS),
)
CLUSTERS_TIGHTEN = Statement(
    "clusters_tighten",
    "Relative cluster variation falls in every layer",
    "Cluster variation falls in every layer, relative to the features' own size.",
    "Figure 5, whose caption names no variation",
    f"TCV / mean ||z||^2 at the last probe at most {VARIATION_FALL:g} of its first value in every layer [choice]",
    (needs.grid_complete(), *NEEDS),
    Kind.ours,
)


def orthogonal(activation: str) -> Statement:
    """That class means of the last hidden layer end orthogonal."""
    but = "" if activation == "linear" else " Of ReLU the optimum need not have rank K (Sukenik et al. 2024)."
    return Statement(
        f"classes_orthogonal_{activation}",
        f"Class means of the last hidden layer orthogonal, {activation}",
        f"Off-diagonal blocks of the last hidden layer vanish ({activation}): at the optimum of zero cluster "
        "variation, with the first layer free, the output weights have K equal singular values, so that one-hot "
        f"targets leave the class means orthogonal.{but}",
        "our optimum of linear networks, after Figure 5",
        f"the mean |cosine| of two class means falls, to at most {ORTHOGONAL:g}, in every network [choice]",
        NEEDS,
        Kind.derived,
    )


def claims(results: Results) -> list[Claim]:
    """Blocks appear, clusters tighten, and classes become orthogonal, the last for each activation."""
    of = fits(results)
    return [
        blocks_appear(of),
        clusters_tighten(of),
        *(classes_become_orthogonal(of, activation) for activation in dict.fromkeys(results.trials[ACTIVATION])),
    ]


def first_and_last(results: Results, metric: str) -> pd.DataFrame:
    """One row a layer of each trial: the metric at its first and its last probe."""
    table = results.by_layer(metric).sort_values("epoch")
    table = table.reindex(columns=[ACTIVATION, "seed", "id", "layer", "epoch", metric])
    by_layer = table.groupby([ACTIVATION, "seed", "id", "layer"], as_index=False, sort=False)
    rows = by_layer.agg(
        first=(metric, lambda v: v.iloc[0]), last=(metric, lambda v: v.iloc[-1]), probes=("epoch", "nunique")
    )
    return rows[rows["probes"] >= 2]


def by_activation(values: pd.Series, activations: pd.Series) -> str:
    """The largest value of each activation."""
    return ", ".join(f"{name} {of.max():.2g}" for name, of in values.groupby(activations, sort=False))


NOTHING = "no trial fits its data at two probes"


def blocks_appear(results: Results) -> Claim:
    """How much of the Gram matrices is not constant on class blocks."""
    rows = first_and_last(results, "within_block_share")
    later = rows[rows["layer"] > results.config.model.depth / 2]
    if rows.empty:
        return BLOCKS_APPEAR.judged(results, None, NOTHING)
    falls = rows["last"] < rows["first"]
    measured = (
        f"falls in {int(falls.sum())} of {len(rows)} layers; at the end in the later half at most "
        f"{by_activation(later['last'], later[ACTIVATION])}, in all {by_activation(rows['last'], rows[ACTIVATION])}"
    )
    holds = bool(falls.all() and (later["last"] <= BLOCKS).all())
    return BLOCKS_APPEAR.judged(results, holds, measured, number=f"{later['last'].max():.2g}")


def clusters_tighten(results: Results) -> Claim:
    """Relative to the features' own size, as features grow from a small start."""
    rows = first_and_last(results, "relative_cluster_variation")
    if rows.empty:
        return CLUSTERS_TIGHTEN.judged(results, None, NOTHING)
    ratio = rows["last"] / rows["first"]
    measured = (
        f"at most {by_activation(ratio, rows[ACTIVATION])} of its first value; at the end at most "
        f"{by_activation(rows['last'], rows[ACTIVATION])}"
    )
    holds = bool((ratio <= VARIATION_FALL).all())
    return CLUSTERS_TIGHTEN.judged(results, holds, measured, number=f"to {ratio.max():.2g}")


def classes_become_orthogonal(results: Results, activation: str) -> Claim:
    """What the optimum predicts for the last hidden layer."""
    statement = orthogonal(activation)
    results = results.only(results.trials[ACTIVATION] == activation)
    rows = first_and_last(results, "mean_abs_class_cosine")
    rows = rows[rows["layer"] == results.config.model.depth - 1]
    if rows.empty:
        return statement.judged(results, None, NOTHING)
    low, high = f"{rows['last'].min():.2g}", f"{rows['last'].max():.2g}"
    over = low if low == high else f"{low} .. {high} over {len(rows)} trials"
    holds = bool(((rows["last"] < rows["first"]) & (rows["last"] <= ORTHOGONAL)).all())
    return statement.judged(results, holds, f"{rows['first'].max():.2g} to {over}", number=high)
