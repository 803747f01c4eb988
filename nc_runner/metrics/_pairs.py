"""Pairs of classes in tiles, so that no K x K matrix is made."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Pairs of a tile: two small matrices of them.
TILE = 1024


def pair_tiles(count: int) -> Iterator[tuple[slice, slice]]:
    """Pairs of runs of the classes 0..count-1 that together hold every unordered pair, and each class with itself."""
    for row in range(0, count, TILE):
        for column in range(row, count, TILE):
            yield slice(row, min(row + TILE, count)), slice(column, min(column + TILE, count))


def means_coincide(means: Tensor, distance: Tensor) -> Tensor:
    """Whether any two of the rows `[K, D]` are within a distance of each other."""
    close = torch.zeros((), dtype=torch.bool, device=means.device)
    for rows, columns in pair_tiles(len(means)):
        # Differences, not a Gram matrix, which would lose the small ones.
        apart = torch.cdist(means[rows], means[columns], compute_mode="donot_use_mm_for_euclid_dist")
        if rows == columns:
            apart.fill_diagonal_(torch.inf)
        close |= (apart <= distance).any()
    return close
