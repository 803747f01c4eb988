"""How much of the variation is between classes, in every direction alike."""

import torch
from torch import Tensor

from ._inputs import check_samples
from ._moments import Moments, moments
from ._scatter_matrix import pinv_product_trace, within_covariance


def variability_collapse_index(features: Tensor, labels: Tensor) -> Tensor:
    """1 - tr(S_T^+ S_B) / rank(S_B) with S_T = S_W + S_B (VCI; Xu & Liu, 2023).

    S_W and S_B are those of `within_between_trace_ratio`, by sample and by class [choice]: for balanced classes as in
    the paper. It does not change under invertible linear maps of the features. rank(S_B) is the number of singular
    values of the centred means above rounding, K-1 where none is lost.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64, with a D x D matrix.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.

    Returns:
        `[...]` float64 from 0, at within-class collapse, to 1; good to about 1e-12 near 0. NaN where no class has two
        samples, for a single class, class means that all coincide (up to rounding), or a batch entry with a non-finite
        feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features, labels = check_samples(features, labels)
    of = moments(features, labels)
    return of.shaped(variability_collapse_index_of(of, within_covariance(of, features, labels)))


def variability_collapse_index_of(of: Moments, covariance: Tensor) -> Tensor:
    """The same of moments and S_W `[E, D, D]`, `[E]`."""
    means = of.centred_means()
    singular = torch.linalg.svdvals(means.nan_to_num(nan=0.0))
    rank = (singular > of.noise[:, None]).sum(dim=-1)
    root = means / len(of.count) ** 0.5
    index = 1 - pinv_product_trace(covariance + root.mT @ root, root) / rank
    return torch.where((rank > 0) & of.finite & of.varies, index, torch.nan)
