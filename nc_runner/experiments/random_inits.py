"""Zangrando et al. 2026, Figure 3: what 100 random initialisations have in common."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
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
    ("distance_from_prediction", "distance of singular values\nfrom the prediction", GREEN),
)
FALLS = 10.0  # factor by which a quantity has to fall [choice]
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
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 2.9), gridspec_kw={"wspace": 0.42})
    for ax, (metric, label, colour) in zip(axes, PANELS, strict=False):
        grouped = table.groupby("epoch")[metric]
        low, high, mean = grouped.min(), grouped.max(), grouped.mean()
        ax.fill_between(low.index / 100, low.clip(lower=1e-16), high, color=colour, alpha=0.2, linewidth=0)
        ax.plot(mean.index / 100, mean, color=colour)
        ax.set(xscale="log", yscale="log", xlabel="hundreds of epochs", ylabel=label)
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
    table, config = curves(results), results.config
    final = results.final()
    kept = final[final["status"] != "diverged"]
    ends = table.loc[table.groupby("id")["epoch"].idxmax()].set_index("id")
    starts = table.loc[table.groupby("id")["epoch"].idxmin()].set_index("id")
    fell = (ends[[metric for metric, *_ in PANELS]] * FALLS <= starts[[metric for metric, *_ in PANELS]]).mean()
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
                f"by a factor of {FALLS:g} from the first epoch to the last in {SHARE:.0%} of them [choice]",
                f"{fell[metric]:.0%} of {len(ends)}; at the end {end.min():.2g} to {end.max():.2g}"
                if len(ends)
                else "nothing measured",
                Claim.judge(bool(fell[metric] >= SHARE) if len(ends) and ends["epoch"].min() > 1 else None),
            )
        )
    spread = kept["objective"].max() / kept["objective"].min() - 1 if len(kept) else np.nan
    return [
        *made,
        Claim(
            "same_objective",
            "Different initialisations end at the same objective.",
            "largest at most 5% above the least [choice]",
            f"{len(kept)} trials, {kept['objective'].min():.4g} to {kept['objective'].max():.4g}; "
            f"{int((kept['objective'] <= 1.05 * kept['objective'].min()).sum())} within 5% of the least",
            Claim.judge(bool(spread <= 0.05) if len(kept) > 1 and config.train.epochs > 1 else None),
        ),
    ]


EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="3",
    summary="cluster variation, rank and singular values over training from 100 initialisations, in one stack",
    cost="",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("objective", "relative_gradient"),
    warnings=deep_measures.undecayed,
)
