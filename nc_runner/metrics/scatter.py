"""Within-class scatter against between-class scatter.

Throughout, with m_c the class means, N samples, K classes and m_G the mean of the class means (not of the samples):

    S_W = (1/N) sum_i (h_i - m_c(i))(h_i - m_c(i))^T        S_B = (1/K) sum_c (m_c - m_G)(m_c - m_G)^T

With this m_G the centred means sum to zero, and S_B has rank at most K-1 whatever the class sizes [choice]. For
balanced classes every convention agrees with that of Papyan, Han & Donoho (2020), NC1.
"""

import torch
from torch import Tensor

from ._inputs import ROUNDING, can_vary_within, largest_norm, samples_in_float64
from .means import mean_by_class


def within_between_trace_ratio(features: Tensor, labels: Tensor) -> Tensor:
    """tr S_W / tr S_B, with S_W and S_B as at the head of this module.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, in two passes.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for a single class,
        class means that all coincide (up to rounding), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    within, between, noise = _deviations(features, labels)
    defined = (largest_norm(between) > noise) & can_vary_within(labels)
    trace_within = within.square().sum(dim=-1).mean(dim=-1)
    trace_between = between.square().sum(dim=-1).mean(dim=-1)
    return torch.where(defined, trace_within / trace_between, torch.nan)


def within_between_pinv_trace(features: Tensor, labels: Tensor) -> Tensor:
    """tr(S_W S_B^+) / K (NC1; Papyan, Han & Donoho, 2020), with S_W and S_B as at the head of this module.

    Computed from the thin SVD of the K x D matrix of centred class means, M = U diag(s) V^T. As
    S_B^+ = K V diag(s^-2) V^T, it is the mean over samples of sum_j (v_j . (h - m_c) / s_j)^2 [derived]. No D x D
    matrix is formed: its singular values would be squares of the s_j, of which a pseudo-inverse loses the small ones.

    Where the centred means have rank below min(K-1, D), up to rounding, the result is NaN [choice]. Along the missing
    direction the classes do not differ at all, and any within-class variability is infinite in comparison. A
    pseudo-inverse would leave that direction out and report collapse.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, in two passes.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for means of deficient rank (so
        for any two class means that coincide while K-1 <= D), a single class, or a batch entry
        with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    within, between, noise = _deviations(features, labels)
    rank = min(between.shape[-2] - 1, between.shape[-1])
    if rank == 0 or not can_vary_within(labels):
        return torch.full_like(noise, torch.nan)
    # LAPACK raises on NaN, for the whole batch: hand it zeros there, which have no rank.
    finite = between.isfinite().all(dim=-1).all(dim=-1)
    _, singular, right = torch.linalg.svd(between.masked_fill(~finite[..., None, None], 0), full_matrices=False)
    singular, right = singular[..., :rank], right[..., :rank, :]
    projected = within @ (right / singular.unsqueeze(-1)).mT
    defined = finite & (singular[..., -1] > noise)
    return torch.where(defined, projected.square().sum(dim=-1).mean(dim=-1), torch.nan)


def within_class_variation(features: Tensor, labels: Tensor) -> Tensor:
    """Mean distance of a sample from its class mean, over the mean distance of a class mean from m_G.

    mean_i ||h_i - m_c(i)|| / mean_c ||m_c - m_G||, m_G as at the head of this module. It is one reading of the
    variation in Ji et al. (2022), Figure 2b; the two traces above are the others [choice]. It is of first order in the
    deviations, the traces are of second.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, in two passes.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for a single class,
        class means that all coincide (up to rounding), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    within, between, noise = _deviations(features, labels)
    defined = (largest_norm(between) > noise) & can_vary_within(labels)
    distance_within = torch.linalg.vector_norm(within, dim=-1).mean(dim=-1)
    distance_between = torch.linalg.vector_norm(between, dim=-1).mean(dim=-1)
    return torch.where(defined, distance_within / distance_between, torch.nan)


def _deviations(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Samples less their class mean `[..., N, D]`, class means less m_G `[..., K, D]`, rounding error `[...]`."""
    features = samples_in_float64(features, labels)
    means = mean_by_class(features, labels, int(labels.max()) + 1)
    within = features - means.index_select(-2, labels)
    between = means - means.mean(dim=-2, keepdim=True)
    return within, between, ROUNDING * largest_norm(features)
