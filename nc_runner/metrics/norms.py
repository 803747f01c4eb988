"""How much the lengths of a set of vectors differ, and the norm of a matrix."""

import torch
from torch import Tensor

from ._inputs import vectors_in_float64
from ._singular import spectral_norm
from .etf import less_their_mean


def norm_variation(vectors: Tensor, *, centred: bool) -> Tensor:
    """Standard deviation over k of ||v_k||, divided by the mean (NC2; Papyan, Han & Donoho, 2020).

    The measure of Figure 2a in Ji et al. (2022).
    The standard deviation divides by K and not K-1, as the K vectors are all there are [choice]. Only lengths enter;
    equal angles are the other half of a simplex ETF.

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64.
        centred: subtract the mean of the vectors first, as Papyan et al. do with class means.

    Returns:
        `[...]` float64, 0 for equal lengths; NaN for K = 1, vectors that are all zero (where centred, up to rounding),
        or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    vectors = vectors_in_float64("vectors", vectors)
    return norm_variation_of(less_their_mean(vectors) if centred else vectors)


def norm_variation_of(vectors: Tensor) -> Tensor:
    """The same of float64 vectors as they are."""
    if vectors.shape[-2] == 1:
        return vectors.new_full(vectors.shape[:-2], torch.nan)
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return norms.std(dim=-1, correction=0) / norms.mean(dim=-1)


def operator_norm(matrix: Tensor) -> Tensor:
    """||A||_op, the largest singular value, by the smaller of the two Gram matrices.

    For many samples of few dimensions it costs a fraction of an SVD.

    Args:
        matrix: A, `[..., M, D]`, any floating dtype; computed in float64.

    Returns:
        `[...]` float64; NaN for a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    return spectral_norm(vectors_in_float64("matrix", matrix))
