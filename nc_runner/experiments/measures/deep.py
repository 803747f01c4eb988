"""What is measured of regularised networks without BatchNorm, for the experiments of Zangrando et al. (2026).

The objective is L_0 + sum_l (lambda_l / 2) ||W_l||_F^2, with L_0 the mean loss and lambda_l the layer's weight decay.
TCV is the total cluster variation with reduction "mean"; K the number of classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nc_runner import metrics
from nc_runner.config.choices import DataName, LossName, Means, ModelName, Norm
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry, stationarity
from nc_runner.models import MLP, ConvolutionalNetwork


def fit(network: MLP | ConvolutionalNetwork, logits: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Mean loss, accuracy, and the objective with its penalty [T]."""
    targets = one_hot(y, logits.shape[-1]).double()
    if config.train.loss is LossName.mse:
        loss = (logits.double() - targets).square().sum(-1).mean(-1) / 2
        accuracy = (logits.argmax(-1) == y).double().mean(-1).where(loss.isfinite(), torch.nan)
    else:
        of = dict(geometry.fit(logits, y))
        loss, accuracy = of["loss"], of["accuracy"]
    penalty = sum(
        network.weight_decay[name] * parameter.double().square().flatten(1).sum(-1) / 2
        for name, parameter in network.params.items()
    )
    yield None, "loss", loss
    yield None, "accuracy", accuracy
    yield None, "objective", loss + penalty


def layers(network: MLP, x: Tensor, y: Tensor, config: Config, *, bound: bool = True) -> Iterator[Measurement]:
    """Of each weight: its norm and distance from rank K; with ``bound`` also the bound and the TCV of its inputs.

    Of the whole network, how far from a stationary point it is (:mod:`nc_runner.experiments.measures.stationarity`).
    """
    classes = config.data.classes
    for layer, inputs, signals in network.backpropagated(x, one_hot(y, classes).to(x.dtype)):
        weight = network.params[f"{layer}.weight"].double()
        decay = network.weight_decay[f"{layer}.weight"].double()
        inputs, signals = inputs.double(), signals.double()
        norm = torch.linalg.matrix_norm(weight)
        relative = metrics.relative_rank_distance(weight, classes)
        yield layer, "weight_norm", norm
        yield layer, "relative_rank_distance", relative
        if not bound:
            continue
        yield layer, "rank_distance", relative.sqrt() * norm
        variation = metrics.total_cluster_variation(inputs, y, reduction="mean")
        yield layer, "input_cluster_variation", variation
        yield layer, "relative_input_cluster_variation", variation / inputs.square().sum(-1).mean(-1)
        decayed_at_all = decay > 0
        bounds = metrics.rank_tcv_bound(signals, inputs, y, weight, decay.where(decayed_at_all, 1.0))
        yield layer, "rank_distance_bound", bounds.where(decayed_at_all, torch.inf)
    yield from stationarity.measured(network, x, y)


def cluster_variations(network: MLP, x: Tensor, y: Tensor) -> Iterator[Measurement]:
    """TCV of the output of each layer, mean over samples, and the same over the mean squared norm of the output [T]."""
    for layer, features in network.features(x):
        features = features.double()
        variation = metrics.total_cluster_variation(features, y, reduction="mean")
        yield layer, "cluster_variation", variation
        yield layer, "relative_cluster_variation", variation / features.square().sum(-1).mean(-1)


def singular_values(network: MLP) -> Iterator[Measurement]:
    """Every singular value of each weight, from the largest, which is number 1 [T]."""
    for name, weight in network.params.items():
        if name.endswith(".weight"):
            for j, value in enumerate(spectrum(weight).unbind(-1), 1):
                yield int(name.split(".")[0]), f"singular_value_{j}", value


def spectrum(weight: Tensor) -> Tensor:
    """The singular values of a weight, the largest first [T, min(M, D)]; NaN for a trial that diverged."""
    weight = weight.double()
    diverged = ~weight.isfinite().all(-1).all(-1)  # an svd of such a weight would raise, for the whole stack
    values: Tensor = torch.linalg.svdvals(weight.masked_fill(diverged[:, None, None], 0))
    return values.masked_fill(diverged[:, None], torch.nan)


def check(config: Config) -> None:
    """Refuse what cannot be measured: models without hidden layers, and BatchNorm, which mixes the samples."""
    model = config.model
    if model.name not in (ModelName.mlp, ModelName.residual_mlp):
        raise UserError(f"model.name={model.name.name}: has no hidden layers; allowed are mlp and residual_mlp.")
    if model.norm is not Norm.none:
        raise UserError(f"model.norm={model.norm.name}: gradients are measured sample by sample, which have none of "
                        "their own through BatchNorm, in networks without a norm; allowed is none.")  # fmt: skip


def check_prediction(config: Config) -> None:
    """Refuse what the predicted singular values do not hold for: networks with biases, another loss."""
    check(config)
    if config.model.bias:
        raise UserError("model.bias=true: the prediction is of networks without biases; allowed is false.")
    if config.train.loss is not LossName.mse:
        raise UserError(f"train.loss={config.train.loss.name}: the prediction is of the squared loss; allowed is mse.")


def check_orthonormal_inputs(config: Config) -> None:
    """Refuse what the closed forms do not hold for: inputs other than orthonormal class means."""
    check_prediction(config)
    data = config.data
    if data.name is not DataName.gaussian_mixture or data.sigma or data.means is not Means.orthonormal:
        raise UserError(
            f"data.name={data.name.name}, data.sigma={data.sigma:g}, data.means={data.means.name}: the prediction is "
            "for orthonormal class means as inputs; allowed are gaussian_mixture, 0 and orthonormal."
        )
