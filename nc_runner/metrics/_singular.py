"""Singular values of a batch of matrices, some of which may be non-finite."""

import torch
from torch import Tensor

from ._inputs import vectors_in_float64


def singular_values(name: str, matrix: Tensor) -> Tensor:
    """Singular values, largest first, `[..., M, D] -> [..., min(M, D)]`; all NaN for a non-finite batch entry."""
    matrix = vectors_in_float64(name, matrix)
    spoilt = matrix[..., 0, 0].isnan()
    singular: Tensor = torch.linalg.svdvals(_without(spoilt, matrix))
    return singular.masked_fill(spoilt[..., None], torch.nan)


def spectral_norm(matrix: Tensor) -> Tensor:
    """Largest singular value of float64 matrices, each of which is finite or NaN as a whole, `[..., M, D] -> [...]`.

    From the smaller Gram matrix: squaring loses the small singular values, but not the largest. For many samples of
    few dimensions it costs a fraction of an SVD.
    """
    spoilt = matrix[..., 0, 0].isnan()
    matrix = _without(spoilt, matrix)
    largest = matrix.abs().amax(dim=(-2, -1))
    scale = largest.where(largest > 0, 1)  # so that no square overflows or underflows
    matrix = matrix / scale[..., None, None]
    gram = matrix @ matrix.mT if matrix.shape[-2] < matrix.shape[-1] else matrix.mT @ matrix
    norm: Tensor = scale * torch.linalg.eigvalsh(gram)[..., -1].clamp(min=0).sqrt()
    return norm.masked_fill(spoilt, torch.nan)


def _without(spoilt: Tensor, matrix: Tensor) -> Tensor:
    """The matrices with zeros in place of the spoilt ones: LAPACK raises on NaN, for the whole batch."""
    return matrix.masked_fill(spoilt[..., None, None], 0)
