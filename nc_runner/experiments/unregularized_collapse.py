"""Ji et al. 2022, Figures 1, 3, 4 and 5: the layer-peeled model's measures in real networks without weight decay.

Features are the inputs of the output layer, of the whole training set in eval mode: BatchNorm by its running
statistics, the function that the trained network is [choice]. They lag behind the weights by about 10 steps, one over
``model.batch_norm_momentum``: at the end of a run at scale=cpu the measures by statistics of the training set differ
by 1 %, but the variation of the class-mean norms by up to 20 % (VGG13 on MNIST), whose curve is the least smooth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.check_model import NETWORKS
from nc_runner.choices import LossName, Method
from nc_runner.config import Config
from nc_runner.errors import UserError
from nc_runner.experiments import geometry, ulpm_measures
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.unregularized_claims import claims
from nc_runner.experiments.unregularized_figures import panels_figure, slopes_figure
from nc_runner.experiments.unregularized_terminal import by_time


def measure(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The four panels of the features [T, N, D] under the output layer, fit, and the norm of the mean classifier."""
    features, logits = last_features(network, x)
    weight = network.output_layer()[0].double()
    for named in (geometry.fit(logits, y), ulpm_measures.panels(features, y, weight)):
        for name, value in named:
            yield None, name, value
    yield None, "mean_classifier_norm", torch.linalg.vector_norm(weight.mean(-2), dim=-1)


def last_features(network: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs [T, N, D] of the output layer and its outputs [T, N, K]; of a network of one layer, x itself."""
    before = x.flatten(1).expand(network.trials, -1, -1)
    for layer, output in network.features(x):
        if layer == network.depth:
            break
        before = output
    return before, output


def draw(results: Results) -> dict[str, Figure]:
    """The paper's panels, a figure a network with a row a data set; and the slopes in the terminal phase."""
    table = by_time(results)
    return {
        **{f"panels_{model}": panels_figure(results, table, model) for model in table["model.name"].unique()},
        "slopes": slopes_figure(results, table),
    }


def check(config: Config) -> None:
    """Refuse what has no features under an output layer."""
    if config.model.name not in NETWORKS:
        allowed = ", ".join(sorted(name.name for name in NETWORKS))
        raise UserError(f"model.name={config.model.name.name}: has no features of its own; allowed are {allowed}.")
    if config.train.loss is not LossName.cross_entropy:
        raise UserError(f"train.loss={config.train.loss.name}: the paper's is the cross-entropy; allowed is that.")
    if config.train.method is not Method.sgd:
        raise UserError(f"train.method={config.train.method.name}: trains no network; allowed is sgd.")


EXPERIMENT = Experiment(
    paper="ji2022",
    figure="1, 3, 4, 5",
    summary="four measures of collapse in ResNet18 and VGG13 on images, without weight decay",
    cost="4 days (estimate)",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("within_between_trace_ratio", "self_duality_distance"),
    check=check,
)
