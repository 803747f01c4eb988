"""Distance of Gram matrices from that of a simplex equiangular tight frame."""

import math

import torch
from torch import Tensor

from ._inputs import check_samples, check_weight, largest_norm, vectors_in_float64
from ._moments import Moments, sums
from ._pairs import TILE
from .etf import less_their_mean


def simplex_etf_distance(vectors: Tensor, *, centred: bool) -> Tensor:
    """|| V V^T / ||V V^T||_F - (I - 1 1^T / K) / sqrt(K-1) ||_F (NC2; Zhu et al., 2021).

    Lengths and angles at once. Of a classifier's rows as they are (W W^T) and of class means less their mean (M M^T).

    Args:
        vectors: V, `[..., K, D]`, any floating dtype; computed in float64.
        centred: subtract the mean of the vectors first.

    Returns:
        `[...]` float64, 0 for a simplex ETF of any size, at most 2; NaN for K = 1, vectors that are all zero (where
        centred, up to rounding), or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    vectors = vectors_in_float64("vectors", vectors)
    return simplex_distance_of(*2 * [less_their_mean(vectors) if centred else vectors])


def simplex_etf_duality_distance(features: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """|| W M^T / ||W M^T||_F - (I - 1 1^T / K) / sqrt(K-1) ||_F (NC3; Zhu et al., 2021).

    M has the class means less their mean, W is as it is. Unlike the cosine of each row with its mean it also counts
    what a row has in common with the means of other classes.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: W, `[..., K, D]`, one row a class; its batch axes broadcast with those of features.

    Returns:
        `[...]` float64, 0 at self-duality and a simplex ETF; NaN for K = 1, class means that all coincide (up to
        rounding), W M^T = 0, or where features or weight are not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a label without a row of weight, or a row without a label.
    """
    features, labels = check_samples(features, labels)
    return simplex_duality_of(sums(features, labels), check_weight(weight, features, labels))


def simplex_duality_of(of: Moments, weight: Tensor) -> Tensor:
    """The same of moments and a float64 weight."""
    means = of.centred_means()
    means = means.where((largest_norm(means) > of.noise)[:, None, None], torch.nan)
    return simplex_distance_of(weight, of.shaped(means))


def simplex_distance_of(left: Tensor, right: Tensor) -> Tensor:
    """Of A B^T for float64 A and B `[..., K, D]`, by rows: no K x K matrix, and no difference of large squares."""
    count = left.shape[-2]
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    if count == 1:
        return left.new_full(batch, torch.nan)
    tiles = [slice(start, start + TILE) for start in range(0, count, TILE)]
    products = (left[..., tile, :] @ right.mT for tile in tiles)
    norm = torch.stack([product.square().sum(dim=(-2, -1)) for product in products]).sum(dim=0).sqrt()
    total = left.new_zeros(batch)
    for tile in tiles:
        product = left[..., tile, :] @ right.mT / norm[..., None, None]
        product += 1 / count / math.sqrt(count - 1)
        product.diagonal(offset=tile.start, dim1=-2, dim2=-1).sub_(1 / math.sqrt(count - 1))
        total += product.square_().sum(dim=(-2, -1))
    return total.sqrt_()
