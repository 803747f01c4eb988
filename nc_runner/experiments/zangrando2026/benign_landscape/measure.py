"""Loss, objective, cluster variation and distance from rank K on the way to collapse."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Of every layer its cluster variation and distance from rank K; of the network, fit and stationarity."""
    assert network is not None
    yield from deep.fit(network, dict(network.features(x))[network.depth], y, config)
    yield from deep.layers(network, x, y, config, bound=False)
    yield from deep.cluster_variations(network, x, y)
