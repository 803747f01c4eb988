"""Total cluster variation: squared distances of samples from their class means."""

from typing import Literal

from torch import Tensor

from ._inputs import check_samples
from ._moments import moments


def total_cluster_variation(features: Tensor, labels: Tensor, *, reduction: Literal["mean", "sum"]) -> Tensor:
    """sum_k sum_{i in C_k} ||z_i - mean_k||^2, divided by N for "mean" (Zangrando et al., 2026).

    It has the unit of a squared feature and is not scale-free: small means collapse only relative to the size of the
    features. For features that are all equal, dead ones too, it is 0, where a ratio to the between-class scatter would
    be undefined. For "mean" it is tr S_W of `within_between_trace_ratio`.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0 or more; a class with no sample contributes nothing.
        reduction: "mean" over samples, or "sum". The paper's text leaves open which, so there is no default [choice].

    Returns:
        `[...]` float64, at least 0; NaN only for a batch entry with a non-finite feature. Rounding leaves about 1e-32
        of the squared norm.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or another reduction.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction is {reduction!r}; it must be "mean" or "sum".')
    features, labels = check_samples(features, labels, every_class=False)
    variation = mean_variation(features, labels)
    return variation if reduction == "mean" else len(labels) * variation


def mean_variation(values: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance of values from the mean of their class, `[..., N, D] -> [...]`."""
    of = moments(values, labels)
    return of.shaped(of.trace_within())
