"""Trained singular values against those of the optimum of linear networks: the comparison, and what it claims."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nc_runner import theory
from nc_runner.experiments.base import Claim, Results

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's singular values, relative: three digits
RELU_TOLERANCE = 1e-3  # of a ReLU network's objective above the optimum of the linear one, relative
RANK_TOLERANCE = 1e-6  # [choice] relative squared distance from rank K that counts as rank K
JUDGED = (10.0, 1.0, 0.1)  # the deltas at which networks are judged
MATCHED = 1e-6  # how near delta has to be to one of them


def compared(results: Results) -> pd.DataFrame:
    """One row a finished network: delta, the prediction, and how far from it the network is.

    ``predicted_first`` and ``predicted_hidden`` are the K equal singular values of layer 1 and of the others at the
    optimum of linear networks. ``distance`` is the relative distance of all singular values of all layers from the
    predicted ones, which are 0 beyond the K-th; ``largest_error`` the largest relative error of the first K;
    ``excess`` the objective over the optimum, less 1. All are NaN for delta = 0, where there is no optimum.
    """
    final = results.final()
    final = final[final["status"] != "diverged"].reset_index(drop=True)
    unknown = ("predicted_hidden", "predicted_first", "distance", "largest_error", "excess")
    final = final.assign(delta=final[FIRST] / results.config.train.weight_decay, **dict.fromkeys(unknown, np.nan))
    layers = spectra(results)
    rows = [
        {**trial, **errors(results, trial, layers[layers["id"] == trial["id"]])} if trial["delta"] > 0 else trial
        for trial in final.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=final.columns)


def spectra(results: Results) -> pd.DataFrame:
    """One row a finished network and layer: its singular values after training, ``singular_value_1`` the largest."""
    names = [name for name in results.metrics["metric"].unique() if name.startswith("singular_value_")]
    return results.final_by_layer(*sorted(names, key=lambda name: int(name.rsplit("_", 1)[1])))


def errors(results: Results, trial: Mapping[Hashable, Any], layers: pd.DataFrame) -> dict[Hashable, Any]:
    """The prediction for one network, and its distance from it."""
    config = results.config
    classes, decay = config.data.classes, config.train.weight_decay
    best = theory.first_layer_delta_singular_values(decay, classes, config.model.depth - 1, trial["delta"])
    numbered = layers.sort_values("layer").filter(like="singular_value_")
    order = np.argsort([int(name.rsplit("_", 1)[1]) for name in numbered.columns])
    measured = np.nan_to_num(numbered.to_numpy(dtype=float)[:, order])
    predicted = np.zeros_like(measured)
    predicted[:, :classes] = best.hidden.item()
    predicted[0, :classes] = best.first.item()
    return {
        "predicted_hidden": best.hidden.item(),
        "predicted_first": best.first.item(),
        "excess": trial["objective"] / best.objective.item() - 1,
        "distance": float(np.linalg.norm(measured - predicted) / np.linalg.norm(predicted)),
        "largest_error": float(np.abs(measured[:, :classes] / predicted[:, :classes] - 1).max()),
    }


def claims(results: Results) -> list[Claim]:
    """Linear networks to three digits; ReLU ones by objective and rank."""
    table = compared(results)
    deltas = table["delta"].to_numpy(dtype=float)
    judged = table[np.isclose(deltas[:, None], JUDGED, rtol=MATCHED).any(axis=1)]
    return [
        linear_agrees(judged[judged[ACTIVATION] == "linear"]),
        relu_reaches_optimum(judged[judged[ACTIVATION] == "relu"]),
        relu_rank(results, judged[judged[ACTIVATION] == "relu"]),
        approaches(table[table["delta"] > 0]),
    ]


def linear_agrees(rows: pd.DataFrame) -> Claim:
    """Trained linear networks against the closed form."""
    worst = rows.groupby("delta")["largest_error"].max()
    return Claim(
        "linear_agrees",
        "Singular values of trained linear networks are the predicted ones: K equal in every layer, tied by delta "
        "[derived].",
        f"each to {LINEAR_TOLERANCE:g} relative for delta 10, 1 and 0.1",
        ", ".join(f"delta {delta:g}: {error:.1g}" for delta, error in worst.items()) or "no such network",
        Claim.judge(bool((worst <= LINEAR_TOLERANCE).all()) if len(worst) else None),
    )


def relu_reaches_optimum(rows: pd.DataFrame) -> Claim:
    """ReLU networks against the objective of the linear optimum."""
    worst = rows.groupby("delta")["excess"].max()
    least = rows["excess"].min()
    measured = ", ".join(f"delta {delta:g}: at most {excess:.1g} above" for delta, excess in worst.items())
    return Claim(
        "relu_reaches_optimum",
        "Trained ReLU networks reach the objective of the linear optimum [derived].",
        f"within {RELU_TOLERANCE:g} relative for delta 10, 1 and 0.1",
        f"{measured}; least {least:.1g}" if len(rows) else "no such network",
        Claim.judge(bool((rows["excess"].abs() <= RELU_TOLERANCE).all()) if len(rows) else None),
    )


def relu_rank(results: Results, rows: pd.DataFrame) -> Claim:
    """ReLU networks against the rank of the linear optimum."""
    layers = results.final_by_layer("relative_rank_distance")
    layers = layers[layers["id"].isin(rows["id"])]
    worst = layers["relative_rank_distance"].max() if len(layers) else np.nan
    spread = f"; relative distance of their spectra from the prediction up to {rows['distance'].max():.2g}"
    return Claim(
        "relu_rank",
        "Trained ReLU networks have weights of rank K.",
        f"relative squared distance from rank K at most {RANK_TOLERANCE:g} in every layer, same deltas [choice]",
        f"at most {worst:.1g}{spread}" if len(layers) else "no such network",
        Claim.judge(bool(worst <= RANK_TOLERANCE) if len(layers) else None),
    )


def approaches(rows: pd.DataFrame) -> Claim:
    """As delta falls, which is what the caption of Figure 2 says."""
    parts, falls = [], []
    for activation, of in rows.groupby(ACTIVATION):
        mean = of.groupby("delta")["distance"].mean().sort_index(ascending=False)
        parts.append(f"{activation}: " + ", ".join(f"{value:.2g}" for value in mean))
        falls.append(bool(mean.iloc[-1] < mean.iloc[0] or mean.iloc[-1] <= LINEAR_TOLERANCE))
    deltas = ", ".join(f"{delta:g}" for delta in sorted(rows["delta"].unique(), reverse=True))
    return Claim(
        "approaches_as_delta_falls",
        "Trained singular values approach the predicted ones, each delta's own, as delta goes to 0 (Figure 2). The "
        "time to get there grows like 1/delta.",
        f"mean distance at the smallest positive delta below that at the largest, or {LINEAR_TOLERANCE:g}, for each",
        f"for delta {deltas}: " + "; ".join(parts) if parts else "no positive delta",
        Claim.judge(all(falls) if len(set(rows["delta"])) > 1 else None),
    )
