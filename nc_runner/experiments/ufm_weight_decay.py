"""Free features and a classifier under weight decay, trained, against the closed form of their optimum.

The companion with weight decay of the unregularised model of Ji et al. (2022); the closed form is [derived].
"""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.config import Config
from nc_runner.experiments import geometry
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.experiments.ulpm_measures import centred
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.series import caption
from nc_runner.models import ULPM

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


def measure(network: ULPM | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Gap, norms, loss, and the angles of neural collapse."""
    assert network is not None
    outputs = dict(network.features(x))
    features, logits, weight = outputs[1], outputs[2], network.output_layer()[0]
    own = logits.gather(-1, y[:, None].expand(*logits.shape[:-1], 1))[..., 0]
    others = (logits.sum(-1) - own) / (logits.shape[-1] - 1)
    means = centred(metrics.class_means(features, y))
    for name, value in (
        *geometry.fit(logits, y),
        ("logit_gap", (own - others).mean(-1)),
        ("least_margin", metrics.margins(weight, features, y).amin(-1)),
        ("weight_norm_squared", weight.square().sum((-2, -1))),
        ("feature_norm_squared", features.square().sum((-2, -1))),
        ("within_between_trace_ratio", metrics.within_between_trace_ratio(features, y)),
        ("etf_cosine_deviation_class_means", metrics.etf_cosine_deviation(means)),
        ("etf_cosine_deviation_weights", metrics.etf_cosine_deviation(weight)),
    ):
        yield None, name, value


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


def draw(results: Results) -> dict[str, Figure]:
    """Gap, norms and loss over r, the closed form as lines; and how far apart they are."""
    table, config = compared(results), results.config
    classes, per_class = config.data.classes, config.data.samples // config.data.classes
    figure, axes = plt.subplots(1, 5, figsize=(13.5, 2.7), gridspec_kw={"wspace": 0.42})
    colours = dict(zip(sorted(table["ratio"].unique(), reverse=True), (BLUE, ORANGE, "0.4", "0.6"), strict=False))
    for ax, (metric, label, name) in zip(axes, COMPARED, strict=False):
        for ratio, rows in table.groupby("ratio"):
            r = np.geomspace(0.8 * table["r"].min(), 1.2 * table["r"].max(), 400)
            on_weight = torch.tensor(r / np.sqrt(per_class * float(str(ratio))))
            optimum = theory.ufm_optimum(classes, per_class, on_weight, on_weight * float(str(ratio)))
            ax.plot(r, getattr(optimum, name), color=colours[ratio], linewidth=1.1)
            ax.plot(rows["r"], rows[metric], "o", color=colours[ratio], markersize=4, label=f"λ$_H$ = {ratio:g} λ$_W$")
        threshold(ax, classes)
        ax.set(xscale="log", xlabel="r = √(n λ$_W$ λ$_H$)", ylabel=label)
    ax = axes[-1]
    for ratio, rows in table.groupby("ratio"):
        kept = rows[rows["r"] < 1 / classes]
        off = (kept["total"] / kept["optimum_total"] - 1).abs().clip(lower=1e-16)
        ax.plot(kept["r"], off, "o", color=colours[ratio], markersize=4)
    threshold(ax, classes)
    ax.set(xscale="log", yscale="log", xlabel="r = √(n λ$_W$ λ$_H$)", ylabel="|objective / optimum − 1|")
    axes[2].legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    caption(
        figure,
        f"K = {classes}, n = {per_class}, d = {config.model.width}; points: trained, {table['seed'].nunique()} seeds; "
        "lines: closed form. Mean cross-entropy + (λ_W/2)‖W‖² + (λ_H/2)‖H‖². Dotted: r = 1/K, from where on it "
        "is zero. Gap: the true class's logit less the mean of the others, mean over samples.",
        width=180,
        below=4,
    )
    return {"closed_form": figure}


def threshold(ax: Axes, classes: int) -> None:
    """Where the optimum becomes zero."""
    ax.axvline(1 / classes, color="black", linewidth=0.8, linestyle=":")


def claims(results: Results) -> list[Claim]:
    """Below the threshold the closed form and neural collapse; from it on zero."""
    table, threshold_r = compared(results), 1 / results.config.data.classes
    converged = table[table["converged"] & (table["status"] != "diverged")]
    below, beyond = converged[converged["r"] < threshold_r], converged[converged["r"] >= threshold_r]
    return [matches(below), no_lower(table[table["status"] != "diverged"]), collapses(below), to_zero(beyond)]


def matches(below: pd.DataFrame) -> Claim:
    """Gap, norms and loss."""
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
    """Neural collapse."""
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
    """The other side of the threshold."""
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


EXPERIMENT = Experiment(
    paper="ji2022",
    figure="companion",
    summary="norms, gap and loss of free features under weight decay against the closed form, to the collapse to zero",
    cost="60 s",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("logit_gap", "weight_norm_squared", "feature_norm_squared"),
)
