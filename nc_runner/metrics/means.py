"""Class means."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ._inputs import samples_in_float64


def class_means(features: Tensor, labels: Tensor) -> Tensor:
    """Mean feature of each class.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[..., K, D]` float64; NaN for a whole batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features = samples_in_float64(features, labels)
    return mean_by_class(features, labels, int(labels.max()) + 1)


def mean_by_class(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Mean of float64 values over the samples of each class, `[..., N, D] -> [..., K, D]`; NaN where there is none.

    A product with the one-hot matrix rather than a scatter-add: on a GPU it gives the same bits every time.
    """
    members = one_hot(labels, num_classes).to(torch.float64).T
    return members @ values / members.sum(dim=-1, keepdim=True)
