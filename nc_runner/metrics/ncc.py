"""Nearest-class-centre classification."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, can_vary_within, classified_in_float64, is_tensor, largest_norm, samples_in_float64
from .means import mean_by_class


def ncc_accuracy(features: Tensor, labels: Tensor) -> Tensor:
    """Fraction of samples strictly nearer to the mean of their own class than to any other class mean.

    Euclidean distance, means from the same samples (Papyan, Han & Donoho, 2020, NC4; Pan, thesis, 2023, Def. 3.2.2).
    A tie (up to rounding) between a sample's own class and another counts as an error, so that classes whose means
    coincide are never scored as told apart.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64 in [0, 1]; NaN where no class has two samples, for a single class, class
        means that all coincide (dead features), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features = samples_in_float64(features, labels)
    return _share_nearest(features, labels, labels.expand(features.shape[:-1]))


def ncc_agreement(weight: Tensor, features: Tensor, labels: Tensor, *, bias: Tensor | None) -> Tensor:
    """Fraction of samples on which the classifier decides as the nearest class mean does (NC4).

    The classifier's decision is argmax_k (w_k . h + b_k), of which the bias is a part. Papyan, Han & Donoho (2020) show
    the share of the other samples, 1 minus this. A tie of distances (up to rounding) counts as disagreement, and so
    does a decision for a class without a sample, which has no mean.

    Args:
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1; the class means are of them.
        bias: `[..., K]`, or None for a classifier that has none.

    Returns:
        `[...]` float64 in [0, 1]; NaN where :func:`ncc_accuracy` is, or where weight or bias are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    weight, features = classified_in_float64(weight, features, labels)
    logits = features @ weight.mT
    if bias is not None:
        is_tensor("bias", bias)
        if bias.shape[-1:] != weight.shape[-2:-1]:
            raise ValueError(f"bias has shape {tuple(bias.shape)}; its last axis must have {weight.shape[-2]} entries.")
        logits = logits + bias.detach().to(torch.float64).unsqueeze(-2)
    share = _share_nearest(features.expand(*logits.shape[:-1], -1), labels, logits.argmax(dim=-1))
    return torch.where(logits.isfinite().all(dim=-1).all(dim=-1), share, torch.nan)


def _share_nearest(features: Tensor, labels: Tensor, own: Tensor) -> Tensor:
    """Share of the samples [..., N, D] strictly nearer to the mean of the class ``own`` [..., N] than to any other."""
    num_classes = int(labels.max()) + 1
    scale = largest_norm(features)
    # Distances do not depend on the origin, but their rounding does: measure from the mean of the data.
    features = features - features.mean(dim=-2, keepdim=True)
    means = mean_by_class(features, labels, num_classes)
    reach = largest_norm(means)

    # ||h - m||^2 = ||h||^2 - 2 (h . m - ||m||^2 / 2): the nearest mean has the greatest affinity. No [N, K, D] tensor.
    affinity = features @ means.mT - means.square().sum(dim=-1).unsqueeze(-2) / 2
    index = own.clamp(max=num_classes - 1).unsqueeze(-1)
    lead = affinity.gather(-1, index).squeeze(-1) - affinity.scatter(-1, index, -torch.inf).amax(dim=-1)
    norm = torch.linalg.vector_norm(features, dim=-1)
    tie = ROUNDING * reach.unsqueeze(-1) * (norm + reach.unsqueeze(-1))
    share = ((lead > tie) & (own < num_classes)).to(torch.float64).mean(dim=-1)

    defined = (reach > ROUNDING * scale) & (num_classes > 1) & can_vary_within(labels)
    return torch.where(defined, share, torch.nan)
