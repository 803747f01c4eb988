"""Distance from rank K, its bound and cluster variation of every layer, for Figure 1 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Distance from rank K and its bound in every layer, and how near a critical point the network is."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep.fit(network, logits, y, config)
    yield from deep.layers(network, x, y, config)
    yield from deep.cluster_variations(network, x, y)
