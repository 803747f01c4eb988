"""Self-duality: classifier rows against class means."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, check_samples, check_weight, largest_norm
from ._moments import Moments, moments, sums


def self_duality_cosine(features: Tensor, labels: Tensor, weight: Tensor, *, centred: bool) -> Tensor:
    """Cosine of each classifier row with the mean feature of its class (NC3; Papyan, Han & Donoho, 2020).

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        centred: subtract the mean over all samples from the class means, and the mean row from weight. The thesis
            (Pan, 2023) compares w_c with the class mean as they are: false. Papyan et al. centre the means.

    Returns:
        `[..., K]` float64. NaN for a class with a row or a mean of zero norm (up to rounding), and for a
        whole batch entry whose features are all equal or not all finite, or whose weight is not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    weight = check_weight(weight, features, labels)
    # All equal features have means that centring makes zero; uncentred, only their scatter tells.
    of = (sums if centred else moments)(features, labels)
    return self_duality_cosine_of(of, weight, centred=centred)


def self_duality_cosine_of(of: Moments, weight: Tensor, *, centred: bool) -> Tensor:
    """The same of moments and a float64 weight."""
    means, rows = of.means(), weight
    if centred:
        means = of.means_from_first() - (of.sample_mean() - of.pivot[:, :1])
        rows = weight - weight.mean(dim=-2, keepdim=True)
    means, zero_row = of.shaped(means), ROUNDING * largest_norm(weight)
    mean_norm = torch.linalg.vector_norm(means, dim=-1)
    row_norm = torch.linalg.vector_norm(rows, dim=-1)
    cosine = (rows * means).sum(dim=-1) / (row_norm * mean_norm)
    defined = (mean_norm > of.shaped(of.noise)[..., None]) & (row_norm > zero_row[..., None])
    differ = of.finite if centred else of.finite & ~of.all_equal
    return torch.where(defined & of.shaped(differ)[..., None], cosine, torch.nan)


def self_duality_distance(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """|| (w_k - w)/||w_k - w|| - m_k/||m_k|| || for each class k (Ji et al., 2022, Figure 2d) [choice].

    w is the mean row of weight, m_k the mean feature of class k less the mean of the class means (not of the samples;
    the same for balanced classes). It equals sqrt(2 - 2 cos) of the angle between the two. Computed as a difference it
    stays exact to rounding near 0, where 1 - cos loses half the digits. The paper's figure shows one number: take the
    mean over k.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[..., K]` float64 in [0, 2], 0 at self-duality. NaN for a class whose centred row or mean has zero norm (up
        to rounding). NaN for a whole batch entry if all features are equal, or if features or weight are not all
        finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    weight = check_weight(weight, features, labels)
    return self_duality_distance_of(sums(features, labels), weight)


def self_duality_distance_of(of: Moments, weight: Tensor) -> Tensor:
    """The same of moments and a float64 weight."""
    means, zero_row = of.shaped(of.centred_means()), ROUNDING * largest_norm(weight)
    rows = weight - weight.mean(dim=-2, keepdim=True)
    mean_norm = torch.linalg.vector_norm(means, dim=-1, keepdim=True)
    row_norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    distance: Tensor = torch.linalg.vector_norm(rows / row_norm - means / mean_norm, dim=-1)
    defined = (mean_norm[..., 0] > of.shaped(of.noise)[..., None]) & (row_norm[..., 0] > zero_row[..., None])
    return torch.where(defined & of.shaped(of.finite)[..., None], distance, torch.nan)


def self_duality_frobenius(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """|| W/||W||_F - M/||M||_F ||_F^2, M the class means less their mean (NC3; Papyan, Han & Donoho, 2020, Figure 5).

    One scale for all classes, so that unequal lengths count as well as angles; W is as it is, not less its mean. The
    mean is that of the class means (not of the samples; the same for balanced classes) [choice]. The square is that of
    published code; the paper's own words were not at hand.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: W, `[..., K, D]`, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[...]` float64 in [0, 4], 0 at self-duality; NaN for a weight of zeros, class means that all coincide (up to
        rounding), a single class, or where features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    weight = check_weight(weight, features, labels)
    return self_duality_frobenius_of(sums(features, labels), weight)


def self_duality_frobenius_of(of: Moments, weight: Tensor) -> Tensor:
    """The same of moments and a float64 weight."""
    means = of.shaped(of.centred_means())
    rows = weight / torch.linalg.matrix_norm(weight)[..., None, None]
    distance = (rows - means / torch.linalg.matrix_norm(means)[..., None, None]).square().sum(dim=(-2, -1))
    return torch.where(of.shaped(of.between()[1] > of.noise), distance, torch.nan)


def uniform_duality_variance(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Variance over classes of the cosine of each row with its class mean (UNC3; Wu & Papyan, 2024).

    Both as in `self_duality_cosine` with centred means and rows as they are. Where classes outnumber dimensions the
    cosines need not reach 1, but may become alike. The variance divides by K [choice]. The paper's exact normalisation
    was not at hand: its authors' published code takes a variance over classes of similarities, of either cosines or
    inner products [choice].

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[...]` float64, 0 where all cosines are the same; NaN for a single class, where one is undefined, or where
        features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    weight = check_weight(weight, features, labels)
    return uniform_duality_variance_of(sums(features, labels), weight)


def uniform_duality_variance_of(of: Moments, weight: Tensor) -> Tensor:
    """The same of moments and a float64 weight."""
    means = of.centred_means()
    length = torch.linalg.vector_norm(means, dim=-1)
    units = of.shaped((means / length[..., None]).where((length > of.noise[:, None])[..., None], torch.nan))
    cosine = (units * weight).sum(dim=-1) / torch.linalg.vector_norm(weight, dim=-1)
    return cosine.var(dim=-1, correction=0) if len(of.count) > 1 else torch.full_like(cosine[..., 0], torch.nan)
