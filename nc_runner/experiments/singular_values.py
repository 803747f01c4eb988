"""Zangrando et al. 2026, Figure 2: trained spectra against predicted ones as the first layer is freed."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner import theory
from nc_runner.config import Config
from nc_runner.experiments import deep_measures
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.figures.series import caption
from nc_runner.models import MLP

FIRST, ACTIVATION = "train.weight_decay_first", "model.activation"
LINEAR_TOLERANCE = 1e-3  # of a linear network's singular values, relative: three digits
RELU_TOLERANCE = 1e-3  # of a ReLU network's objective above the optimum of the linear one, relative
RANK_TOLERANCE = 1e-6  # relative squared distance from rank K that counts as rank K [choice]
JUDGED = (10.0, 1.0, 0.1)  # the deltas at which networks are judged
MATCHED = 1e-6  # how near delta has to be to one of them


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every singular value, the objective, and how near a critical point the network is."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep_measures.fit(network, logits, y, config)
    yield from deep_measures.layers(network, x, y, config, bound=False)
    yield from deep_measures.singular_values(network)


def compared(results: Results) -> pd.DataFrame:
    """One row a finished trial: delta, predicted s and q, the objective over the optimum, the largest relative errors.

    ``distance`` is the relative distance of all singular values from the predicted ones, over all layers, with those
    beyond the K-th predicted to be 0; NaN for delta = 0, where there is no optimum.
    """
    config, final = results.config, results.final()
    final = final[final["status"] != "diverged"].reset_index(drop=True)
    spectra = results.final_by_layer(*[m for m in results.metrics["metric"].unique() if m.startswith("singular_value")])
    classes, rows = config.data.classes, []
    for trial in final.to_dict("records"):
        delta = trial[FIRST] / config.train.weight_decay
        of = spectra[spectra["id"] == trial["id"]].sort_values("layer")
        row = {**trial, "delta": delta, "distance": np.nan, "largest_error": np.nan, "excess": np.nan}
        if delta > 0:
            best = theory.first_layer_delta_singular_values(
                config.train.weight_decay, classes, config.model.depth - 1, delta
            )
            row |= {"predicted_hidden": best.hidden.item(), "predicted_first": best.first.item()}
            row["excess"] = trial["objective"] / best.objective.item() - 1
            measured = of.filter(like="singular_value").to_numpy(dtype=float)
            order = np.argsort([int(name.rsplit("_", 1)[1]) for name in of.filter(like="singular_value").columns])
            measured = np.nan_to_num(measured[:, order])
            predicted = np.zeros_like(measured)
            predicted[:, :classes] = best.hidden.item()
            predicted[0, :classes] = best.first.item()
            row["distance"] = np.linalg.norm(measured - predicted) / np.linalg.norm(predicted)
            row["largest_error"] = np.abs(measured[:, :classes] / predicted[:, :classes] - 1).max()
        rows.append(row)
    return pd.DataFrame(rows)


def draw(results: Results) -> dict[str, Figure]:
    """Spectra with predictions, linear over ReLU, a column a delta; and the distance against delta."""
    return {"figure_2": spectra_figure(results), "distance": distance_figure(results)}


def spectra_figure(results: Results) -> Figure:
    """Lines: singular values of each layer by number. Dots: predicted."""
    table, config = compared(results), results.config
    names = [m for m in results.metrics["metric"].unique() if m.startswith("singular_value")]
    spectra = results.final_by_layer(*names)
    activations = [a for a in ("linear", "relu", "leaky_relu") if a in set(table[ACTIVATION])]
    deltas = sorted(table["delta"].unique(), reverse=True)
    figure, axes = plt.subplots(
        len(activations), len(deltas), figsize=(1.95 * len(deltas) + 0.8, 2.1 * len(activations) + 0.3), sharex=True,
        sharey="col", squeeze=False,
    )  # fmt: skip
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, config.model.depth))
    count = min(config.model.width, 2 * config.data.classes)
    for i, activation in enumerate(activations):
        for j, delta in enumerate(deltas):
            ax = axes[i, j]
            trials = table[(table[ACTIVATION] == activation) & (table["delta"] == delta)]
            for layer, colour in enumerate(colours, 1):
                of = spectra[spectra["id"].isin(trials["id"]) & (spectra["layer"] == layer)]
                columns = [f"singular_value_{k}" for k in range(1, count + 1) if f"singular_value_{k}" in of]
                for values in of[columns].to_numpy(dtype=float):
                    ax.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.2, label=f"layer {layer}")
            if delta > 0 and len(trials):
                row = trials.iloc[0]
                k = np.arange(1, config.data.classes + 1)
                for level, colour in ((row["predicted_first"], colours[0]), (row["predicted_hidden"], "black")):
                    ax.plot(k, np.full(len(k), level), "o", color=colour, markersize=3.2, markerfacecolor="none")
            if i == 0:
                ax.set_title(f"δ = {delta:g}")
            if j == 0:
                ax.set_ylabel(f"{activation}\nsingular value")
    for ax in axes[-1]:
        ax.set(xlim=(0.5, count + 0.5), ylim=(0, None))
    figure.supxlabel("number of the singular value", fontsize=9, y=-0.01)
    handles = [mpl.lines.Line2D([], [], color=c, label=f"layer {n}") for n, c in enumerate(colours, 1)]
    words = "predicted, layers 2 and up (layer 1 in its colour)"
    handles.append(mpl.lines.Line2D([], [], color="black", marker="o", markerfacecolor="none", ls="none", label=words))
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.03), ncols=len(handles))
    figure.tight_layout()
    caption(
        figure,
        f"Weights after training, a line a layer and seed. Width {config.model.width}, {config.model.depth} layers, no "
        f"biases; inputs are K = {config.data.classes} orthonormal class means. (1/2N)Σ‖f − Y‖² + "
        f"(λ/2)[Σ‖W_l‖² (l ≥ 2) + δ‖W_1‖²], λ = {config.train.weight_decay:g}. Predicted: K equal singular values, the "
        "others 0 [derived, exact for linear networks]. For δ = 0 there is no minimiser: layer 1 "
        "grows and the others shrink without end.",
        width=150,
        below=5,
    )
    return figure


def distance_figure(results: Results) -> Figure:
    """How far spectra are from the prediction, and objectives from the optimum."""
    table = compared(results)
    table = table[table["delta"] > 0]
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 2.8), gridspec_kw={"wspace": 0.35})
    for (activation, rows), marker in zip(table.groupby(ACTIVATION), "os^", strict=False):
        axes[0].plot(rows["delta"], rows["distance"], marker, label=activation, alpha=0.8)
        axes[1].plot(rows["delta"], rows["excess"].abs().clip(lower=1e-16), marker, label=activation, alpha=0.8)
    for ax, label in zip(axes, ("distance from prediction", "|objective / optimum − 1|"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="δ = first layer's weight decay / λ", ylabel=label)
        ax.margins(0.1, 0.15)
    axes[0].legend(loc="upper center", bbox_to_anchor=(1.1, -0.22), ncols=3)
    caption(
        figure,
        "Relative distance, over all layers, of the singular values from the predicted ones (zeros included), and "
        "relative excess of the objective over the optimum of linear networks; each point a trial.",
        width=115,
        below=3,
    )
    return figure


def claims(results: Results) -> list[Claim]:
    """Linear networks to three digits; ReLU ones by objective and rank."""
    table = compared(results)
    judged = table[[bool(np.isclose(delta, JUDGED, rtol=MATCHED).any()) for delta in table["delta"]]]
    return [
        linear_agrees(judged[judged[ACTIVATION] == "linear"]),
        relu_reaches_optimum(judged[judged[ACTIVATION] == "relu"]),
        relu_rank(results, judged[judged[ACTIVATION] == "relu"]),
        approaches(table[table["delta"] > 0]),
    ]


def linear_agrees(rows: pd.DataFrame) -> Claim:
    """The closed form."""
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
    """The same loss."""
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
    """And the rank."""
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
    """The caption of Figure 2."""
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


EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="2",
    summary="singular values of trained linear and ReLU networks against the optimum, as the first layer is freed",
    cost="60 s",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("objective", "relative_gradient"),
    warnings=deep_measures.undecayed,
    check=deep_measures.check_orthonormal_inputs,
)
