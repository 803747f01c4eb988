"""What was trained beside the closed form, and the claims: the optimum below r = 1/K, and zero from there on."""

from __future__ import annotations

import pandas as pd
import torch

from nc_runner import theory
from nc_runner.experiments.base import Claim, Results

ON_WEIGHT, ON_FEATURES = "train.weight_decay", "train.weight_decay_first"
TOLERANCE = 1e-4  # relative, of gap and norms [choice]
ZERO = 1e-8  # squared norm that counts as collapsed to zero [choice]
DECAY_TIMES = 20.0  # of step size / (1 - momentum) * steps * least decay, from which a trial has converged [choice]
# What is compared: metric, label, field of the optimum.
COMPARED = (
    ("logit_gap", "logit gap", "logit_gap"),
    ("weight_norm_squared", "‖W‖²", "weight_norm_squared"),
    ("feature_norm_squared", "‖H‖²", "feature_norm_squared"),
    ("loss", "cross-entropy (nats)", "cross_entropy"),
)


def claims(results: Results) -> list[Claim]:
    """Below the threshold the closed form and neural collapse; from it on zero."""
    table, threshold_r = compared(results), 1 / results.config.data.classes
    converged = table[table["converged"] & (table["status"] != "diverged")]
    below, beyond = converged[converged["r"] < threshold_r], converged[converged["r"] >= threshold_r]
    return [matches(below), no_lower(table[table["status"] != "diverged"]), collapses(below), to_zero(beyond)]


def compared(results: Results) -> pd.DataFrame:
    """One row a trial: r, what was measured, what is predicted (``optimum_...``), and whether it has converged."""
    final, config = results.final(), results.config
    classes, per_class = config.data.classes, config.data.samples // config.data.classes
    decays = [final[ON_WEIGHT].astype(float), final[ON_FEATURES].fillna(final[ON_WEIGHT]).astype(float)]
    on_weight, on_features = (torch.tensor(values.to_numpy()) for values in decays)
    optimum = theory.ufm_optimum(classes, per_class, on_weight, on_features)
    table = final.assign(on_weight=on_weight.numpy(), on_features=on_features.numpy())
    table["r"] = (per_class * on_weight * on_features).sqrt().numpy()
    table["ratio"] = (table["on_features"] / table["on_weight"]).round(6)
    for _, _, name in COMPARED:
        table[f"optimum_{name}"] = getattr(optimum, name).numpy()
    table["optimum_total"] = optimum.total.numpy()
    table["total"] = table["loss"] + 0.5 * (
        table["on_weight"] * table["weight_norm_squared"] + table["on_features"] * table["feature_norm_squared"]
    )
    steps = config.train.learning_rate / (1 - config.train.momentum) * table["epochs"]
    table["converged"] = steps * table[["on_weight", "on_features"]].min(axis=1) >= DECAY_TIMES
    return table


def matches(below: pd.DataFrame) -> Claim:
    """Gap, norms and loss are those of the closed form."""
    holds, measured = None, "no converged trial below the threshold"
    if len(below):
        off = {m: (below[m] / below[f"optimum_{name}"] - 1).abs().max() for m, _, name in COMPARED}
        holds = max(off.values()) <= TOLERANCE
        measured = f"{len(below)} trials; largest relative difference: " + ", ".join(
            f"{metric} {value:.1g}" for metric, value in off.items()
        )
    return Claim(
        "closed_form",
        "Below r = 1/K gap, norms and cross-entropy are those of the closed form [derived, ours].",
        f"to {TOLERANCE:g} relative in every trial trained for {DECAY_TIMES:g} decay times or more [choice]",
        measured,
        Claim.judge(holds),
    )


def no_lower(table: pd.DataFrame) -> Claim:
    """The closed form is the least there is."""
    holds, measured = None, "nothing trained"
    if len(table):
        excess = table["total"] / table["optimum_total"] - 1
        holds = bool((excess >= -1e-12).all())
        measured = f"{len(table)} trials; least objective / optimum - 1 is {excess.min():.1g}"
    return Claim(
        "no_lower",
        "No training ends below the optimum of the closed form [derived, ours].",
        "objective >= optimum in every trial, to 1e-12 relative",
        measured,
        Claim.judge(holds),
    )


def collapses(below: pd.DataFrame) -> Claim:
    """Below the threshold the optimum is neural collapse."""
    holds, measured = None, "no converged trial below the threshold"
    if len(below):
        names = ("within_between_trace_ratio", "etf_cosine_deviation_class_means", "etf_cosine_deviation_weights")
        worst = {name: below[name].max() for name in names}
        holds = bool(below[[*names]].notna().all(axis=None)) and max(worst.values()) <= TOLERANCE
        measured = ", ".join(f"{name} at most {value:.1g}" for name, value in worst.items())
    return Claim(
        "neural_collapse",
        "Below r = 1/K the minimiser is neural collapse: no within-class variation, and the angles of a simplex.",
        f"each at most {TOLERANCE:g} [choice]",
        measured,
        Claim.judge(holds),
    )


def to_zero(beyond: pd.DataFrame) -> Claim:
    """From the threshold on the optimum is zero."""
    holds, measured = None, "no converged trial beyond the threshold"
    if len(beyond):
        norms = beyond["weight_norm_squared"] + beyond["feature_norm_squared"]
        holds = bool((norms <= ZERO).all())
        measured = f"{int((norms <= ZERO).sum())} of {len(beyond)} trials; largest squared norm {norms.max():.1g}"
    return Claim(
        "collapse_to_zero",
        "From r = 1/K on the minimiser is zero [derived, ours].",
        f"||W||^2 + ||H||^2 at most {ZERO:g} in every trial [choice]",
        measured,
        Claim.judge(holds),
    )
