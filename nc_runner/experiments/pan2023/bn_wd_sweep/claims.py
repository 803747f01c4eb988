"""What Pan 2023 says of Figure 3.1, each statement as a predicate over the trials that fit the training set."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nc_runner import theory
from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.pan2023.conjectures import WEIGHT_DECAY, growth_with_weight_decay

ROUNDING = 1e-6  # relative; the norms and the loss come from float32 features
BATCHNORM_TOLERANCE = 1e-4  # relative; rounding of float32 features
STATIONARITY_TOLERANCE = 1e-2  # relative [choice]
# [choice] Decay times, sum of 2 lambda eta / (1 - momentum), after which a norm has forgotten its start.
CONVERGED = 10.0


def claims(results: Results) -> list[Claim]:
    """The claims in the order of the thesis."""
    final = results.final()
    final["gap"] = final["min_intra_cosine_uncentred"] - final["max_inter_cosine_uncentred"]
    perfect = final[final["status"] == "interpolated"]
    return [
        growth_with_weight_decay(perfect[perfect["model.norm"] == "affine"], "With affine BatchNorm"),
        batch_norm_order(perfect),
        no_batch_norm_worsens(perfect),
        no_batch_norm_fails(final),
        cross_entropy_bound(perfect, results.config.data.classes),
        feature_norm(final),
        stationarity(perfect, results),
    ]


def as_tensor(column: pd.Series[float]) -> Tensor:
    """A column as a float64 tensor of its own."""
    return torch.tensor(column.to_numpy(copy=True), dtype=torch.float64)


def gaps(perfect: pd.DataFrame, norm: str) -> pd.Series[float]:
    """Mean over seeds of g = min intra - max inter (uncentred) at each weight decay."""
    return perfect[perfect["model.norm"] == norm].groupby(WEIGHT_DECAY)["gap"].mean()


def batch_norm_order(perfect: pd.DataFrame) -> Claim:
    """g with affine BatchNorm is above g with plain BatchNorm, and that is above g without."""
    by_norm = {norm: gaps(perfect, norm) for norm in ("affine", "plain", "none")}
    compared, wrong = 0, []
    for better, worse in (("affine", "plain"), ("plain", "none"), ("affine", "none")):
        for decay in by_norm[better].index.intersection(by_norm[worse].index):
            if decay >= 1e-3 * (1 - 1e-9):
                compared += 1
                if by_norm[better][decay] <= by_norm[worse][decay]:
                    wrong.append(
                        f"{better} {by_norm[better][decay]:.3f} <= {worse} {by_norm[worse][decay]:.3f} at {decay:g}"
                    )
    return Claim(
        "batch_norm_order",
        "At each weight decay >= 1e-3, g is larger with affine BatchNorm than without its affine part, and larger "
        "with either than without BatchNorm.",
        "every comparison of trials with perfect accuracy",
        f"{compared - len(wrong)} of {compared} comparisons" + (f"; not {'; '.join(wrong)}" if wrong else ""),
        Claim.judge(not wrong if compared else None),
    )


def no_batch_norm_worsens(perfect: pd.DataFrame) -> Claim:
    """Without BatchNorm, g falls with weight decay."""
    gap = gaps(perfect, "none")
    holds, measured = None, "fewer than three weight decays with perfect accuracy"
    if len(gap) >= 3:
        correlation = float(pd.Series(gap.index).corr(gap.reset_index(drop=True), method="kendall"))
        holds = bool(gap.iloc[-1] < gap.iloc[0] and correlation < 0)
        ends = f"g from {gap.iloc[0]:.3f} at {gap.index[0]:g} to {gap.iloc[-1]:.3f} at {gap.index[-1]:g}"
        measured = f"{ends}; Kendall's tau {correlation:.2f}"
    return Claim(
        "no_batch_norm_worsens",
        "Without BatchNorm collapse gets worse with weight decay.",
        "g smaller at the largest weight decay than at the least, Kendall's tau < 0",
        measured,
        Claim.judge(holds),
    )


def no_batch_norm_fails(final: pd.DataFrame) -> Claim:
    """Without BatchNorm training fails above 0.005."""
    without = final[final["model.norm"] == "none"]
    trials = without[without[WEIGHT_DECAY] > 0.005 * (1 + 1e-9)]
    fits_below = (without.loc[~without.index.isin(trials.index), "status"] == "interpolated").any()
    measured = ", ".join(
        f"diverged at {row.decay:g}" if row.status == "diverged" else f"accuracy {row.accuracy:.4f} at {row.decay:g}"
        for row in trials.assign(decay=trials[WEIGHT_DECAY]).itertuples()
    )
    return Claim(
        "no_batch_norm_fails",
        "Without BatchNorm training fails at weight decays above 0.005.",
        "no trial with perfect training accuracy at 0.007 and 0.01, though there are some at smaller weight decay",
        (measured or "no such trial") + ("" if fits_below else "; but none is perfect at smaller weight decay either"),
        Claim.judge(bool((trials["status"] != "interpolated").all()) if len(trials) and fits_below else None),
    )


def cross_entropy_bound(perfect: pd.DataFrame, classes: int) -> Claim:
    """Cross-entropy is at least m(alpha, beta), the output bias counted as one more feature that is always 1."""
    squared_beta = (perfect["weight_squared_norm"] + perfect["bias_squared_norm"]) / classes
    excess = {}
    for suffix in ("_class_balanced", ""):
        alpha = (perfect[f"feature_second_moment{suffix}"] + 1) ** 0.5
        bound = theory.min_cross_entropy(as_tensor(alpha), as_tensor(squared_beta**0.5), classes)
        excess[suffix] = as_tensor(perfect[f"loss{suffix}"]) / bound - 1
    holds, measured = None, "no trial with perfect accuracy"
    if len(perfect):
        balanced, by_sample = excess["_class_balanced"], excess[""]
        holds = bool((balanced >= -ROUNDING).all())
        measured = (
            f"{int((balanced >= -ROUNDING).sum())} of {len(perfect)} trials, least loss/m - 1 = {balanced.min():.3g}; "
            f"averages by sample: {int((by_sample >= -ROUNDING).sum())} of {len(perfect)}, {by_sample.min():.3g}"
        )
    return Claim(
        "cross_entropy_bound",
        "Cross-entropy is at least m(alpha, beta) (the bound of Theorem 2.3.1). It is stated for balanced classes; "
        "these are not quite, so every class is given equal weight in the averages.",
        f"loss >= m in every perfect trial, to {ROUNDING:g} relative",
        measured,
        Claim.judge(holds),
    )


def feature_norm(final: pd.DataFrame) -> Claim:
    """Proposition 2.2.1 with its bias: BatchNorm fixes the features' mean squared norm."""
    trials = final[(final["model.norm"] == "affine") & (final["status"] != "diverged")]
    holds, measured = None, "no trial with affine BatchNorm"
    if len(trials):
        moment = trials["feature_second_moment_batch"]
        with_eps = (moment / (trials["gamma_squared_norm_with_eps"] + trials["beta_squared_norm"]) - 1).abs()
        without = (moment / (trials["gamma_squared_norm"] + trials["beta_squared_norm"]) - 1).abs()
        finite = bool(np.isfinite(with_eps).all() and np.isfinite(without).all())
        holds = bool((with_eps <= BATCHNORM_TOLERANCE).all()) if finite else None
        measured = "not finite in some trials"
        if finite:
            measured = (
                f"largest relative difference {with_eps.max():.1g} over {len(trials)} trials; with epsilon taken as 0, "
                f"{without.max():.2g}, at weight decay {trials[WEIGHT_DECAY].to_numpy()[without.argmax()]:g}"
            )
    return Claim(
        "feature_norm",
        "Behind BatchNorm in train mode, mean ||h||^2 = ||gamma||^2 + ||beta||^2 (Proposition 2.2.1, with bias). "
        "It leaves out BatchNorm's epsilon: with it each gamma^2 counts v/(v + eps), v the channel's variance.",
        f"with epsilon, to {BATCHNORM_TOLERANCE:g} relative in every trial, the training set as one batch",
        measured,
        Claim.judge(holds),
    )


def stationarity(perfect: pd.DataFrame, results: Results) -> Claim:
    """At a stationary point under weight decay ||W_L||^2 = ||gamma||^2 + ||beta||^2 [derived]."""
    train, samples = results.config.train, results.config.data.samples
    steps = -(-samples // min(train.batch_size or samples, samples))
    step_sizes = [
        train.learning_rate * train.lr_gamma ** sum(e >= m * train.epochs for m in train.lr_milestones)
        for e in range(train.epochs)
    ]
    decay_times = 2 * perfect[WEIGHT_DECAY] * sum(step_sizes) * steps / (1 - train.momentum)
    trials = perfect[(perfect["model.norm"] == "affine") & (decay_times >= CONVERGED)]
    holds, measured = None, "no trial trained for that long"
    if len(trials):
        error = (trials["weight_squared_norm"] / (trials["gamma_squared_norm"] + trials["beta_squared_norm"]) - 1).abs()
        holds = bool((error <= STATIONARITY_TOLERANCE).all())
        measured = f"largest relative difference {error.max():.2g} over {len(trials)} trials"
        measured += f", weight decay {trials[WEIGHT_DECAY].min():g} and up"
    return Claim(
        "stationarity",
        "At the end ||W_L||^2 = ||gamma||^2 + ||beta||^2, as at any stationary point [derived, ours].",
        f"to {STATIONARITY_TOLERANCE:g} relative, in trials trained for {CONVERGED:g} decay times or more",
        measured,
        Claim.judge(holds),
    )
