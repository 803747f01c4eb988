"""Measurements that experiments on last-layer features share, each convention in the metric's name.

``uncentred``: cosines of features as they are, self pairs included (Pan 2023, section 3 and Lemma 2.4.4).
``centred``: global mean subtracted first, self pairs left out (the authors' code).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nc_runner import metrics

Named = Iterator[tuple[str, Tensor]]


def cosines(features: Tensor, labels: Tensor) -> Named:
    """Least and mean intra-class, largest and mean inter-class cosine, in both conventions, [T] each."""
    for convention, centred in (("uncentred", False), ("centred", True)):
        intra = metrics.intra_class_cosine(features, labels, centred=centred, self_pairs=not centred)
        inter = metrics.inter_class_cosine(features, labels, centred=centred)
        pairs = off_diagonal(inter)
        yield f"min_intra_cosine_{convention}", intra.amin(-1)
        yield f"mean_intra_cosine_{convention}", intra.mean(-1)
        yield f"max_inter_cosine_{convention}", pairs.amax(-1)
        yield f"mean_inter_cosine_{convention}", pairs.mean(-1)


def layer(features: Tensor, labels: Tensor) -> Named:
    """NCC accuracy, least intra- and largest inter-class cosine of uncentred features [T, N, D], [T] each."""
    yield "ncc_accuracy", metrics.ncc_accuracy(features, labels)
    intra = metrics.intra_class_cosine(features, labels, centred=False, self_pairs=True)
    yield "min_intra_cosine_uncentred", intra.amin(-1)
    inter = metrics.inter_class_cosine(features, labels, centred=False)
    yield "max_inter_cosine_uncentred", off_diagonal(inter).amax(-1)


def off_diagonal(matrices: Tensor) -> Tensor:
    """The entries [..., K*(K-1)] of [..., K, K] off the diagonal."""
    mask = ~torch.eye(matrices.shape[-1], dtype=torch.bool, device=matrices.device)
    return matrices[..., mask]


def collapse(features: Tensor, labels: Tensor, weight: Tensor) -> Named:
    """The usual measures NC1 to NC4 of last-layer features [T, N, D] and output weights [T, K, D], [T] each."""
    centred_means = metrics.class_means(features, labels)
    centred_means = centred_means - centred_means.mean(-2, keepdim=True)
    yield "within_between_trace_ratio", metrics.within_between_trace_ratio(features, labels)
    yield "within_between_pinv_trace", metrics.within_between_pinv_trace(features, labels)
    yield "etf_cosine_deviation_class_means", metrics.etf_cosine_deviation(centred_means, centred=False)
    yield "etf_cosine_deviation_weights", metrics.etf_cosine_deviation(weight, centred=False)
    yield "min_self_duality_cosine", metrics.self_duality_cosine(features, labels, weight, centred=False).amin(-1)
    yield "ncc_accuracy", metrics.ncc_accuracy(features, labels)


def fit(logits: Tensor, labels: Tensor) -> Named:
    """Cross-entropy by sample, the same with every class weighted alike, and accuracy, of logits [T, N, K].

    Each is NaN for a trial with a logit that is not finite.
    """
    trials, samples, classes = logits.shape
    each = cross_entropy(logits.double().reshape(-1, classes), labels.repeat(trials), reduction="none").view(
        trials, samples
    )
    counts = labels.bincount(minlength=classes)
    yield "loss", each.mean(-1)
    yield "loss_class_balanced", (each / counts[labels]).sum(-1) / classes
    accuracy = (logits.argmax(-1) == labels).double().mean(-1)
    yield "accuracy", accuracy.where(logits.isfinite().all(-1).all(-1), torch.nan)


def second_moment(features: Tensor, labels: Tensor) -> Named:
    """Mean squared norm of the features [T, N, D], by sample and with every class weighted alike."""
    squared = features.double().square().sum(-1)
    counts = labels.bincount()
    yield "feature_second_moment", squared.mean(-1)
    yield "feature_second_moment_class_balanced", (squared / counts[labels]).sum(-1) / len(counts)
