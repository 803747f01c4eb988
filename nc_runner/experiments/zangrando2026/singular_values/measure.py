"""Every singular value of every weight, for Figure 2 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every singular value, the objective, and how near a critical point the network is."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep.fit(network, logits, y, config)
    yield from deep.layers(network, x, y, config, bound=False)
    yield from deep.singular_values(network)
