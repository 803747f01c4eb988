"""Pan 2023, Figure 3.3: weight decay makes a deep network collapse in earlier layers."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner import metrics
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.pan2023.conjectures import NC3
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """NCC accuracy and cosines of every hidden layer after its BatchNorm, NC3 of the last, NCC of the logits, fit."""
    assert network is not None
    for layer, output in network.features(x):
        if layer < network.depth:
            for name, value in geometry.layer(output, y):
                yield layer, name, value
            if layer == network.depth - 1:
                weight = network.params[f"{network.depth}.weight"]
                yield layer, NC3, metrics.self_duality_cosine(output, y, weight, centred=False).amin(-1)
        else:
            yield layer, "ncc_accuracy", metrics.ncc_accuracy(output, y)
            for name, value in geometry.fit(output, y):
                yield None, name, value
