"""What a linear map can read of the classes from the features."""

import torch
from torch import Tensor

from ._blocks import PRODUCT_ROWS, blocks
from ._inputs import check_samples
from ._moments import Moments, moments
from ._scatter_matrix import RELATIVE_ROUNDING, pinv_product_trace, within_covariance


def linear_decodability(features: Tensor, labels: Tensor) -> Tensor:
    """Share of the one-hot labels' variance that the best affine map of the features predicts, R^2 of least squares.

    A linear probe (Alain & Bengio, 2017), fitted by least squares so that it has a closed form [choice]: with class
    shares p_c, m the mean of all samples and S their covariance, tr(S^+ sum_c p_c^2 (m_c - m)(m_c - m)^T) over
    1 - sum_c p_c^2 [derived]. It is of the samples it was fitted to: where dimensions come near the number of samples
    it nears 1 whatever the features.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, with a D x D matrix.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.

    Returns:
        `[...]` float64 from 0 to 1, 1 at within-class collapse onto affinely independent means; NaN where no class has
        two samples, for a single class, features that are all equal (up to rounding), or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    of = moments(features, labels)
    return of.shaped(linear_decodability_of(of, within_covariance(of, features, labels)))


def linear_decodability_of(of: Moments, covariance: Tensor) -> Tensor:
    """The same of moments and S_W `[E, D, D]`, `[E]`."""
    share, deviations = _shares(of)
    root = share.sqrt()[:, None] * deviations
    explained = pinv_product_trace(covariance + root.mT @ root, share[:, None] * deviations)
    return (explained / (1 - share.square().sum())).where(_defined(of), torch.nan)


def linear_probe_accuracy(features: Tensor, labels: Tensor) -> Tensor:
    """Share of samples whose label has the largest output of the least-squares probe of `linear_decodability`.

    Of the samples it was fitted to; `nc_runner.measure.SecondPass` has it of others.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, with a D x D matrix.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.

    Returns:
        `[...]` float64 in [0, 1]; NaN where `linear_decodability` is.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    of = moments(features, labels)
    weight, bias = linear_probe_of(of, within_covariance(of, features, labels))
    right = torch.zeros_like(of.largest)
    for block in blocks(features, least_rows=PRODUCT_ROWS):
        outputs = torch.baddbmm(bias[block.entries, None], block.rows, weight[block.entries].mT)
        right[block.entries] += (outputs.argmax(dim=-1) == labels[block.samples]).sum(dim=-1)
    return of.shaped((right / of.samples).where(_defined(of), torch.nan))


def linear_probe_of(of: Moments, covariance: Tensor) -> tuple[Tensor, Tensor]:
    """The least-squares map onto one-hot labels, of moments and S_W: weight `[E, K, D]` and bias `[E, K]`."""
    share, deviations = _shares(of)
    root = share.sqrt()[:, None] * deviations
    values, vectors = torch.linalg.eigh((covariance + root.mT @ root).nan_to_num(nan=0.0))
    alive = values > RELATIVE_ROUNDING * values[..., -1:]
    inverse = (vectors * values.reciprocal().where(alive, 0)[..., None, :]) @ vectors.mT
    weight = (share[:, None] * deviations @ inverse).where(_defined(of)[:, None, None], torch.nan)
    return weight, share - (weight @ of.sample_mean().mT).squeeze(-1)


def _shares(of: Moments) -> tuple[Tensor, Tensor]:
    """Shares of the classes `[K]`; their means less that of all samples `[E, K, D]`."""
    return of.count.to(torch.float64) / of.samples, of.means_from_first() - (of.sample_mean() - of.pivot[:, :1])


def _defined(of: Moments) -> Tensor:
    return of.finite & ~of.all_equal & of.varies & (len(of.count) > 1)
