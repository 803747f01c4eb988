"""Class means."""

from torch import Tensor

from ._inputs import check_samples
from ._moments import sums


def class_means(features: Tensor, labels: Tensor) -> Tensor:
    """Mean feature of each class.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[..., K, D]` float64; NaN for a whole batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    of = sums(*check_samples(features, labels))
    return of.shaped(of.means())


def mean_by_class(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Mean of the values over the samples of each class, `[..., N, D] -> [..., K, D]`; NaN where there is none."""
    of = sums(values, labels, num_classes)
    return of.shaped(of.means())
