"""Distance of a set of directions from a simplex equiangular tight frame."""

import torch
from torch import Tensor

from ._inputs import vectors_in_float64


def etf_cosine_deviation(vectors: Tensor) -> Tensor:
    """Mean over ordered pairs k != j of |cos(v_k, v_j) + 1/(K-1)| (NC2; Papyan, Han & Donoho, 2020).

    The vectors are taken as they are: centre class means first if that is the convention wanted. Only angles enter;
    K equal lengths are the other half of a simplex ETF.

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64.

    Returns:
        `[...]` float64, 0 at the angles of a simplex ETF; NaN for K = 1, a zero vector, or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    vectors = vectors_in_float64("vectors", vectors)
    count = vectors.shape[-2]
    if count == 1:
        return vectors.new_full(vectors.shape[:-2], torch.nan)
    directions = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    deviation: Tensor = (directions @ directions.mT + 1 / (count - 1)).abs()
    diagonal = torch.eye(count, dtype=torch.bool, device=vectors.device)
    # A zero vector is 0/0 in every pair it belongs to, so clearing the diagonal cannot hide it.
    return deviation.masked_fill(diagonal, 0).sum(dim=(-2, -1)) / (count * (count - 1))
