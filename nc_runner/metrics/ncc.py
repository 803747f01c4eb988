"""Nearest-class-centre classification."""

import torch
from torch import Tensor

from ._blocks import by_tiles, flat
from ._inputs import ROUNDING, check_samples, check_weight, is_tensor, largest_norm
from ._moments import Moments, sums
from ._nearest import NearestMean, lead


def ncc_accuracy(features: Tensor, labels: Tensor) -> Tensor:
    """Fraction of samples strictly nearer to the mean of their own class than to any other class mean.

    Euclidean distance, means from the same samples (Pan, thesis, 2023, Def. 3.2.2). This is not NC4, which compares the
    nearest mean with what the classifier decides: that is :func:`ncc_agreement`. A tie (up to rounding) between a
    sample's own class and another counts as an error, so that classes whose means coincide are never scored as told
    apart.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, where float32 leaves a doubt.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64 in [0, 1]; NaN where no class has two samples, for a single class, class
        means that all coincide (dead features), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    return ncc_accuracy_of(sums(features, labels), features, labels)


def ncc_accuracy_by_means(features: Tensor, labels: Tensor, means: Tensor) -> Tensor:
    """Fraction of samples strictly nearer to the given mean of their own class than to any other.

    NCC on other data than the means are of, such as held-out samples (Galanti, Gyorgy & Hutter, 2022; Pan, thesis,
    2023). A tie (up to rounding) counts as an error.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values in 0..K-1; some class may have no sample here.
        means: `[..., K, D]`, of `class_means` on other data; their batch axes broadcast with those of features.

    Returns:
        `[...]` float64 in [0, 1]; NaN for a single mean, means that all coincide (up to rounding), or where features or
        means are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a mean.
    """
    features, labels = check_samples(features, labels, every_class=False)
    means = check_weight(means, features, labels, every_class=False, name="means")
    centre = means.mean(dim=-2, keepdim=True)
    centred = means - centre
    reach, scale = largest_norm(centred), largest_norm(means)
    offset = centred.square().sum(dim=-1).unsqueeze(-2) / -2
    total = 0
    for some in by_tiles(len(labels), features.numel() // len(labels) + means.numel() // means.shape[-1]):
        rows = features[..., some, :].to(torch.float64) - centre
        length = torch.linalg.vector_norm(rows, dim=-1)
        affinity = rows @ centred.mT + offset
        tie = ROUNDING * reach[..., None] * (length + reach[..., None])
        leads = lead(affinity, labels[some].expand(affinity.shape[:-1]))
        right = (leads > tie).sum(dim=-1).to(torch.float64)
        total = total + right.where(length.isfinite().all(dim=-1), torch.nan)
    return torch.where((reach > ROUNDING * scale) & (means.shape[-2] > 1), total / len(labels), torch.nan)


def ncc_accuracy_of(of: Moments, features: Tensor, labels: Tensor) -> Tensor:
    """The same of samples and their moments."""
    return of.shaped(NearestMean(of).share(flat(features), labels))


def ncc_agreement(features: Tensor, labels: Tensor, weight: Tensor, *, bias: Tensor | None) -> Tensor:
    """Fraction of samples on which the classifier decides as the nearest class mean does (NC4).

    The classifier's decision is argmax_k (w_k . h + b_k), of which the bias is a part. Papyan, Han & Donoho (2020) show
    the share of the other samples, 1 minus this. A tie of distances (up to rounding) counts as disagreement.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, where float32 leaves a doubt.
        labels: `[N]`, any integer dtype, values 0..K-1, each there; the class means are of them.
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        bias: `[..., K]`, or None for a classifier that has none.

    Returns:
        `[...]` float64 in [0, 1]; NaN where :func:`ncc_accuracy` is, or where weight or bias are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    return ncc_agreement_of(sums(features, labels), features, labels, check_weight(weight, features, labels), bias)


def ncc_agreement_of(of: Moments, features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same of samples, their moments and a float64 weight."""
    if bias is None:
        offset = weight.new_zeros(weight.shape[:-1])
    else:
        is_tensor("bias", bias)
        if bias.shape[-1:] != weight.shape[-2:-1]:
            raise ValueError(f"bias has shape {tuple(bias.shape)}; its last axis must have {weight.shape[-2]} entries.")
        offset = bias.detach().to(torch.float64)
    batch = torch.broadcast_shapes(features.shape[:-2], weight.shape[:-2], offset.shape[:-1])
    if batch != features.shape[:-2]:
        features = features.expand(*batch, *features.shape[-2:])
        of = sums(features, labels)
    weight = weight.expand(*batch, *weight.shape[-2:]).reshape(-1, *weight.shape[-2:])
    offset = offset.expand(*batch, offset.shape[-1]).reshape(-1, offset.shape[-1])
    finite = weight.isfinite().all(dim=-1).all(dim=-1) & offset.isfinite().all(dim=-1)
    share = NearestMean(of, weight, offset).share(flat(features), None)
    return of.shaped(share.where(finite, torch.nan))
