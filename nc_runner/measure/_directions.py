"""Cosines within and between classes of the mean unit features, by tiles of pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.metrics._pairs import pair_tiles
from nc_runner.metrics.cosine import intra_class_cosine_of

from ._sums import Sums


def cosines(sums: Sums, *, pairs: bool) -> dict[str, Tensor]:
    """Least and mean cosine within classes, largest and mean between two, of features as they are; self pairs count."""
    of = sums.moments
    assert sums.unit_sums is not None
    assert sums.undirected is not None
    directions = sums.unit_sums[0] / of.count[:, None]
    undefined = (sums.undirected[0] > 0) | of.all_equal | ~of.finite
    directions = directions.masked_fill_(undefined, torch.nan)
    intra = intra_class_cosine_of(directions, of.count, self_pairs=True)
    within = {"mean_intra_class_cosine_uncentred": intra.mean(), "min_intra_class_cosine_uncentred": intra.amin()}
    if not pairs:
        return within
    largest, total = directions.new_full((), -torch.inf), directions.new_zeros(())
    for rows, columns in pair_tiles(len(directions)):
        cosine = directions[rows] @ directions[columns].T
        if rows == columns:
            total += cosine.sum() - cosine.diagonal().sum()
            # A NaN must stay in the largest: it is also off the diagonal.
            cosine.fill_diagonal_(-torch.inf)
        else:
            total += 2 * cosine.sum()
        largest = torch.maximum(largest, cosine.amax())
    count = len(directions) * (len(directions) - 1)
    return within | {
        "max_inter_class_cosine_uncentred": largest.where(largest > -torch.inf, torch.nan),
        "mean_inter_class_cosine_uncentred": total / (count or torch.nan),
    }
