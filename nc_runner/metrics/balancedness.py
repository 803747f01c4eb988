"""How far two consecutive weight matrices are from balanced."""

import torch
from torch import Tensor

from ._inputs import vectors_in_float64
from ._singular import spectral_norm


def balancedness(weight_next: Tensor, weight: Tensor) -> Tensor:
    """||V^T V - W W^T||_op / min(||V^T V||_op, ||W W^T||_op), V the layer after W (Jacot et al., 2025).

    In spite of its name, 0 is balanced. The smaller of the two norms divides, so there is no upper bound: W = c V^T
    scores c^2 - 1 for c > 1. For balanced matrices rounding leaves about 1e-7 in float32 and 1e-16 in float64.

    Args:
        weight_next: V, `[..., P, M]`, any floating dtype; computed in float64.
        weight: W, `[..., M, D]`. The batch axes of the two broadcast.

    Returns:
        `[...]` float64, at least 0; NaN where either matrix is zero or not all finite.

    Raises:
        ValueError: wrong dtype or shape, or matrices that do not follow each other.
    """
    following, weight = vectors_in_float64("weight_next", weight_next), vectors_in_float64("weight", weight)
    if following.shape[-1] != weight.shape[-2]:
        raise ValueError(
            f"weight_next has rows of length {following.shape[-1]}; their length must be the number of rows of "
            f"weight, {weight.shape[-2]}."
        )
    least = torch.minimum(spectral_norm(following), spectral_norm(weight))
    # Dividing both matrices by the smaller norm does not change the ratio, and no square over- or underflows.
    scale = least.where(least != 0, 1)[..., None, None]
    following, weight = following / scale, weight / scale
    return spectral_norm(following.mT @ following - weight @ weight.mT).masked_fill(least == 0, torch.nan)
