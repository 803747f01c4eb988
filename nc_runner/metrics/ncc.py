"""Nearest-class-centre classification."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, can_vary_within, largest_norm, samples_in_float64
from .means import mean_by_class


def ncc_accuracy(features: Tensor, labels: Tensor) -> Tensor:
    """Fraction of samples strictly nearer to the mean of their own class than to any other class mean.

    Euclidean distance, means from the same samples (Papyan, Han & Donoho, 2020, NC4; Pan, thesis, 2023, Def. 3.2.2).
    A tie (up to rounding) between a sample's own class and another counts as an error, so that classes whose means
    coincide are never scored as told apart.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1 with K = labels.max() + 1.

    Returns:
        `[...]` float64 in [0, 1]; NaN where no class has two samples, for a single class, class
        means that all coincide (dead features), or a batch entry with a non-finite feature.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    features = samples_in_float64(features, labels)
    num_classes = int(labels.max()) + 1
    scale = largest_norm(features)
    # Distances do not depend on the origin, but their rounding does: measure from the mean of the data.
    features = features - features.mean(dim=-2, keepdim=True)
    means = mean_by_class(features, labels, num_classes)
    reach = largest_norm(means)

    # ||h - m||^2 = ||h||^2 - 2 (h . m - ||m||^2 / 2): the nearest mean has the greatest affinity. No [N, K, D] tensor.
    affinity = features @ means.mT - means.square().sum(dim=-1).unsqueeze(-2) / 2
    own_class = labels.unsqueeze(-1).expand(*affinity.shape[:-1], 1)
    own = affinity.gather(-1, own_class).squeeze(-1)
    rival = affinity.scatter(-1, own_class, -torch.inf).amax(dim=-1)
    norm = torch.linalg.vector_norm(features, dim=-1)
    tie = ROUNDING * reach.unsqueeze(-1) * (norm + reach.unsqueeze(-1))
    accuracy = (own - rival > tie).to(torch.float64).mean(dim=-1)

    defined = (reach > ROUNDING * scale) & (num_classes > 1) & can_vary_within(labels)
    return torch.where(defined, accuracy, torch.nan)
