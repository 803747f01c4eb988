"""How far each direction is from the convex hull of the others."""

import torch
from torch import Tensor

from ._inputs import largest_norm, vectors_in_float64
from ._nonnegative import nonnegative_minimiser


def one_vs_rest_distance(vectors: Tensor) -> Tensor:
    """Distance of u_k = v_k/||v_k|| from the convex hull of the other u_j (GNC2; Jiang et al., 2023).

    Of the rows of a classifier. The paper's softmax codes maximise the least of these distances over k; where K is at
    most D + 1, a simplex ETF does, with K/(K-1) each. With d the distance, 1/d^2 is the sum of the x >= 0 that
    minimises ||sum_j x_j (u_j - u_k)||^2 / 2 - sum_j x_j [derived].

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64, by a quadratic programme for each k, of K-1
            numbers: for up to about a thousand classes.

    Returns:
        `[..., K]` float64 in [0, 2], 0 where u_k is in the hull (up to about 1e-6); NaN for K = 1, a zero vector, a
        non-finite batch entry, or where a programme has not been solved to full accuracy.

    Raises:
        ValueError: wrong dtype or shape.
    """
    vectors = vectors_in_float64("vectors", vectors)
    units = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    flat = units.reshape(-1, *units.shape[-2:])
    found = [[_distance(entry, k) for k in range(len(entry))] for entry in flat]
    return torch.tensor(found, dtype=torch.float64, device=vectors.device).reshape(units.shape[:-1])


def _distance(units: Tensor, k: int) -> float:
    """Of the k-th of unit vectors `[K, D]`."""
    if len(units) == 1 or not bool(units.isfinite().all()):
        return torch.nan
    others = torch.cat([units[:k], units[k + 1 :]]) - units[k]
    if float(largest_norm(others)) == 0:
        return 0.0
    gram_norm = float(torch.linalg.matrix_norm(others, 2).square())
    # Where u_k is in the hull the objective has no minimum: a small multiple of the identity gives it one, at a
    # distance that is then small and not 0.
    ridge = 1e-12 * gram_norm
    x = nonnegative_minimiser(
        lambda v: others @ (others.T @ v) + ridge * v, others.new_ones(len(others)), gram_norm + ridge
    )
    if x is None or not float(x.sum()) > 0:
        return torch.nan
    nearest = (x @ others) / x.sum()
    return float(torch.linalg.vector_norm(nearest))
