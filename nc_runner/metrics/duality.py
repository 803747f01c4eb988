"""Self-duality: classifier rows against class means."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, all_equal, largest_norm, samples_in_float64, vectors_in_float64
from .means import mean_by_class


def self_duality_cosine(weight: Tensor, features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """Cosine of each classifier row with the mean feature of its class (NC3; Papyan, Han & Donoho, 2020).

    Args:
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1.
        centred: subtract the mean over all samples from the class means, and the mean row from weight. The thesis
            (Pan, 2023) compares w_c with the class mean as they are: false. Papyan et al. centre the means.

    Returns:
        `[..., K]` float64. NaN for a class with no sample, a row or a mean of zero norm (up to rounding), and for a
        whole batch entry whose features are all equal or not all finite, or whose weight is not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    features = samples_in_float64(features, labels)
    weight = vectors_in_float64("weight", weight)
    num_classes = weight.shape[-2]
    if weight.shape[-1] != features.shape[-1]:
        raise ValueError(
            f"weight has rows of length {weight.shape[-1]}; their length must be that of a feature, "
            f"{features.shape[-1]}."
        )
    if int(labels.max()) >= num_classes:
        raise ValueError(f"labels contains {int(labels.max())}; weight has {num_classes} rows, so it must be less.")

    means = mean_by_class(features, labels, num_classes)
    zero_mean, zero_row = ROUNDING * largest_norm(features), ROUNDING * largest_norm(weight)
    if centred:
        means = means - features.mean(dim=-2, keepdim=True)
        weight = weight - weight.mean(dim=-2, keepdim=True)
    mean_norm = torch.linalg.vector_norm(means, dim=-1)
    row_norm = torch.linalg.vector_norm(weight, dim=-1)
    cosine = (weight * means).sum(dim=-1) / (row_norm * mean_norm)
    defined = (mean_norm > zero_mean[..., None]) & (row_norm > zero_row[..., None]) & ~all_equal(features)[..., None]
    return torch.where(defined, cosine, torch.nan)
