"""Cluster variation, distance from rank K and distance from the predicted singular values, in every layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.random_inits.claims import RANK_TOLERANCE
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The three quantities of the figure and the numerical rank, in every layer."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep.fit(network, logits, y, config)
    yield from deep.layers(network, x, y, config, bound=False)
    yield from deep.cluster_variations(network, x, y)
    for layer in range(1, network.depth + 1):
        weight = network.params[f"{layer}.weight"]
        values = deep.spectrum(weight)
        predicted = torch.zeros_like(values)
        predicted[:, : config.data.classes] = predicted_values(x, y, config)
        distance = torch.linalg.vector_norm(values - predicted, dim=-1) / torch.linalg.vector_norm(predicted, dim=-1)
        yield layer, "distance_from_prediction", distance
        yield layer, "numerical_rank", metrics.numerical_rank(weight, relative_tolerance=RANK_TOLERANCE)


def predicted_values(x: Tensor, y: Tensor, config: Config) -> Tensor:
    """The singular values, the same in every layer, of the linear map from class means to one-hot targets [K].

    Of all networks of zero cluster variation whose product is such a map, these are of least penalty in the limit of
    small weight decay: the L-th roots of the singular values of Y M^+, with M the K class means and Y the targets. All
    layers have the same weight decay, so delta = 1 [derived, for linear networks].
    """
    means = metrics.class_means(x, y)
    target = torch.linalg.svdvals(torch.linalg.pinv(means.T))
    return theory.first_layer_delta_limit(target, config.model.depth - 1, 1.0)[0]
