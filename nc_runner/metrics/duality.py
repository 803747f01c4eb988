"""Self-duality: classifier rows against class means."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, all_equal, classified_in_float64, largest_norm
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
        `[..., K]` float64. NaN for a class with a row or a mean of zero norm (up to rounding), and for a
        whole batch entry whose features are all equal or not all finite, or whose weight is not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    weight, features = classified_in_float64(weight, features, labels)
    means = mean_by_class(features, labels, weight.shape[-2])
    zero_mean, zero_row = ROUNDING * largest_norm(features), ROUNDING * largest_norm(weight)
    if centred:
        means = means - features.mean(dim=-2, keepdim=True)
        weight = weight - weight.mean(dim=-2, keepdim=True)
    mean_norm = torch.linalg.vector_norm(means, dim=-1)
    row_norm = torch.linalg.vector_norm(weight, dim=-1)
    cosine = (weight * means).sum(dim=-1) / (row_norm * mean_norm)
    defined = (mean_norm > zero_mean[..., None]) & (row_norm > zero_row[..., None]) & ~all_equal(features)[..., None]
    return torch.where(defined, cosine, torch.nan)


def self_duality_distance(weight: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """|| (w_k - w)/||w_k - w|| - m_k/||m_k|| || for each class k (Ji et al., 2022, Figure 2d) [choice].

    w is the mean row of weight, m_k the mean feature of class k less the mean of the class means (not of the samples;
    the same for balanced classes). It equals sqrt(2 - 2 cos) of the angle between the two. Computed as a difference it
    stays exact to rounding near 0, where 1 - cos loses half the digits. The paper's figure shows one number: take the
    mean over k.

    Args:
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1.

    Returns:
        `[..., K]` float64 in [0, 2], 0 at self-duality. NaN for a class whose centred row or mean has zero norm (up
        to rounding). NaN for a whole batch entry if the last rows are of classes with no sample (the mean of the
        class means is then undefined), if all features are equal, or if features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    weight, features = classified_in_float64(weight, features, labels)
    means = mean_by_class(features, labels, weight.shape[-2])
    zero_mean, zero_row = ROUNDING * largest_norm(features), ROUNDING * largest_norm(weight)
    means = means - means.mean(dim=-2, keepdim=True)
    weight = weight - weight.mean(dim=-2, keepdim=True)
    mean_norm = torch.linalg.vector_norm(means, dim=-1, keepdim=True)
    row_norm = torch.linalg.vector_norm(weight, dim=-1, keepdim=True)
    distance: Tensor = torch.linalg.vector_norm(weight / row_norm - means / mean_norm, dim=-1)
    defined = (mean_norm[..., 0] > zero_mean[..., None]) & (row_norm[..., 0] > zero_row[..., None])
    return torch.where(defined & ~all_equal(features)[..., None], distance, torch.nan)
