"""Every singular value of every weight, for Figure 2 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every singular value, the objective, the features' norm, and how near a stationary point the network is.

    ``largest_feature_norm`` is c, the largest norm that a sample has after the first layer.
    """
    assert network is not None
    features = dict(network.features(x))
    yield from deep.fit(network, features[network.depth], y, config)
    yield None, "largest_feature_norm", torch.linalg.vector_norm(features[1].double(), dim=-1).amax(-1)
    yield from deep.layers(network, x, y, config, bound=False)
    yield from deep.singular_values(network)
