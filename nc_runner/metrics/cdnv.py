"""Variance of two classes against the distance of their means."""

import torch
from torch import Tensor

from ._inputs import check_samples
from ._moments import Moments, moments
from ._pairs import apart_by_tiles


def class_distance_normalized_variance(features: Tensor, labels: Tensor) -> Tensor:
    """Mean over pairs i < j of (Var_i + Var_j) / (2 ||m_i - m_j||^2) (CDNV; Galanti, Gyorgy & Hutter, 2022).

    Var_c is the mean squared distance of the samples of class c from their mean m_c. Pairs of classes count alike,
    whatever their sizes. Some raise the squared distance to a power of their own; here it is 1, as in the paper.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for a single class, two class
        means that coincide (up to rounding), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    return class_distance_normalized_variance_of(moments(*check_samples(features, labels)))


def class_distance_normalized_variance_of(of: Moments) -> Tensor:
    """The same of moments."""
    classes = len(of.count)
    variances, means = of.within() / of.count, of.means_from_first()
    found = torch.full_like(of.largest, torch.nan)
    if classes > 1 and of.varies:
        for e, (variance, mean, noise) in enumerate(zip(variances, means, of.noise, strict=True)):
            total = torch.zeros_like(noise)
            for rows, columns, squared in apart_by_tiles(mean):
                squared = squared.where(squared > noise.square(), torch.nan)
                total += ((variance[rows, None] + variance[columns]) / squared).sum() / 2
            found[e] = total / (classes * (classes - 1) / 2)
    return of.shaped(found)
