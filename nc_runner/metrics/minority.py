"""Whether a classifier still tells its rare classes apart."""

import torch
from torch import Tensor

from ._inputs import check_integers, vectors_in_float64


def minority_collapse_cosine(weight: Tensor, minority: Tensor) -> Tensor:
    """Mean cosine over pairs of rows of minority classes (minority collapse; Fang, He, Long & Su, 2021).

    1 where the rows of all minority classes are parallel, so that the classifier no longer tells them apart; for a
    simplex ETF of all K classes it is -1/(K-1).

    Args:
        weight: `[..., K, D]`, one row a class, as they are; any floating dtype, computed in float64.
        minority: `[M]`, any integer dtype, the minority classes among 0..K-1, two at least, none twice.

    Returns:
        `[...]` float64 in [-1, 1]; NaN for a zero row among them or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape, or a class that is none.
    """
    weight, minority = vectors_in_float64("weight", weight), check_integers(minority)
    if minority.ndim != 1 or len(minority) < 2 or len(minority.unique()) < len(minority):
        raise ValueError(f"minority is {minority.tolist()}; it must name two classes at least, none twice.")
    if int(minority.min()) < 0 or int(minority.max()) >= weight.shape[-2]:
        raise ValueError(f"minority is {minority.tolist()}; its classes must be in 0..{weight.shape[-2] - 1}.")
    rows = weight[..., minority, :]
    units = rows / torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    # The sum of all units squared has every pair twice, and each unit with itself, which is 1.
    total: Tensor = units.sum(dim=-2).square().sum(dim=-1) - units.square().sum(dim=(-2, -1))
    mean: Tensor = total / (len(minority) * (len(minority) - 1))
    return mean
