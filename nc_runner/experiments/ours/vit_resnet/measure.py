"""What is measured of any network: NC1 to NC4 of the features under its output layer, norms, fit, size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.check_model import NETWORKS
from nc_runner.config.choices import CONVOLUTIONAL, Method, ModelName
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry


def measure(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Of the training set in eval mode, [T] each: :func:`nc_runner.metrics.nc`, loss, accuracy, root mean square norm
    of the features, Frobenius norm of the output weight, and how many parameters are trained."""
    outputs, (weight, bias) = dict(network.features(x)), network.output_layer()
    features, logits = outputs[network.depth - 1], outputs[network.depth]
    of_last = metrics.nc(features, y, weight, bias)
    for name, value in (*geometry.fit(logits, y), *of_last.items()):
        yield None, name, value
    yield None, "feature_norm", features.double().square().sum(-1).mean(-1).sqrt()
    yield None, "weight_norm", torch.linalg.matrix_norm(weight.double())
    count = sum(tensor[0].numel() for tensor in network.params.values())
    yield None, "parameters", torch.full((network.trials,), float(count))


def check(config: Config) -> None:
    """Refuse what has no features under an output layer, or is not trained by steps of an optimiser."""
    model = config.model
    if model.name not in NETWORKS:
        allowed = ", ".join(sorted(name.name for name in NETWORKS))
        raise UserError(f"model.name={model.name.name}: has no features of its own; allowed are {allowed}.")
    if model.depth < 2 and model.name not in CONVOLUTIONAL | {ModelName.own}:
        raise UserError(f"model.depth={model.depth}: has no features under its output layer; allowed is at least 2.")
    if config.train.method is not Method.sgd:
        raise UserError(f"train.method={config.train.method.name}: trains no network; allowed is sgd.")
