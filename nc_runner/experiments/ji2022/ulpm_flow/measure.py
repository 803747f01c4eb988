"""What is measured of a layer-peeled model along gradient flow or descent."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.ji2022 import measures
from nc_runner.experiments.measures import geometry
from nc_runner.models import ULPM


def measure(network: ULPM | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The four panels, the margin and the KKT conditions, the loss and the integrator's own error."""
    assert network is not None
    outputs = dict(network.features(x))
    features, logits, weight = outputs[1], outputs[2], network.output_layer()[0]
    for named in (
        measures.on_its_way(network, logits, y, config),
        geometry.fit(logits, y),
        measures.panels(features, y, weight),
        measures.margins(features, y, weight),
    ):
        for name, value in named:
            yield None, name, value
