"""Features of other data than the network was trained for, against the class means."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, check_samples, check_vectors
from ._moments import Moments, sums


def out_of_distribution_cosine(features: Tensor, labels: Tensor, other: Tensor) -> Tensor:
    """Mean over classes of |cos(m_c, m_OOD)|, m_OOD the mean of the other features (NC5; Ammar et al., 2024).

    Means are as they are, uncentred: the two are orthogonal or not as seen from the origin.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        other: `[..., M, D]`, out-of-distribution features; their batch axes broadcast with those of features.

    Returns:
        `[...]` float64 in [0, 1], 0 where the mean of the others is orthogonal to every class mean; NaN where a mean is
        zero (up to rounding), or either has a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    other = check_vectors("other", other)
    if other.shape[-1] != features.shape[-1]:
        raise ValueError(
            f"other has features of length {other.shape[-1]}; their length must be that of features, "
            f"{features.shape[-1]}."
        )
    none = torch.zeros(other.shape[-2], dtype=torch.int64, device=other.device)
    return out_of_distribution_cosine_of(sums(features, labels), sums(other, none))


def out_of_distribution_cosine_of(of: Moments, other: Moments) -> Tensor:
    """The same of moments; those of the others may be of any classes, whose samples count alike."""
    centre = other.sample_mean().masked_fill(~other.finite[:, None, None], torch.nan)
    means, centre = of.shaped(of.means()), other.shaped(centre)
    lengths = torch.linalg.vector_norm(means, dim=-1)
    length = torch.linalg.vector_norm(centre, dim=-1)
    cosine = (means * centre).sum(dim=-1).abs() / (lengths * length)
    defined = (lengths > of.shaped(of.noise)[..., None]) & (length > ROUNDING * other.shaped(other.largest)[..., None])
    mean: Tensor = cosine.where(defined, torch.nan).mean(dim=-1)
    return mean
