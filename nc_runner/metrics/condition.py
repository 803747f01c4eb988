"""How far class means are from orthogonal and equally long, by one number."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, largest_norm, samples_in_float64
from ._singular import singular_values
from .means import mean_by_class


def class_mean_condition_number(features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """s_1 / s_K of the K x D matrix of class means, or s_1 / s_{K-1} of the centred one (NC2; Jacot et al., 2025).

    The paper divides by the least non-zero singular value. Here a singular value that rounding alone keeps from zero
    among the K (K-1 where centred, as those rows sum to zero) makes the result NaN: to pass over it would call
    dependent class means well conditioned, three at 120 degrees in a plane perfectly so [choice].

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean of the class means. Jacot et al. do not, and 1 means orthogonal means of equal
            length: false. For true 1 means a simplex ETF, as for Papyan, Han & Donoho (2020).

    Returns:
        `[...]` float64, at least 1. NaN for class means of deficient rank up to rounding (so for D < K, or D < K-1
        where centred), a single class, a class with no sample, or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features = samples_in_float64(features, labels)
    means = mean_by_class(features, labels, int(labels.max()) + 1)
    if centred:
        means = means - means.mean(dim=-2, keepdim=True)
    noise = ROUNDING * largest_norm(features)
    count, width = means.shape[-2:]
    rank = count - 1 if centred else count
    if count == 1 or rank > width:
        return torch.full_like(noise, torch.nan)
    singular = singular_values("features", means)
    least = singular[..., rank - 1]
    return torch.where(least > noise, singular[..., 0] / least, torch.nan)
