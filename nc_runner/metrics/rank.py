"""How far a matrix is from low rank, by its singular values."""

import torch
from torch import Tensor

from ._singular import singular_values


def relative_rank_distance(weight: Tensor, rank: int) -> Tensor:
    """sum_{j > rank} s_j^2 / sum_j s_j^2 over the singular values s_1 >= s_2 >= ... (Zangrando et al., 2026).

    The squared Frobenius distance from the nearest matrix of that rank, relative to ||weight||_F^2 (Eckart & Young,
    1936). An SVD errs in each s_j by about 1e-16 s_1, so a matrix of exactly that rank scores about 1e-32, not 0, and
    values below 1e-30 mean nothing.

    Args:
        weight: `[..., M, D]`, any floating dtype; computed in float64. The rounding of a float32 weight has full rank
            and alone contributes about 1e-14.
        rank: at least 0; from min(M, D) on the distance is 0.

    Returns:
        `[...]` float64 in [0, 1]; NaN for a zero matrix or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape, or a rank that is not a whole number of at least 0.
    """
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 0:
        raise ValueError(f"rank is {rank}; it must be a whole number of at least 0.")
    # Relative to the largest, so that no square overflows or underflows; 0/0 is a zero matrix.
    singular = singular_values("weight", weight)
    squares = (singular / singular[..., :1]).square()
    return squares[..., rank:].sum(dim=-1) / squares.sum(dim=-1)


def numerical_rank(matrix: Tensor, *, relative_tolerance: float) -> Tensor:
    """Number of singular values above `relative_tolerance` times the largest.

    The gradient of a dense layer on a batch of B samples has rank at most B, and at most K where the batch has only K
    different pairs of input and target (Zangrando et al., 2026, Prop. 3.1) [derived].

    Args:
        matrix: `[..., M, D]`, any floating dtype; computed in float64.
        relative_tolerance: in [0, 1). About 1e-6 suits numbers computed in float32, 1e-14 those in float64; with less,
            rounding counts as rank.

    Returns:
        `[...]` float64, a whole number, 0 for a zero matrix; NaN for a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape, or a tolerance out of range.
    """
    if not 0 <= relative_tolerance < 1:
        raise ValueError(f"relative_tolerance is {relative_tolerance}; it must be at least 0 and less than 1.")
    singular = singular_values("matrix", matrix)
    rank = (singular > relative_tolerance * singular[..., :1]).sum(dim=-1).to(torch.float64)
    return rank.masked_fill(singular[..., 0].isnan(), torch.nan)
