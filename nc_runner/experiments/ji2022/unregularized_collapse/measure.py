"""What is measured of real networks: the layer-peeled model's measures, of the features under the output layer.

Features are the inputs of the output layer, of the whole training set in eval mode: BatchNorm by its running
statistics, the function that the trained network is [choice]. They lag behind the weights by about 10 steps, one over
``model.batch_norm_momentum``: at the end of a run at scale=cpu the measures by statistics of the training set differ
by 1 %, but the variation of the class-mean norms by up to 20 % (VGG13 on MNIST), whose curve is the least smooth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.check_model import NETWORKS
from nc_runner.config.choices import LossName, Method
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.ji2022 import measures
from nc_runner.experiments.measures import geometry


def measure(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The four panels of the features [T, N, D] under the output layer, fit, NC4, the norm of the mean classifier."""
    features, logits = last_features(network, x)
    weight = network.output_layer()[0].double()
    for named in (geometry.fit(logits, y), measures.panels(features, y, weight)):
        for name, value in named:
            yield None, name, value
    yield None, "ncc_error", 1 - metrics.ncc_accuracy(features, y)
    yield None, "mean_classifier_norm", torch.linalg.vector_norm(weight.mean(-2), dim=-1)


def last_features(network: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs [T, N, D] of the output layer and its outputs [T, N, K]; of a network of one layer, x itself."""
    before = x.flatten(1).expand(network.trials, -1, -1)
    for layer, output in network.features(x):
        if layer == network.depth:
            break
        before = output
    return before, output


def check(config: Config) -> None:
    """Refuse what has no features under an output layer."""
    if config.model.name not in NETWORKS:
        allowed = ", ".join(sorted(name.name for name in NETWORKS))
        raise UserError(f"model.name={config.model.name.name}: has no features of its own; allowed are {allowed}.")
    if config.train.loss is not LossName.cross_entropy:
        raise UserError(f"train.loss={config.train.loss.name}: the paper's is the cross-entropy; allowed is that.")
    if config.train.method is not Method.sgd:
        raise UserError(f"train.method={config.train.method.name}: trains no network; allowed is sgd.")
