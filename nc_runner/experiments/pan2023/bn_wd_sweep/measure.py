"""Pan 2023, Figure 3.1: BatchNorm and weight decay decide how far the last layer collapses."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Cosines, collapse, norms and fit at the last layer's features, the input of the output layer, in eval mode.

    The exceptions are ``feature_second_moment_batch``, of the features under the statistics of the whole training set
    as one batch, which is what Proposition 2.2.1 speaks of, and ``gamma_squared_norm_with_eps``, the sum of
    gamma^2 v / (v + eps) over the channels, v the variance BatchNorm divides by, which that proposition takes for
    ||gamma||^2.
    """
    assert network is not None
    last = network.depth - 1
    outputs = dict(network.features(x))
    weight = network.params[f"{network.depth}.weight"]
    for name, value in (
        *geometry.cosines(outputs[last], y),
        *geometry.collapse(outputs[last], y, weight),
        *geometry.second_moment(outputs[last], y),
    ):
        yield last, name, value
    if network.has_batch_norm:
        batch = dict(network.features(x, batch_statistics=True))
        yield last, "feature_second_moment_batch", batch[last].double().square().sum(-1).mean(-1)
        if (gamma := network.params.get(f"{last}.gamma")) is not None:
            below = batch[last - 1] if last > 1 else x.expand(network.trials, -1, -1)
            variance = network.activation(last, below).double().var(1, correction=0)
            shrunk = gamma.double().square() * variance / (variance + config.model.batch_norm_eps)
            yield last, "gamma_squared_norm_with_eps", shrunk.sum(-1)
    for name in ("gamma", "beta"):
        if (vector := network.params.get(f"{last}.{name}")) is not None:
            yield last, f"{name}_squared_norm", vector.double().square().sum(-1)
    yield network.depth, "weight_squared_norm", weight.double().square().sum((-2, -1))
    if (bias := network.output_layer()[1]) is not None:
        yield network.depth, "bias_squared_norm", bias.double().square().sum(-1)
    for name, value in geometry.fit(outputs[network.depth], y):
        yield None, name, value
