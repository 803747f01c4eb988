"""What Figure 5 of Zangrando et al. 2026 shows, and what zero cluster variation predicts, as predicates."""

from __future__ import annotations

import pandas as pd

from nc_runner.experiments.base import Claim, Results

ACTIVATION = "model.activation"
BLOCKS = 0.01  # [choice] share of a Gram matrix's squared norm that is not constant on class blocks, at most
VARIATION_FALL = 0.1  # [choice] of TCV over the mean squared feature norm, last probe to first, at most
ORTHOGONAL = 0.1  # [choice] mean |cosine| between class means of the last hidden layer, at most


def claims(results: Results) -> list[Claim]:
    """Blocks appear, clusters tighten, and classes become orthogonal, the last for each activation."""
    activations = list(dict.fromkeys(results.trials[ACTIVATION]))
    return [
        blocks_appear(results),
        clusters_tighten(results),
        *(classes_become_orthogonal(results, activation) for activation in activations),
    ]


def first_and_last(results: Results, metric: str) -> pd.DataFrame:
    """One row a layer of each trial that fits its data: the metric at its first and its last probe."""
    table = results.by_layer(metric)
    table = table[table["status"] == "interpolated"].sort_values("epoch")
    by_layer = table.groupby([ACTIVATION, "seed", "id", "layer"], as_index=False, sort=False)
    rows = by_layer.agg(
        first=(metric, lambda v: v.iloc[0]), last=(metric, lambda v: v.iloc[-1]), probes=("epoch", "nunique")
    )
    return rows[rows["probes"] >= 2]


def by_activation(values: pd.Series, activations: pd.Series) -> str:
    """The largest value of each activation."""
    return ", ".join(f"{name} {of.max():.2g}" for name, of in values.groupby(activations, sort=False))


def blocks_appear(results: Results) -> Claim:
    """How much of the Gram matrices is not constant on class blocks."""
    rows = first_and_last(results, "within_block_share")
    later = rows[rows["layer"] > results.config.model.depth / 2]
    holds, measured = None, "no trial fits its data at two probes"
    if len(rows):
        falls = rows["last"] < rows["first"]
        holds = bool(falls.all() and (later["last"] <= BLOCKS).all())
        measured = (
            f"falls in {int(falls.sum())} of {len(rows)} layers; at the end in the later half at most "
            f"{by_activation(later['last'], later[ACTIVATION])}, in all "
            f"{by_activation(rows['last'], rows[ACTIVATION])}"
        )
    return Claim(
        "blocks_appear",
        "The Gram matrices of the features, samples sorted by class, become block matrices.",
        "the share of the squared norm left after averaging over class blocks falls from the first probe to the last "
        f"in every layer, to at most {BLOCKS:g} in the later half of the layers [choice]",
        measured,
        Claim.judge(holds),
    )


def clusters_tighten(results: Results) -> Claim:
    """Relative to the features' own size, as features grow from a small start."""
    rows = first_and_last(results, "relative_cluster_variation")
    ratio = rows["last"] / rows["first"]
    return Claim(
        "clusters_tighten",
        "Cluster variation falls in every layer.",
        f"TCV / mean ||z||^2 at the last probe at most {VARIATION_FALL:g} of its first value in every layer [choice]",
        f"at most {by_activation(ratio, rows[ACTIVATION])} of its first value; at the end at most "
        f"{by_activation(rows['last'], rows[ACTIVATION])}"
        if len(rows)
        else "no trial fits its data at two probes",
        Claim.judge(bool((ratio <= VARIATION_FALL).all()) if len(rows) else None),
    )


def classes_become_orthogonal(results: Results, activation: str) -> Claim:
    """What the optimum predicts for the last hidden layer [derived]."""
    rows = first_and_last(results, "mean_abs_class_cosine")
    rows = rows[(rows[ACTIVATION] == activation) & (rows["layer"] == results.config.model.depth - 1)]
    measured = "no trial fits its data at two probes"
    if len(rows):
        low, high = f"{rows['last'].min():.2g}", f"{rows['last'].max():.2g}"
        measured = f"{rows['first'].max():.2g} to {low if low == high else f'{low} .. {high} over {len(rows)} trials'}"
    but = "" if activation == "linear" else "; of ReLU the optimum need not have rank K (Sukenik et al. 2024)"
    return Claim(
        f"classes_orthogonal_{activation}",
        f"Off-diagonal blocks of the last hidden layer vanish ({activation}): at the optimum of zero cluster "
        "variation, with the first layer free, the output weights have K equal singular values, so that one-hot "
        f"targets leave the class means orthogonal [derived{but}].",
        f"mean |cosine| of two class means falls, to at most {ORTHOGONAL:g} [choice]",
        measured,
        Claim.judge(bool(((rows["last"] < rows["first"]) & (rows["last"] <= ORTHOGONAL)).all()) if len(rows) else None),
    )
