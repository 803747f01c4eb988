"""Within-class scatter against between-class scatter.

Throughout, with m_c the class means, N samples, K classes and m_G the mean of the class means (not of the samples):

    S_W = (1/N) sum_i (h_i - m_c(i))(h_i - m_c(i))^T        S_B = (1/K) sum_c (m_c - m_G)(m_c - m_G)^T

With this m_G the centred means sum to zero, and S_B has rank at most K-1 whatever the class sizes [choice]. For
balanced classes every convention agrees with that of Papyan, Han & Donoho (2020), NC1.
"""

import torch
from torch import Tensor

from ._blocks import PRODUCT_ROWS, Block, blocks
from ._inputs import check_samples
from ._moments import Moments, moments
from ._pairs import means_coincide


def within_between_trace_ratio(features: Tensor, labels: Tensor) -> Tensor:
    """tr S_W / tr S_B, with S_W and S_B as at the head of this module.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for a single class,
        class means that all coincide (up to rounding), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    return trace_ratio_of(moments(*check_samples(features, labels)))


def trace_ratio_of(of: Moments, *, class_balanced: bool = False) -> Tensor:
    """The same of moments."""
    return trace_ratios_of(of)[class_balanced]


def trace_ratios_of(of: Moments) -> tuple[Tensor, Tensor]:
    """By sample, and with every class alike."""
    trace, reach = of.between()
    defined = (reach > of.noise) & of.varies
    withins = of.trace_within(), (of.within() / of.count).mean(dim=-1)
    by_sample, balanced = (of.shaped(torch.where(defined, within / trace, torch.nan)) for within in withins)
    return by_sample, balanced


def within_between_trace_ratio_class_balanced(features: Tensor, labels: Tensor) -> Tensor:
    """tr S_W / tr S_B with S_W = (1/K) sum_c (1/n_c) sum_{i in c} (h_i - m_c)(h_i - m_c)^T, classes counting alike.

    A class has n_c samples. For balanced classes it is `within_between_trace_ratio`; where few samples are of a wide
    class and many of a narrow one, the two differ by orders of magnitude [choice].

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN as `within_between_trace_ratio`.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    return trace_ratio_of(moments(*check_samples(features, labels)), class_balanced=True)


def within_between_pinv_trace(features: Tensor, labels: Tensor) -> Tensor:
    """tr(S_W S_B^+) / K (NC1; Papyan, Han & Donoho, 2020), with S_W and S_B as at the head of this module.

    Computed from the thin SVD of the K x D matrix of centred class means, M = U diag(s) V^T. As
    S_B^+ = K V diag(s^-2) V^T, it is the mean over samples of sum_j (v_j . (h - m_c) / s_j)^2 [derived]. No D x D
    matrix is formed: its singular values would be squares of the s_j, of which a pseudo-inverse loses the small ones.

    Where the centred means have rank below min(K-1, D), up to rounding, the result is NaN [choice]. Along the missing
    direction the classes do not differ at all, and any within-class variability is infinite in comparison. A
    pseudo-inverse would leave that direction out and report collapse. A direction along which nothing varies, within
    classes or between them, such as a dead feature, does not count: the others decide.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for means of deficient rank
        among the directions that count (so for any two class means that coincide while K-1 <= D), a single class, or a
        batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    return pinv_trace_of(moments(features, labels), features, labels)


def pinv_trace_of(of: Moments, features: Tensor, labels: Tensor) -> Tensor:
    """The same of samples and their moments."""
    between = of.centred_means()
    rank = min(between.shape[-2] - 1, between.shape[-1])
    if rank == 0 or not of.varies:
        return of.shaped(torch.full_like(of.largest, torch.nan))
    singular, right = directions(between, rank)
    full = singular[..., -1] > of.noise
    # Zeros where a direction is undefined: an entry that keeps its NaN otherwise must not be slow.
    scaled = (right / singular.where(singular > of.noise[:, None], torch.inf).unsqueeze(-1)).mT
    trace, beside = torch.zeros_like(of.largest), torch.zeros_like(of.largest)
    flat = right.where((singular > of.noise[:, None]).unsqueeze(-1), 0)
    means = of.means()
    for block in blocks(features, least_rows=PRODUCT_ROWS):
        within = less_means(block, labels, means)
        trace[block.entries] += (within @ scaled[block.entries]).square().sum(dim=(-2, -1)) / len(labels)
        if not bool((full | ~of.finite)[block.entries].all()):
            off = within - within @ flat[block.entries].mT @ flat[block.entries]
            beside[block.entries] = torch.maximum(beside[block.entries], off.square().sum(dim=-1).amax(dim=-1))
    decided = full | missing_directions_are_dead(of, between, singular, beside)
    return of.shaped(torch.where(decided & of.finite, trace, torch.nan))


def directions(between: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The first singular values `[E, rank]` of centred means and their right vectors `[E, rank, D]`; zeros of NaN."""
    # LAPACK raises on NaN, for the whole batch.
    _, singular, right = torch.linalg.svd(between.nan_to_num(nan=0.0), full_matrices=False)
    return singular[..., :rank], right[..., :rank, :]


def missing_directions_are_dead(of: Moments, between: Tensor, singular: Tensor, beside: Tensor) -> Tensor:
    """Where means of deficient rank still decide tr(S_W S_B^+), `[E]`.

    In the directions they miss nothing varies within a class either: ``beside``, the largest squared length there of a
    deviation, is rounding. And no two class means coincide, as two dead classes do.
    """
    dead = (beside <= of.noise**2) & (singular[..., 0] > of.noise)
    return torch.stack([alive and ~means_coincide(m, d) for alive, m, d in zip(dead, between, of.noise, strict=True)])


def within_class_variation(features: Tensor, labels: Tensor) -> Tensor:
    """Mean distance of a sample from its class mean, over the mean distance of a class mean from m_G.

    mean_i ||h_i - m_c(i)|| / mean_c ||m_c - m_G||, m_G as at the head of this module. It is one reading of the
    variation in Ji et al. (2022), Figure 2b; the two traces above are the others [choice]. It is of first order in the
    deviations, the traces are of second.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64, 0 at within-class collapse; NaN where no class has two samples, for a single class,
        class means that all coincide (up to rounding), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    of = moments(features, labels)
    means, distance = of.means(), torch.zeros_like(of.largest)
    for block in blocks(features):
        within = less_means(block, labels, means)
        distance[block.entries] += torch.linalg.vector_norm(within, dim=-1).sum(dim=-1) / len(labels)
    between = torch.linalg.vector_norm(of.centred_means(), dim=-1)
    defined = (between.amax(dim=-1) > of.noise) & of.varies
    return of.shaped(torch.where(defined, distance / between.mean(dim=-1), torch.nan))


def less_means(block: Block, labels: Tensor, means: Tensor) -> Tensor:
    """The block's rows `[e, n, D]` less the means `[E, K, D]` of their classes, in place."""
    return block.rows.sub_(means[block.entries].index_select(1, labels[block.samples]))
