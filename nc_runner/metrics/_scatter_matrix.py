"""The within-class scatter as a D x D matrix, and what is told from it."""

import torch
from torch import Tensor

from ._blocks import PRODUCT_ROWS, blocks
from ._gram import add_gram, symmetric
from ._moments import Moments

# Of a covariance in float64, an eigenvalue this small relative to the largest is rounding.
RELATIVE_ROUNDING = 1e-13


def within_covariance(of: Moments, features: Tensor, labels: Tensor) -> Tensor:
    """S_W `[E, D, D]`, the mean over samples of (h - m_c)(h - m_c)^T; NaN for an entry with a non-finite feature."""
    width = features.shape[-1]
    total, means = of.largest.new_zeros(len(of.largest), width, width), of.means()
    for block in blocks(features, least_rows=PRODUCT_ROWS):
        within = block.rows.sub_(means[block.entries].index_select(1, labels[block.samples]))
        for entry, rows in zip(total[block.entries], within, strict=True):
            add_gram(entry, rows)
    return torch.stack([symmetric(entry) for entry in total]).div_(len(labels))


def directions_of(of: Moments) -> Tensor | None:
    """V diag(1/s) `[E, D, R]` of the centred means U diag(s) V^T; None where some s is rounding, or none is defined.

    The mean over samples of ||(h - m_c)^T V diag(1/s)||^2 is tr(S_W S_B^+) / K.
    """
    between = of.centred_means()
    rank = min(between.shape[-2] - 1, between.shape[-1])
    if rank == 0 or not of.varies or not bool(of.finite.all()):
        return None
    _, singular, right = torch.linalg.svd(between, full_matrices=False)
    singular, right = singular[..., :rank], right[..., :rank, :]
    return (right / singular[..., None]).mT if bool((singular > of.noise[:, None]).all()) else None


def pinv_trace_of_covariance(of: Moments, covariance: Tensor) -> Tensor:
    """tr(S_W S_B^+) / K as `within_between_pinv_trace` has it, of moments and S_W `[E, D, D]`, `[E]`.

    NaN where it is, but that a direction counts as dead where less than 1e-13 of tr S_W is along it: a covariance knows
    no better.
    """
    between = of.centred_means()
    rank = min(between.shape[-2] - 1, between.shape[-1])
    if rank == 0 or not of.varies:
        return torch.full_like(of.largest, torch.nan)
    _, singular, right = torch.linalg.svd(between.nan_to_num(nan=0.0), full_matrices=False)
    singular, right = singular[..., :rank], right[..., :rank, :]
    alive = singular > of.noise[:, None]
    along = ((right @ covariance) * right).sum(dim=-1)
    trace: Tensor = (along / singular.square()).where(alive, 0).sum(dim=-1)
    whole = covariance.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    beside = whole - along.where(alive, 0).sum(dim=-1)
    dead = (beside <= RELATIVE_ROUNDING * whole) & (whole > 0)
    return torch.where((alive.all(dim=-1) | dead) & of.finite, trace, torch.nan)


def pinv_product_trace(total: Tensor, part: Tensor) -> Tensor:
    """tr(total^+ B^T B) of positive semidefinite matrices `[E, D, D]` and rows B, ``part``, `[E, K, D]`: `[E]`."""
    values, vectors = torch.linalg.eigh(total.nan_to_num(nan=0.0))
    alive = values > RELATIVE_ROUNDING * values[..., -1:]
    squares = (part @ vectors).square().sum(dim=-2)
    trace: Tensor = (squares / values).where(alive, 0).sum(dim=-1)
    return trace
