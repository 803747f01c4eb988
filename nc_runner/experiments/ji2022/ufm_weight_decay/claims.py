"""What was trained beside the closed form, and the claims: the optimum below r = 1/K, and zero from there on."""

from __future__ import annotations

import pandas as pd
import torch

from nc_runner import theory
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.needs import data_as_drawn, decay_times, finished, interpolates, seeds

ON_WEIGHT, ON_FEATURES = "train.weight_decay", "train.weight_decay_first"
TOLERANCE = 1e-4  # relative, of gap and norms [choice]
ROUNDING = 1e-12  # relative, of the objective in float64
ZERO = 1e-8  # squared norm that counts as collapsed to zero [choice]
DECAY_TIMES = 40.0  # from which a trial is at its optimum to float64's digits, wherever it started [choice]
# What is compared: metric, label, field of the optimum.
COMPARED = (
    ("logit_gap", "logit gap", "logit_gap"),
    ("weight_norm_squared", "‖W‖²", "weight_norm_squared"),
    ("feature_norm_squared", "‖H‖²", "feature_norm_squared"),
    ("loss", "cross-entropy (nats)", "cross_entropy"),
)
COLLAPSED = ("within_between_trace_ratio", "etf_cosine_deviation_class_means", "etf_cosine_deviation_weights")

_SOURCE = "companion with weight decay of the model of section 2"

CLOSED_FORM = Statement(
    "closed_form",
    "below r = 1/K the minimiser is the closed form's",
    "Below r = 1/K gap, norms and cross-entropy are those of the closed form.",
    _SOURCE,
    f"to {TOLERANCE:g} relative in every trial below the threshold [choice]",
    (interpolates, data_as_drawn, decay_times(DECAY_TIMES), seeds(2)),
    Kind.derived,
)
NO_LOWER = Statement(
    "no_lower",
    "no training ends below the closed form's optimum",
    "No training ends below the optimum of the closed form.",
    _SOURCE,
    f"objective >= optimum in every trial that fits, to {ROUNDING:g} relative",
    (interpolates, data_as_drawn),
    Kind.derived,
)
COLLAPSE = Statement(
    "neural_collapse",
    "below r = 1/K the minimiser is neural collapse",
    "Below r = 1/K the minimiser is neural collapse: no within-class variation, and the angles of a simplex.",
    _SOURCE,
    f"each at most {TOLERANCE:g} [choice] in every trial below the threshold",
    (interpolates, data_as_drawn, decay_times(DECAY_TIMES), seeds(2)),
    Kind.derived,
)
TO_ZERO = Statement(
    "collapse_to_zero",
    "from r = 1/K on the minimiser is zero",
    "From r = 1/K on the minimiser is zero.",
    _SOURCE,
    f"||W||^2 + ||H||^2 at most {ZERO:g} in every trial from the threshold on [choice]",
    (finished, data_as_drawn, decay_times(DECAY_TIMES), seeds(2)),
    Kind.derived,
)


def claims(results: Results) -> list[Claim]:
    """Below the threshold, of trials that fit, the closed form and neural collapse; from it on zero."""
    table = compared(results)
    beyond = table["r"] >= 1 / results.config.data.classes
    fits = table["status"] == "interpolated"

    def of(rows: pd.Series[bool]) -> tuple[Results, pd.DataFrame]:
        return results.only(results.trials["id"].isin(table.loc[rows, "id"])), table[rows]

    return [
        matches(*of(fits & ~beyond)),
        no_lower(*of(fits)),
        collapses(*of(fits & ~beyond)),
        to_zero(*of(beyond & (table["status"] != "diverged"))),
    ]


def compared(results: Results) -> pd.DataFrame:
    """One row a trial: r, what was measured, and what is predicted (``optimum_...``)."""
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
    return table


def matches(of: Results, below: pd.DataFrame) -> Claim:
    """Gap, norms and loss are those of the closed form."""
    if below.empty:
        return CLOSED_FORM.judged(of, None, "no trial that fits below the threshold")
    off = {m: (below[m] / below[f"optimum_{name}"] - 1).abs().max(skipna=False) for m, _, name in COMPARED}
    measured = f"{len(below)} trials; largest relative difference: " + ", ".join(f"{m} {v:.1g}" for m, v in off.items())
    holds = all(value <= TOLERANCE for value in off.values())
    return CLOSED_FORM.judged(of, holds, measured, f"off by {max(off.values()):.1g}")


def no_lower(of: Results, table: pd.DataFrame) -> Claim:
    """The closed form is the least there is."""
    if table.empty:
        return NO_LOWER.judged(of, None, "no trial that fits")
    excess = table["total"] / table["optimum_total"] - 1
    measured = f"{len(table)} trials; least objective / optimum - 1 is {excess.min():.1g}"
    return NO_LOWER.judged(of, bool((excess >= -ROUNDING).all()), measured, f"{excess.min():.1g} above")


def collapses(of: Results, below: pd.DataFrame) -> Claim:
    """Below the threshold the optimum is neural collapse."""
    if below.empty:
        return COLLAPSE.judged(of, None, "no trial that fits below the threshold")
    worst = {name: float(below[name].max(skipna=False)) for name in COLLAPSED}
    measured = ", ".join(f"{name} at most {value:.1g}" for name, value in worst.items())
    holds = all(value <= TOLERANCE for value in worst.values())
    return COLLAPSE.judged(of, holds, measured, f"at most {max(worst.values()):.1g}")


def to_zero(of: Results, beyond: pd.DataFrame) -> Claim:
    """From the threshold on the optimum is zero."""
    if beyond.empty:
        return TO_ZERO.judged(of, None, "no trial beyond the threshold")
    norms = beyond["weight_norm_squared"] + beyond["feature_norm_squared"]
    measured = f"{int((norms <= ZERO).sum())} of {len(beyond)} trials; largest squared norm {norms.max():.1g}"
    return TO_ZERO.judged(of, bool((norms <= ZERO).all()), measured, f"at most {norms.max():.1g}")
