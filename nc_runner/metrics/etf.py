"""Distance of a set of directions from a simplex equiangular tight frame."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, largest_norm, vectors_in_float64
from ._pairs import pair_tiles


def etf_cosine_deviation(vectors: Tensor, *, centred: bool) -> Tensor:
    """Mean over ordered pairs k != j of |cos(v_k, v_j) + 1/(K-1)| (NC2; Papyan, Han & Donoho, 2020).

    Only angles enter; K equal lengths are the other half of a simplex ETF.

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64.
        centred: subtract the mean of the vectors first, as Papyan et al. do with class means. Uncentred class means of
            a network whose features are positive are far from a simplex ETF, however collapsed.

    Returns:
        `[...]` float64, 0 at the angles of a simplex ETF; NaN for K = 1, a zero vector (where centred, up to rounding
        for all of them), or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    vectors = vectors_in_float64("vectors", vectors)
    return etf_cosine_deviation_of(less_their_mean(vectors) if centred else vectors)


def etf_cosine_deviation_of(vectors: Tensor) -> Tensor:
    """The same of float64 vectors as they are, by tiles of pairs."""
    count = vectors.shape[-2]
    if count == 1:
        return vectors.new_full(vectors.shape[:-2], torch.nan)
    directions = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    total = vectors.new_zeros(vectors.shape[:-2])
    for rows, columns in pair_tiles(count):
        deviation = (directions[..., rows, :] @ directions[..., columns, :].mT).add_(1 / (count - 1)).abs_()
        if rows == columns:
            # A zero vector is 0/0 in every pair it belongs to, so clearing the diagonal cannot hide it.
            deviation.diagonal(dim1=-2, dim2=-1).zero_()
        total += deviation.sum(dim=(-2, -1)) * (1 if rows == columns else 2)
    return total / (count * (count - 1))


def less_their_mean(vectors: Tensor, scale: Tensor | None = None) -> Tensor:
    """Float64 vectors less their mean; NaN where only rounding, relative to ``scale`` or their lengths, is left."""
    scale = largest_norm(vectors) if scale is None else scale
    centred = vectors - vectors.mean(dim=-2, keepdim=True)
    return torch.where((largest_norm(centred) > ROUNDING * scale)[..., None, None], centred, torch.nan)
