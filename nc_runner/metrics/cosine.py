"""Cosine similarity of features within a class and between classes, from the class means of unit features."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, all_equal, can_vary_within, largest_norm, samples_in_float64
from .means import mean_by_class


def intra_class_cosine(features: Tensor, labels: Tensor, *, centred: bool, self_pairs: bool) -> Tensor:
    """Mean cosine over the pairs of features of one class.

    With u = h/||h|| and m_c the class mean of u, over all n^2 ordered pairs it is ||m_c||^2 (Pan, thesis, 2023,
    Lemma 2.4.4) [paper]; without the n pairs of a sample with itself, (n/(n-1)) ||m_c||^2 - 1/(n-1) (the authors'
    code). The thesis has `centred=False, self_pairs=True`, the authors' code `centred=True, self_pairs=False`.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean over all samples first.
        self_pairs: count the pair of a sample with itself, whose cosine is 1.

    Returns:
        `[..., K]` float64. NaN for a class with a feature of zero norm (its cosine is undefined, and
        leaving it out would score dead features as collapsed), or of one sample when `self_pairs` is false; NaN for
        all classes where none has two samples, and for a whole batch entry whose features are all equal or not finite.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    mean_direction = _mean_directions(features, labels, centred=centred)
    cosine = mean_direction.square().sum(dim=-1)
    if self_pairs:
        return cosine if can_vary_within(labels) else torch.full_like(cosine, torch.nan)
    count = labels.bincount().to(torch.float64)
    pairs = torch.where(count > 1, count - 1, torch.nan)
    return (count * cosine - 1) / pairs


def inter_class_cosine(features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """Mean cosine over the pairs of features of two different classes, m_c . m_c' (Pan, thesis, 2023, Lemma 2.4.4).

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean over all samples first (thesis: false; the authors' code: true).

    Returns:
        `[..., K, K]` float64, symmetric, NaN on the diagonal; NaN in the row and column of a class with
        a feature of zero norm, and for a whole batch entry whose features are all equal or not all finite.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    mean_direction = _mean_directions(features, labels, centred=centred)
    cosine = mean_direction @ mean_direction.mT
    diagonal = torch.eye(cosine.shape[-1], dtype=torch.bool, device=cosine.device)
    return cosine.masked_fill(diagonal, torch.nan)


def _mean_directions(features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """Class means of the unit features, `[..., K, D]`, NaN for the classes and entries the callers document."""
    features = samples_in_float64(features, labels)
    num_classes = int(labels.max()) + 1
    zero = torch.zeros(features.shape[:-2], dtype=torch.float64, device=features.device)
    if centred:
        # Of a feature equal to the mean, centring leaves only rounding, whose direction means nothing.
        zero = ROUNDING * largest_norm(features)
        centre = features.mean(dim=-2, keepdim=True)
        shifted = features - centre
    else:
        shifted = features
    norm = torch.linalg.vector_norm(shifted, dim=-1, keepdim=True)
    directed = norm > zero[..., None, None]
    # A zero in place of an undefined direction keeps NaN out of the one-hot product, where it would reach every class.
    directions = shifted * torch.where(directed, norm.reciprocal(), 0)
    means = mean_by_class(directions, labels, num_classes)
    undirected = mean_by_class((~directed).to(torch.float64), labels, num_classes) > 0
    return means.masked_fill(undirected | all_equal(features)[..., None, None], torch.nan)
