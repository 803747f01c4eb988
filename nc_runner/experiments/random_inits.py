"""Zangrando et al. 2026, Figure 3: what 100 random initialisations have in common."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.config import Config
from nc_runner.experiments import deep_measures
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results
from nc_runner.figures import BLUE, GREEN, ORANGE
from nc_runner.figures.series import caption
from nc_runner.models import MLP

PANELS = (
    ("cluster_variation", "TCV", BLUE),
    ("relative_rank_distance", r"$\sum_{j>K} s_j^2 / \sum_j s_j^2$", ORANGE),
    ("distance_from_prediction", "distance from predicted spectrum", GREEN),
)
FALLS = 10.0  # factor by which a quantity has to fall [choice]
RANK_TOLERANCE = 1e-2  # of a singular value, relative to the largest, that counts for the rank [choice]
SHARE = 0.9  # of the initialisations that have to end there [choice]


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The three quantities in every layer."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep_measures.fit(network, logits, y, config)
    yield from deep_measures.layers(network, x, y, config, bound=False)
    yield from deep_measures.cluster_variations(network, x, y)
    for layer in range(1, network.depth + 1):
        values = torch.linalg.svdvals(network.params[f"{layer}.weight"].double())
        predicted = torch.zeros_like(values)
        predicted[:, : config.data.classes] = predicted_values(x, y, config)
        distance = torch.linalg.vector_norm(values - predicted, dim=-1) / torch.linalg.vector_norm(predicted, dim=-1)
        yield layer, "distance_from_prediction", distance
        weight = network.params[f"{layer}.weight"]
        yield layer, "numerical_rank", metrics.numerical_rank(weight, relative_tolerance=RANK_TOLERANCE)


def predicted_values(x: Tensor, y: Tensor, config: Config) -> Tensor:
    """The singular values of every layer that maps the data's class means to one-hot targets at least penalty [K].

    Those of zero cluster variation in the limit of small weight decay, with b the singular values of Y M^+ for the
    K class means M; all layers have the same weight decay, so delta = 1 [derived, for linear networks].
    """
    means = metrics.class_means(x, y)
    target = torch.linalg.svdvals(torch.linalg.pinv(means.T))
    return theory.first_layer_delta_limit(target, config.model.depth - 1, 1.0)[0]


def curves(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: each quantity, the mean over intermediate layers, which are all but first and last."""
    table = results.by_layer(*[metric for metric, *_ in PANELS])
    table = table[table["status"] != "diverged"]
    inner = table[table["layer"].between(2, results.config.model.depth - 1)]
    return inner.groupby(["id", "epoch"])[[metric for metric, *_ in PANELS]].mean().reset_index()


def draw(results: Results) -> dict[str, Figure]:
    """The three quantities over training, and TCV of every layer."""
    table, config = curves(results), results.config
    figure, axes = plt.subplots(1, 4, figsize=(13.0, 2.9), gridspec_kw={"wspace": 0.5})
    for ax, (metric, label, colour) in zip(axes, PANELS, strict=False):
        grouped = table.groupby("epoch")[metric]
        low, high, mean = grouped.min(), grouped.max(), grouped.mean()
        ax.fill_between(low.index / 100, low.clip(lower=1e-16), high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(mean.index / 100, mean, color=colour)
        ax.set(xscale="log", yscale="log", xlabel="hundreds of epochs", ylabel=label)
        ax.yaxis.set_minor_formatter(NullFormatter())
    of_layers = results.by_layer("cluster_variation")
    of_layers = of_layers[of_layers["status"] != "diverged"]
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, config.model.depth))
    for (layer, rows), colour in zip(of_layers.groupby("layer"), colours, strict=False):
        grouped = rows.groupby("epoch")["cluster_variation"]
        low, high, mean = grouped.min(), grouped.max(), grouped.mean()
        axes[3].fill_between(low.index / 100, low.clip(lower=1e-16), high, color=colour, alpha=0.15, linewidth=0)
        axes[3].plot(mean.index / 100, mean, color=colour, label=f"layer {layer}")
    axes[3].set(xscale="log", yscale="log", xlabel="hundreds of epochs", ylabel="TCV")
    axes[3].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    caption(
        figure,
        f"Mean and min-max band over {table['id'].nunique()} initialisations of a {config.model.depth}-layer "
        f"{config.model.activation.name} network of width {config.model.width} without biases. First three: mean "
        f"over layers 2 to {config.model.depth - 1}. Right: TCV, mean over samples, of the output of every layer. "
        f"{config.data.samples} samples of K = {config.data.classes} Gaussians, σ = {config.data.sigma:g}; weight "
        f"decay {config.train.weight_decay:g}. Predicted: zero TCV, class means to one-hot targets, decay to 0.",
        width=170,
        below=3,
    )
    return {"figure_3": figure}


def claims(results: Results) -> list[Claim]:
    """From most starts to the same place."""
    table, final = curves(results), results.final()
    kept = final[final["status"] != "diverged"]
    ends = table.loc[table.groupby("id")["epoch"].idxmax()].set_index("id")
    largest = table.groupby("id")[[metric for metric, *_ in PANELS]].max()
    fell = (ends[[metric for metric, *_ in PANELS]] * FALLS <= largest).mean()
    words = {
        "cluster_variation": "total cluster variation",
        "relative_rank_distance": "relative distance from rank K",
        "distance_from_prediction": "distance of the singular values from the prediction",
    }
    made = []
    for metric, _, _ in PANELS:
        end = ends[metric]
        made.append(
            Claim(
                f"{metric}_falls",
                f"From almost every initialisation the {words[metric]} of intermediate layers falls in training.",
                f"by a factor of {FALLS:g} from its largest to its last value in {SHARE:.0%} of them [choice]",
                f"{fell[metric]:.0%} of {len(ends)}; at the end {end.min():.2g} to {end.max():.2g}"
                if len(ends)
                else "nothing measured",
                Claim.judge(bool(fell[metric] >= SHARE) if len(ends) else None),
            )
        )
    return [*made, same_objective(kept), rank_k(results, kept)]


def same_objective(kept: pd.DataFrame) -> Claim:
    """How far apart the ends are."""
    objective = kept["objective"]
    holds, measured = None, "fewer than two trials"
    if len(kept) > 1:
        near = int((objective <= 1.05 * objective.min()).sum())
        holds = near == len(kept)
        measured = f"{objective.min():.4g} to {objective.max():.4g}; {near} of {len(kept)} within 5% of the least"
    return Claim(
        "same_objective",
        "Different initialisations end at the same objective.",
        "every one within 5% of the least [choice]",
        measured,
        Claim.judge(holds),
    )


def rank_k(results: Results, kept: pd.DataFrame) -> Claim:
    """Whether the prediction, which is of linear networks, is what ReLU networks end at."""
    config = results.config
    ranks = results.final_by_layer("numerical_rank")
    ranks = ranks[ranks["id"].isin(kept["id"]) & ranks["layer"].between(2, config.model.depth - 1)]
    least = theory.first_layer_delta_singular_values(
        config.train.weight_decay, config.data.classes, config.model.depth - 1, 1.0
    ).objective.item()
    holds, measured = None, "nothing measured"
    if len(ranks):
        share = float((ranks["numerical_rank"] == config.data.classes).mean())
        lower = int((kept["objective"] < least * (1 - 1e-3)).sum())
        holds = share >= SHARE
        measured = (
            f"{share:.0%} of the weights, ranks {ranks['numerical_rank'].min():.0f} to "
            f"{ranks['numerical_rank'].max():.0f}; {lower} of {len(kept)} networks end below the objective "
            f"{least:.4g} of the rank-K optimum of linear networks without noise"
        )
    return Claim(
        "rank_k",
        "Intermediate weights end with rank K, as the solution without cluster variation has.",
        f"{SHARE:.0%} of them, counting singular values above {RANK_TOLERANCE:g} of the largest [choice]",
        measured,
        Claim.judge(holds),
    )


EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="3",
    summary="cluster variation, rank and singular values over training from 100 initialisations, in one stack",
    cost="20 s",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("objective", "relative_gradient"),
    warnings=deep_measures.undecayed,
    check=deep_measures.check_prediction,
)
