"""Cosine similarity of features within a class and between classes, from the class means of unit features."""

import torch
from torch import Tensor

from ._blocks import add_by_class, blocks
from ._inputs import check_samples
from ._moments import moments


def intra_class_cosine(features: Tensor, labels: Tensor, *, centred: bool, self_pairs: bool) -> Tensor:
    """Mean cosine over the pairs of features of one class.

    With u = h/||h|| and m_c the class mean of u, over all n^2 ordered pairs it is ||m_c||^2 (Pan, thesis, 2023,
    Lemma 2.4.4) [paper]; without the n pairs of a sample with itself, (n/(n-1)) ||m_c||^2 - 1/(n-1) (the authors'
    code). The thesis has `centred=False, self_pairs=True`, the authors' code `centred=True, self_pairs=False`.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean over all samples first.
        self_pairs: count the pair of a sample with itself, whose cosine is 1.

    Returns:
        `[..., K]` float64. NaN for a class with a feature of zero norm (its cosine is undefined, and
        leaving it out would score dead features as collapsed), or of one sample when `self_pairs` is false; NaN for
        all classes where none has two samples, and for a whole batch entry whose features are all equal or not finite.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    mean_direction, count = _mean_directions(features, labels, centred=centred)
    return intra_class_cosine_of(mean_direction, count, self_pairs=self_pairs)


def intra_class_cosine_of(mean_direction: Tensor, count: Tensor, *, self_pairs: bool) -> Tensor:
    """The same of class means of unit features `[..., K, D]` and numbers of samples `[K]`."""
    cosine = mean_direction.square().sum(dim=-1)
    if self_pairs:
        return cosine if bool((count > 1).any()) else torch.full_like(cosine, torch.nan)
    count = count.to(torch.float64)
    pairs = torch.where(count > 1, count - 1, torch.nan)
    return (count * cosine - 1) / pairs


def inter_class_cosine(features: Tensor, labels: Tensor, *, centred: bool) -> Tensor:
    """Mean cosine over the pairs of features of two different classes, m_c . m_c' (Pan, thesis, 2023, Lemma 2.4.4).

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1 with K = labels.max() + 1.
        centred: subtract the mean over all samples first (thesis: false; the authors' code: true).

    Returns:
        `[..., K, K]` float64, symmetric, NaN on the diagonal; NaN in the row and column of a class with
        a feature of zero norm, and for a whole batch entry whose features are all equal or not all finite.

    Raises:
        ValueError: wrong dtype or shape, or a negative label.
    """
    mean_direction, _ = _mean_directions(features, labels, centred=centred)
    cosine = mean_direction @ mean_direction.mT
    diagonal = torch.eye(cosine.shape[-1], dtype=torch.bool, device=cosine.device)
    return cosine.masked_fill(diagonal, torch.nan)


def _mean_directions(features: Tensor, labels: Tensor, *, centred: bool) -> tuple[Tensor, Tensor]:
    """Class means of the unit features, `[..., K, D]`, NaN where the callers document it; and samples a class."""
    features, labels = check_samples(features, labels)
    of = moments(features, labels)
    # Of a feature equal to the mean, centring leaves only rounding, whose direction means nothing.
    zero = of.noise if centred else torch.zeros_like(of.noise)
    centre = of.sample_mean()
    directions = torch.zeros_like(of.total)
    without = torch.zeros_like(of.sums[..., :1])
    for block in blocks(features):
        rows = block.rows.sub_(centre[block.entries]) if centred else block.rows
        length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        directed = length > zero[block.entries, None, None]
        rows.mul_(length.reciprocal().where(directed, 0))
        add_by_class(directions[block.entries], labels[block.samples], rows)
        add_by_class(without[block.entries], labels[block.samples], (~directed).to(torch.float64))
    undefined = (without > 0) | (of.all_equal | ~of.finite)[:, None, None]
    return of.shaped((directions / of.count[:, None]).masked_fill(undefined, torch.nan)), of.count
