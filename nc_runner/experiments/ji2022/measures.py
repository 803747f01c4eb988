"""What is measured of an unconstrained layer-peeled model along its way, for the experiments of Ji et al. (2022).

Class means are less their mean throughout. Rows w_k of the classifier are as they are, or less their mean row where a
metric's name has ``centred_weights``. Self-duality compares centred with centred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.choices import Reduction
from nc_runner.config.schema import Config
from nc_runner.models.ulpm import ULPM

Named = Iterator[tuple[str, Tensor]]


def panels(features: Tensor, labels: Tensor, weight: Tensor) -> Named:
    """The four panels of Figure 2 in every reading, of features [T, N, D] and weights [T, K, D], [T] each."""
    means = centred(metrics.class_means(features, labels))
    yield "norm_variation_class_means", metrics.norm_variation(means, centred=False)
    yield "norm_variation_weights", metrics.norm_variation(weight, centred=False)
    yield "norm_variation_centred_weights", metrics.norm_variation(centred(weight), centred=False)
    yield "norm_variation_weights_predicted", predicted_norm_variation(weight)
    yield "within_class_variation", metrics.within_class_variation(features, labels)
    yield "within_between_trace_ratio", metrics.within_between_trace_ratio(features, labels)
    yield "within_between_pinv_trace", metrics.within_between_pinv_trace(features, labels)
    yield "etf_cosine_deviation_class_means", metrics.etf_cosine_deviation(means, centred=False)
    yield "etf_cosine_deviation_weights", metrics.etf_cosine_deviation(weight, centred=False)
    yield "etf_cosine_deviation_centred_weights", metrics.etf_cosine_deviation(centred(weight), centred=False)
    yield "self_duality_distance", metrics.self_duality_distance(features, labels, weight).mean(-1)


def centred(vectors: Tensor) -> Tensor:
    """Less their mean over the classes."""
    return vectors - vectors.mean(-2, keepdim=True)


def predicted_norm_variation(weight: Tensor) -> Tensor:
    """What the mean row alone does to the variation of the rows' norms, to first order [T]. [derived]

    The columns of Y - P sum to 0, so gradient flow leaves the mean row w where it started, while the centred rows grow
    like sqrt(log t). Then ||w_k|| = ||w_k - w|| + w . u_k + O(1/sqrt(log t)), with u_k the direction of w_k - w: the
    norms differ by a constant and grow like sqrt(log t), so their relative variation falls like (log t)^(-1/2).
    """
    rows = centred(weight)
    norms = torch.linalg.vector_norm(rows, dim=-1)
    along_mean = (rows @ weight.mean(-2)[..., None])[..., 0] / norms
    variation: Tensor = along_mean.std(-1, correction=0) / norms.mean(-1)
    return variation


def margins(features: Tensor, labels: Tensor, weight: Tensor) -> Named:
    """Theorems 3.1 and 3.2: the margin over its bound, and the distance from the KKT conditions, [T] each."""
    yield "margin_ratio", metrics.margin_ratio(features, labels, weight)
    yield "kkt_residual", metrics.kkt_residual(features, labels, weight)


def log_summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """log of the summed cross-entropy of logits [T, N, K], where the loss itself would underflow [T]."""
    label = labels[:, None].expand(*logits.shape[:-1], 1)
    others = (logits - logits.gather(-1, label)).scatter(-1, label, -math.inf).logsumexp(-1)
    # log log(1 + e^x) is x for very negative x, to the last bit from -40 on.
    each = torch.where(others > -40, torch.nn.functional.softplus(others.clamp(min=-40)).log(), others)
    return each.logsumexp(-1)


def on_its_way(network: ULPM, logits: Tensor, labels: Tensor, config: Config) -> Named:
    """The time, the loss beside its asymptotic value, and how far what the flow conserves has drifted, [T] each.

    The flow conserves W^T W - H^T H (features as rows), so its drift, relative to the squared norms at the start,
    is the integrator's own error. The loss tends to (K-1) sqrt(n) / (2 t log(2 s K sqrt(n) t)), with s the weight of
    a sample [derived; see theory.ulpm_symmetric_gap].
    """
    classes, per_class = config.data.classes, config.data.samples // config.data.classes
    log_scale = 0.0 if config.flow.reduction is Reduction.sum else -math.log(config.data.samples)
    log1p_time = network.log1p_time
    yield "log1p_time", log1p_time
    size = sum(tensor.square().sum((-2, -1)) for tensor in network.start.values())
    yield "conserved_drift", torch.linalg.matrix_norm(conserved(network.params) - conserved(network.start)) / size
    log_t = log1p_time + torch.log(-torch.expm1(-log1p_time))
    log_tau = log_t + math.log(2 * classes * math.sqrt(per_class)) + log_scale
    log_asymptote = math.log((classes - 1) * math.sqrt(per_class) / 2) - log_t - log_tau.clamp(min=1e-300).log()
    ratio = (log_summed_loss(logits, labels) + log_scale - log_asymptote).exp()
    yield "loss_over_asymptote", ratio.where(log_tau > 0, torch.nan)


def conserved(params: Mapping[str, Tensor]) -> Tensor:
    """W^T W - H^T H [T, D, D]."""
    features, weight = params["1.features"], params["2.weight"]
    return weight.mT @ weight - features.mT @ features
