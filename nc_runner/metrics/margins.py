"""Margins of a linear classifier without bias: by how much the true class of each sample leads the others."""

import math

import torch
from torch import Tensor

from ._blocks import by_tiles
from ._inputs import check_samples, check_weight


def margins(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """q_i = w_y . h_i - max over j != y of w_j . h_i, with y the label of sample i (Ji et al., 2022).

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1.
        weight: `[..., K, D]`, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[..., N]` float64 in the order of the samples, positive where the classifier is right; NaN for K = 1, and for
        a whole batch entry whose features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or a label without a row of weight.
    """
    features, labels = check_samples(features, labels, every_class=False)
    weight = check_weight(weight, features, labels, every_class=False)
    parts = []
    for some in by_tiles(len(labels), (features.numel() // len(labels)) + weight.numel() // weight.shape[-1]):
        own, rivals = own_and_rival_logits(features[..., some, :].to(torch.float64), labels[some], weight)
        parts.append(own.squeeze(-1) - rivals.amax(dim=-1))
    margin = torch.cat(parts, dim=-1)
    # A feature that is not finite makes its margin so too, and so does a single class, whose rival is -inf.
    return margin.where(margin.isfinite().all(dim=-1, keepdim=True), torch.nan)


def margin_ratio(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """q_min / ((||W||_F^2 + ||H||_F^2) / (2 (K-1) sqrt(n))), the least margin over the most that the norms allow.

    Ji et al. (2022), Theorem 3.1, for K balanced classes of n samples each [derived form]. It is at most 1, and 1
    exactly at neural collapse with ||W||_F = ||H||_F. Scaling W and H together does not change it, scaling one does.

    Args:
        features: `[..., N, D]`, H, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, n of each of the values 0..K-1.
        weight: `[..., K, D]`, W, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[...]` float64, negative where a sample is misclassified; NaN for K = 1, for W and H both zero, and for a
        batch entry whose features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or classes of unequal
            size (a row of weight without a sample included).
    """
    least = margins(features, labels, weight).amin(dim=-1)
    features, labels = check_samples(features, labels, every_class=False)
    weight = check_weight(weight, features, labels, every_class=False)
    num_classes = weight.shape[-2]
    counts = labels.bincount(minlength=num_classes)
    if bool((counts != counts[0]).any()):
        raise ValueError(f"labels has classes of {counts.tolist()} samples; they must all have the same number.")
    tiles = by_tiles(len(labels), features.numel() // len(labels))
    squares = [features[..., some, :].to(torch.float64).square().sum(dim=(-2, -1)) for some in tiles]
    norms_squared = weight.square().sum(dim=(-2, -1)) + torch.stack(squares).sum(dim=0)
    return least * 2 * (num_classes - 1) * math.sqrt(int(counts[0])) / norms_squared


def own_and_rival_logits(features: Tensor, labels: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Logit of the true class `[..., N, 1]`; all logits `[..., N, K]` with that of the true class set to -inf."""
    logits = features @ weight.mT
    own_class = labels.unsqueeze(-1).expand(*logits.shape[:-1], 1)
    return logits.gather(-1, own_class), logits.scatter(-1, own_class, -torch.inf)
