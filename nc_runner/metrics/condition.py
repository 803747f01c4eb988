"""Condition number of the class means: how far they are from orthogonal and of equal length."""

import torch
from torch import Tensor

from ._inputs import check_samples
from ._moments import Moments, sums
from ._singular import singular_values


def class_mean_condition_number(features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """s_1 / s_K of the K x D matrix of class means, or s_1 / s_{K-1} of the centred one (NC2; Jacot et al., 2025).

    The paper divides by the least non-zero singular value. Here the result is NaN if one of the first K (K-1 where
    centred, as centred rows sum to zero) is zero up to rounding [choice]. To pass over it would call linearly dependent
    class means well conditioned: three at 120 degrees in a plane would score 1.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean of the class means first. False is the convention of Jacot et al.: 1 is attained by
            orthogonal class means of equal length. If true, 1 is attained by a simplex ETF, the collapse of Papyan,
            Han & Donoho (2020).

    Returns:
        `[...]` float64, at least 1. NaN for class means of deficient rank up to rounding (so for D < K, or D < K-1
        where centred), a single class, or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    return condition_number_of(sums(*check_samples(features, labels)), centred=centred)


def condition_number_of(of: Moments, *, centred: bool) -> Tensor:
    """The same of moments."""
    count, width = of.pivot.shape[-2:]
    rank = count - 1 if centred else count
    if count == 1 or rank > width:
        return of.shaped(torch.full_like(of.largest, torch.nan))
    singular = singular_values("features", of.centred_means() if centred else of.means())
    least = singular[..., rank - 1]
    return of.shaped(torch.where(least > of.noise, singular[..., 0] / least, torch.nan))
