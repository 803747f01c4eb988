"""Sums of two streams put together, each about its own pivots (Chan, Golub & LeVeque, 1983)."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.metrics._blocks import by_tiles

from ._sums import Sums, add_outer


def merge(here: Sums, there: Sums, places: Tensor) -> None:
    """Add what is ``there`` to what is ``here``, in place; its classes `[M]` have these places here.

    Sums of squares are never shifted by a difference of large numbers: of each class scatters within are added, and
    the scatter between its two parts, n_a n_b/(n_a + n_b) ||m_a - m_b||^2, all of them at least 0.
    """
    a, b = here.moments, there.moments
    scatter = None
    if here.scatter is not None and there.scatter is not None:
        scatter = here.within_scatter() + there.within_scatter()
    for tile in by_tiles(len(places), b.pivot.shape[-1]):
        at = places[tile]
        n_a, n_b = (count.to(torch.float64) for count in (a.count[at], b.count[tile]))
        new = n_a == 0
        a.pivot[0, at] = a.pivot[0, at].where(~new[:, None], b.pivot[0, tile].to(a.pivot.dtype))
        shift = b.pivot[0, tile].to(torch.float64) - a.pivot[0, at].to(torch.float64)
        total_a, total_b = a.total[0, at], b.total[0, tile]
        within = _within(a.sums[0, at, 0], total_a, n_a) + _within(b.sums[0, tile, 0], total_b, n_b)
        between = (shift + total_b / n_b.clamp(min=1)[:, None] - total_a / n_a.clamp(min=1)[:, None]) * (
            (n_a * n_b / (n_a + n_b).clamp(min=1)).sqrt()[:, None]
        )
        total = total_a + total_b + n_b[:, None] * shift
        both = n_a + n_b
        a.total[0, at] = total
        a.sums[0, at, 0] = within + between.square().sum(dim=1) + total.square().sum(dim=1) / both.clamp(min=1)
        a.sums[0, at, 1] += b.sums[0, tile, 1]
        a.count[at] += b.count[tile]
        if scatter is not None:
            add_outer(scatter, between, torch.ones_like(both), 1)
        for mine, other in ((here.unit_sums, there.unit_sums), (here.undirected, there.undirected)):
            if mine is not None and other is not None:
                mine[0, at] += other[0, tile]
    a.largest.copy_(torch.maximum(a.largest, b.largest))
    if here.scatter is not None and scatter is not None:
        here.scatter.total().copy_(add_outer(scatter, a.total[0], a.count, 1))


def _within(square: Tensor, total: Tensor, count: Tensor) -> Tensor:
    """Sum of ||h - m||^2 of each class."""
    return (square - total.square().sum(dim=1) / count.clamp(min=1)).clamp(min=0)
