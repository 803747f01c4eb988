"""How many dimensions a matrix really uses."""

import torch
from torch import Tensor

from ._singular import singular_values


def effective_rank(matrix: Tensor) -> Tensor:
    """exp(-sum_j p_j log p_j) with p_j = s_j / sum_i s_i of the singular values s_j (Roy & Vetterli, 2007).

    Args:
        matrix: `[..., M, D]`, any floating dtype; computed in float64. Of class means less their mean it is K-1 at
            neural collapse.

    Returns:
        `[...]` float64 from 1 to min(M, D); NaN for a zero matrix or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    return effective_rank_of(singular_values("matrix", matrix))


def effective_rank_of(singular: Tensor) -> Tensor:
    """The same of singular values `[..., R]`."""
    share = singular / singular.sum(dim=-1, keepdim=True)
    rank: Tensor = torch.special.entr(share).sum(dim=-1).exp()
    return rank
