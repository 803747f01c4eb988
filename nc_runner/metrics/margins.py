"""Margins of a linear classifier without bias: by how much the true class of each sample leads the others."""

import math

import torch
from torch import Tensor

from ._inputs import classified_in_float64


def margins(weight: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """q_i = w_y . h_i - max over j != y of w_j . h_i, with y the label of sample i (Ji et al., 2022).

    Args:
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1.

    Returns:
        `[..., N]` float64 in the order of the samples, positive where the classifier is right; NaN for K = 1, and for
        a whole batch entry whose features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    weight, features = classified_in_float64(weight, features, labels, every_class=False)
    own, rivals = own_and_rival_logits(weight, features, labels)
    rival = rivals.amax(dim=-1)
    return torch.where(rival > -torch.inf, own.squeeze(-1) - rival, torch.nan)


def margin_ratio(weight: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """q_min / ((||W||_F^2 + ||H||_F^2) / (2 (K-1) sqrt(n))), the least margin over the most that the norms allow.

    Ji et al. (2022), Theorem 3.1, for K balanced classes of n samples each [derived form]. It is at most 1, and 1
    exactly at neural collapse with ||W||_F = ||H||_F. Scaling W and H together does not change it, scaling one does.

    Args:
        weight: `[..., K, D]`, W, one row a class; its batch axes broadcast with those of features.
        features: `[..., N, D]`, H, any floating dtype; computed in float64.
        labels: `[N]`, int64, n of each of the values 0..K-1.

    Returns:
        `[...]` float64, negative where a sample is misclassified; NaN for K = 1, for W and H both zero, and for a
        batch entry whose features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or classes of unequal
            size (a row of weight without a sample included).
    """
    least = margins(weight, features, labels).amin(dim=-1)
    weight, features = classified_in_float64(weight, features, labels, every_class=False)
    num_classes = weight.shape[-2]
    counts = labels.bincount(minlength=num_classes)
    if bool((counts != counts[0]).any()):
        raise ValueError(f"labels has classes of {counts.tolist()} samples; they must all have the same number.")
    norms_squared = weight.square().sum(dim=(-2, -1)) + features.square().sum(dim=(-2, -1))
    return least * 2 * (num_classes - 1) * math.sqrt(int(counts[0])) / norms_squared


def own_and_rival_logits(weight: Tensor, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logit of the true class `[..., N, 1]`; all logits `[..., N, K]` with that of the true class set to -inf."""
    logits = features @ weight.mT
    own_class = labels.unsqueeze(-1).expand(*logits.shape[:-1], 1)
    return logits.gather(-1, own_class), logits.scatter(-1, own_class, -torch.inf)
