"""Trained singular values against those of two optima: of the objective, and of a constrained one as delta falls."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nc_runner import theory
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's singular values, relative: three digits
RELU_TOLERANCE = 1e-3  # [choice] of a ReLU network's objective from the optimum of the linear one, relative
RANK_TOLERANCE = 1e-6  # [choice] relative squared distance from rank K that counts as rank K
NEAR = 0.02  # [choice] of the constrained prediction, at the smallest delta, at most
HALVES = 0.5  # [choice] of the distance at the largest delta, what is left of it at the smallest, at most
DELTAS = (10.0, 2.0, 1.0, 0.1, 0.01)  # of Figure 2, beside 0
ERRORS = 2.0  # [choice] standard errors over seeds by which a distance may rise from one delta to the next


def deltas(results: Results) -> Need:
    """The positive deltas of the figure."""
    there = results.trials[FIRST].to_numpy(dtype=float) / results.config.train.weight_decay
    missing = [f"{delta:g}" for delta in DELTAS if not np.isclose(there, delta, rtol=1e-6).any()]
    required = f"delta {', '.join(f'{delta:g}' for delta in DELTAS)}"
    return Need("deltas of the figure", required, f"missing {', '.join(missing)}" if missing else "all", not missing)


NEEDS = (interpolation_possible, needs.finished, deltas, needs.seeds(3), *converged)

LINEAR_AGREES = Statement(
    "linear_agrees",
    "Linear networks end with the predicted singular values",
    "Singular values of trained linear networks are those of the optimum: K equal ones in every layer, tied by delta.",
    "our optimum of the objective, after Figure 2",
    f"each of the first K to {LINEAR_TOLERANCE:g} relative, for every positive delta",
    NEEDS,
    Kind.derived,
)
RELU_REACHES = Statement(
    "relu_reaches_optimum",
    "ReLU networks end at the objective of the linear optimum",
    "Trained ReLU networks reach the objective of the optimum of linear networks.",
    "our optimum of the objective, after Figure 2",
    f"within {RELU_TOLERANCE:g} relative, for every positive delta [choice]",
    NEEDS,
    Kind.derived,
)
RELU_RANK = Statement(
    "relu_rank",
    "Weights of ReLU networks end with rank K",
    "Weights of trained ReLU networks have rank at most K, as there is no cluster variation.",
    "from the bound at critical points (abstract)",
    f"relative squared distance from rank K at most {RANK_TOLERANCE:g} in every layer, every positive delta [choice]",
    NEEDS,
    Kind.derived,
)
APPROACHES = Statement(
    "approaches_as_delta_falls",
    "Singular values near one prediction as delta falls",
    "Singular values of trained networks approach the predicted ones as delta = 1/lambda goes to 0. Predicted is the "
    "optimum over features of norm at most c after the first layer: K equal singular values c^{-1/(L-1)} in each other "
    "layer. Our reading: c is the largest norm that they have, delta the first layer's weight decay over the others'.",
    "Figure 2",
    "relative distance of all singular values of layers 2 to L, mean over seeds, for each activation: at the smallest "
    f"positive delta at most {NEAR:g} and {HALVES:g} of that at the largest, and from one delta to the next smaller "
    f"one no rise of more than {ERRORS:g} standard errors [choice]",
    (needs.grid_complete(ACTIVATION), *NEEDS),
)


def compared(results: Results) -> pd.DataFrame:
    """One row a usable network: delta, the predictions, and how far from them the network is.

    ``predicted_first`` and ``predicted_hidden`` are the K equal singular values of layer 1 and of the others at the
    optimum of linear networks. ``distance`` is the relative distance of all singular values of all layers from the
    predicted ones, which are 0 beyond the K-th; ``largest_error`` the largest relative error of the first K;
    ``excess`` the objective over the optimum, less 1. All are NaN for delta = 0, where there is no optimum.
    ``constrained`` is the singular value predicted for layers 2 to L from the norm c of the features of layer 1, and
    ``constrained_distance`` the relative distance of all singular values of those layers from it.
    """
    final = results.final()
    final = final[final["status"] != "diverged"].reset_index(drop=True)
    unknown = ["predicted_hidden", "predicted_first", "distance", "largest_error", "excess"]
    unknown += ["constrained", "constrained_distance"]
    final = final.assign(delta=final[FIRST] / results.config.train.weight_decay, **dict.fromkeys(unknown, np.nan))
    layers = spectra(results).sort_values("layer")
    numbers = layers.filter(like="singular_value_").fillna(0.0).to_numpy(dtype=float)  # a small weight has fewer
    places = layers.reset_index().groupby("id").indices
    rows = [{**trial, **errors(results, trial, numbers[places[trial["id"]]])} for trial in final.to_dict("records")]
    return pd.DataFrame(rows, columns=final.columns)


def spectra(results: Results) -> pd.DataFrame:
    """One row a finished network and layer: its singular values after training, ``singular_value_1`` the largest."""
    names = [name for name in results.metrics["metric"].unique() if name.startswith("singular_value_")]
    names = sorted(names, key=lambda name: int(name.rsplit("_", 1)[1]))
    table = results.final_by_layer(*names)
    return table.reindex(columns=[*table.columns.difference(names, sort=False), *names])


def errors(results: Results, trial: Mapping[Hashable, Any], measured: np.ndarray) -> dict[Hashable, Any]:
    """The predictions for one network, and its distance from them, of singular values by layer and number."""
    config = results.config
    classes, decay, matrices = config.data.classes, config.train.weight_decay, config.model.depth - 1

    def spectrum(first: float, hidden: float) -> np.ndarray:
        predicted = np.zeros(measured.shape)
        predicted[:, :classes] = hidden
        predicted[0, :classes] = first
        return predicted

    found: dict[Hashable, Any] = {}
    bound = trial.get("largest_feature_norm", np.nan)
    if bound > 0:
        level = bound ** (-1 / matrices)  # theory.feedforward_singular_values at no weight decay
        found = {"constrained": level, "constrained_distance": relative(measured[1:], spectrum(0.0, level)[1:])}
    if trial["delta"] > 0:
        best = optimum(decay, classes, matrices, trial["delta"])
        predicted = spectrum(best.first.item(), best.hidden.item())
        found |= {
            "predicted_hidden": best.hidden.item(),
            "predicted_first": best.first.item(),
            "excess": trial["objective"] / best.objective.item() - 1,
            "distance": relative(measured, predicted),
            "largest_error": float(np.abs(measured[:, :classes] / predicted[:, :classes] - 1).max()),
        }
    return found


@functools.cache
def optimum(decay: float, classes: int, matrices: int, delta: float) -> theory.FirstLayerOptimum:
    """The minimiser over linear networks; the same for all networks of one delta."""
    return theory.first_layer_delta_singular_values(decay, classes, matrices, delta)


def relative(measured: np.ndarray, predicted: np.ndarray) -> float:
    """||s - s'|| / ||s'||."""
    return float(np.linalg.norm(measured - predicted) / np.linalg.norm(predicted))


def claims(results: Results) -> list[Claim]:
    """Linear networks to three digits; ReLU ones by objective and rank; all in the limit."""
    of = fits(results)
    of = of.only(of.trials[FIRST] > 0)
    linear, relu = (of.only(of.trials[ACTIVATION] == activation) for activation in ("linear", "relu"))
    return [linear_agrees(linear), relu_reaches_optimum(relu), relu_rank(relu), approaches(of)]


def by_delta(values: pd.Series) -> str:
    """A value a delta, from the largest."""
    return ", ".join(f"delta {delta:g}: {value:.2g}" for delta, value in values.sort_index(ascending=False).items())


def linear_agrees(results: Results) -> Claim:
    """Trained linear networks against the closed form."""
    worst = compared(results).groupby("delta")["largest_error"].max()
    if worst.empty:
        return LINEAR_AGREES.judged(results, None, "no such network")
    holds = bool((worst <= LINEAR_TOLERANCE).all())
    return LINEAR_AGREES.judged(results, holds, by_delta(worst), number=f"{worst.max():.1g} off")


def relu_reaches_optimum(results: Results) -> Claim:
    """ReLU networks against the objective of the linear optimum."""
    rows = compared(results)
    if rows.empty:
        return RELU_REACHES.judged(results, None, "no such network")
    least, most = rows.groupby("delta")["excess"].min(), rows.groupby("delta")["excess"].max()
    measured = f"over the optimum less 1, at most {by_delta(most)}; at least {by_delta(least)}"
    holds = bool((rows["excess"].abs() <= RELU_TOLERANCE).all())
    return RELU_REACHES.judged(results, holds, measured, number=f"{rows['excess'].abs().max():.1g} off")


def relu_rank(results: Results) -> Claim:
    """ReLU networks against the rank of the linear optimum."""
    layers = results.final_by_layer("relative_rank_distance")
    if layers.empty:
        return RELU_RANK.judged(results, None, "no such network")
    worst = layers["relative_rank_distance"].max()
    spread = by_delta(compared(results).groupby("delta")["distance"].max())
    measured = f"at most {worst:.1g}; relative distance of the spectra from the linear optimum's up to {spread}"
    return RELU_RANK.judged(results, bool(worst <= RANK_TOLERANCE), measured, number=f"{worst:.1g}")


def approaches(results: Results) -> Claim:
    """As delta falls, which is what the caption of Figure 2 says."""
    rows = compared(results)
    if rows["delta"].nunique() < 2:
        return APPROACHES.judged(results, None, "fewer than two positive deltas")
    if rows["constrained_distance"].isna().all():
        return APPROACHES.judged(results, None, "the norm of the features was not measured")
    parts, holds, last = [], True, []
    for activation, of in rows.groupby(ACTIVATION):
        distances = of.groupby("delta")["constrained_distance"].agg(["mean", "sem"]).sort_index(ascending=False)
        mean, error = distances["mean"], distances["sem"].fillna(0)
        noise = ERRORS * np.hypot(error, error.shift())
        near = mean.iloc[-1] <= NEAR and mean.iloc[-1] <= HALVES * mean.iloc[0]
        holds &= bool(near and not (mean.diff() > noise).any())
        parts.append(f"{activation}: {by_delta(mean)}")
        last.append(mean.iloc[-1])
    return APPROACHES.judged(results, holds, "; ".join(parts), number=f"to {max(last):.1g}")
