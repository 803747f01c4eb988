"""What Pan 2023 proves of norms and cross-entropy, judged on trained networks: a bound, an identity, stationarity."""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import Tensor

from nc_runner import theory
from nc_runner.experiments.base import Claim, Kind, Results, Statement
from nc_runner.experiments.decay import decay_times_of
from nc_runner.experiments.needs import DECAY_TIMES, decay_times, finished, plain_network
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY, measured

ROUNDING = 1e-6  # relative; the norms and the loss come from float32 features
BATCHNORM_TOLERANCE = 1e-4  # relative; rounding of float32 features
STATIONARITY_TOLERANCE = 1e-2  # relative [choice]

NORMS = ("weight_squared_norm", "gamma_squared_norm", "beta_squared_norm")
MOMENTS = ("feature_second_moment_batch", "gamma_squared_norm_with_eps", "gamma_squared_norm", "beta_squared_norm")
LOSSES = (
    *("loss", "loss_class_balanced", "feature_second_moment", "feature_second_moment_class_balanced"),
    *("weight_squared_norm", "bias_squared_norm"),
)

CROSS_ENTROPY_BOUND = Statement(
    "cross_entropy_bound",
    "cross-entropy is at least m(alpha, beta)",
    "Cross-entropy is at least m(alpha, beta) (the bound of Theorem 2.3.1). It is stated for balanced classes without "
    "bias; these are not quite balanced, so every class is given equal weight in the averages, and the bias is counted "
    "as one more feature that is always 1.",
    "Theorem 2.3.1, premise; weights and bias derived",
    f"loss >= m in every trial that fits, to {ROUNDING:g} relative",
    (finished, measured(*LOSSES)),
    Kind.derived,
)
FEATURE_NORM = Statement(
    "feature_norm",
    "BatchNorm fixes the features' mean squared norm",
    "Behind BatchNorm in train mode, mean ||h||^2 = ||gamma||^2 + ||beta||^2 (Proposition 2.2.1, with bias). "
    "It leaves out BatchNorm's epsilon: with it each gamma^2 counts v/(v + eps), v the channel's variance.",
    "Proposition 2.2.1; epsilon derived",
    f"with epsilon, to {BATCHNORM_TOLERANCE:g} relative in every trial that fits, the training set as one batch",
    (finished, measured(*MOMENTS)),
    Kind.derived,
)
STATIONARITY = Statement(
    "stationarity",
    "at the end ||W||^2 = ||gamma||^2 + ||beta||^2",
    "At the end ||W_L||^2 = ||gamma||^2 + ||beta||^2, as at any stationary point.",
    "derived, ours",
    f"to {STATIONARITY_TOLERANCE:g} relative, in trials trained for {DECAY_TIMES:g} decay times or more",
    (plain_network, decay_times(), measured(*NORMS)),
    Kind.derived,
)


def as_tensor(column: pd.Series[float]) -> Tensor:
    """A column as a float64 tensor of its own."""
    return torch.tensor(column.to_numpy(copy=True), dtype=torch.float64)


def cross_entropy_bound(fits: Results) -> Claim:
    """Cross-entropy is at least m(alpha, beta), the output bias counted as one more feature that is always 1."""
    final = fits.final()
    if len(final) == 0 or not {*LOSSES} <= {*final}:
        return CROSS_ENTROPY_BOUND.judged(fits, None, "no trial that fits")
    classes = fits.config.data.classes
    squared_beta = (final["weight_squared_norm"] + final["bias_squared_norm"]) / classes
    excess = {}
    for suffix in ("_class_balanced", ""):
        alpha = (final[f"feature_second_moment{suffix}"] + 1) ** 0.5
        bound = theory.min_cross_entropy(as_tensor(alpha), as_tensor(squared_beta**0.5), classes)
        excess[suffix] = as_tensor(final[f"loss{suffix}"]) / bound - 1
    balanced, by_sample = excess["_class_balanced"], excess[""]
    kept = int((balanced >= -ROUNDING).sum())
    measured = (
        f"{kept} of {len(final)} trials, least loss/m - 1 = {balanced.min():.3g}; averages by sample: "
        f"{int((by_sample >= -ROUNDING).sum())} of {len(final)}, {by_sample.min():.3g}"
    )
    return CROSS_ENTROPY_BOUND.judged(fits, kept == len(final), measured, f"{kept} of {len(final)}")


def feature_norm(fits: Results) -> Claim:
    """Proposition 2.2.1 with its bias: BatchNorm fixes the features' mean squared norm."""
    trials = fits.final()
    if len(trials) == 0 or not {*MOMENTS} <= {*trials}:
        return FEATURE_NORM.judged(fits, None, "no trial with affine BatchNorm that fits")
    moment = trials["feature_second_moment_batch"]
    with_eps = (moment / (trials["gamma_squared_norm_with_eps"] + trials["beta_squared_norm"]) - 1).abs()
    without = (moment / (trials["gamma_squared_norm"] + trials["beta_squared_norm"]) - 1).abs()
    holds = bool((with_eps <= BATCHNORM_TOLERANCE).all())
    worst = with_eps.max(skipna=False)
    largest = without.max(skipna=False)
    at = "" if math.isnan(largest) else f", at weight decay {trials[WEIGHT_DECAY].to_numpy()[without.argmax()]:g}"
    measured = (
        f"largest relative difference {worst:.1g} over {len(trials)} trials; with epsilon taken as 0, {largest:.2g}{at}"
    )
    return FEATURE_NORM.judged(fits, holds, measured, f"{worst:.1g} off")


def stationarity(fits: Results) -> Claim:
    """At a stationary point under weight decay ||W_L||^2 = ||gamma||^2 + ||beta||^2 [derived]."""
    late = fits.only(decay_times_of(fits) >= DECAY_TIMES)
    trials = late.final()
    if len(trials) == 0 or not {*NORMS} <= {*trials}:
        return STATIONARITY.judged(fits, None, "no trial that fits was trained for that long")
    error = (trials["weight_squared_norm"] / (trials["gamma_squared_norm"] + trials["beta_squared_norm"]) - 1).abs()
    worst = error.max(skipna=False)
    measured = (
        f"largest relative difference {worst:.2g} over {len(trials)} trials, weight decay "
        f"{trials[WEIGHT_DECAY].min():g} and up"
    )
    return STATIONARITY.judged(late, bool((error <= STATIONARITY_TOLERANCE).all()), measured, f"{worst:.2g} off")
