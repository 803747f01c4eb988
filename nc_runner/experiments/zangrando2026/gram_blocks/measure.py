"""Gram matrices of every layer and how far they are from blocks, for Figure 5 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep, stationarity
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Of each layer's output: how far from blocks and from orthogonal classes it is, and the Gram matrix itself.

    ``gram_003_017`` is the product of the features of the 4th and the 18th sample, sorted by class.
    """
    assert network is not None
    outputs = dict(network.features(x))
    yield from deep.fit(network, outputs[network.depth], y, config)
    yield from stationarity.measured(network, x, y)
    yield from deep.cluster_variations(network, x, y)
    order = y.argsort(stable=True)
    for layer, features in outputs.items():
        features = features.double()
        yield layer, "within_block_share", within_block_share(features, y)
        yield layer, "mean_abs_class_cosine", mean_abs_class_cosine(features, y)
        of_class = features[:, order]
        gram = (of_class @ of_class.mT).cpu()
        for i in range(len(y)):
            for j in range(i, len(y)):
                yield layer, f"gram_{i:03d}_{j:03d}", gram[:, i, j]


def within_block_share(features: Tensor, y: Tensor) -> Tensor:
    """1 - ||B||_F^2 / ||G||_F^2 [T], with B the Gram matrix G after its entries are averaged over each class block.

    Averaging over blocks is an orthogonal projection, so this is the share of G's squared norm that is not constant on
    blocks. It is summed as the squared deviation from B, which loses no digits where there is little.
    """
    means = metrics.class_means(features, y)[..., y, :]
    gram = features @ features.mT
    deviation = gram - means @ means.mT
    return deviation.square().sum((-2, -1)) / gram.square().sum((-2, -1))


def mean_abs_class_cosine(features: Tensor, y: Tensor) -> Tensor:
    """Mean |cosine| between the uncentred class means, over the pairs of two classes [T]."""
    means = metrics.class_means(features, y)
    directions = means / torch.linalg.vector_norm(means, dim=-1, keepdim=True)
    cosines = directions @ directions.mT
    classes = cosines.shape[-1]
    off = ~torch.eye(classes, dtype=torch.bool, device=cosines.device)
    mean: Tensor = cosines[..., off].abs().mean(-1)
    return mean
