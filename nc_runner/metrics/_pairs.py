"""Pairs of classes in tiles, so that no K x K matrix is made."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Classes of a tile's side: a few matrices of them are a few megabytes.
TILE = 1024


def pair_tiles(count: int) -> Iterator[tuple[slice, slice]]:
    """Pairs of runs of the classes 0..count-1 that together hold every unordered pair, and each class with itself."""
    for row in range(0, count, TILE):
        for column in range(row, count, TILE):
            yield slice(row, min(row + TILE, count)), slice(column, min(column + TILE, count))


def squared_distances(rows: Tensor, columns: Tensor) -> Tensor:
    """||r_i - c_j||^2 of float64 rows `[k, D]` and `[l, D]`, `[k, l]`.

    By one product, and by differences for the pairs so near each other that the product loses their digits.
    """
    lengths = rows.square().sum(dim=1)[:, None] + columns.square().sum(dim=1)
    squared = torch.addmm(lengths, rows, columns.T, alpha=-2)
    near = (squared < 1e-4 * lengths).nonzero()
    for some in near.split(4096):
        i, j = some.unbind(dim=1)
        squared[i, j] = (rows[i] - columns[j]).square().sum(dim=1)
    return squared


def apart_by_tiles(vectors: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Tiles of squared distances of float64 vectors `[K, D]`, inf where no pair is or where a tile has it twice."""
    for rows, columns in pair_tiles(len(vectors)):
        squared = squared_distances(vectors[rows], vectors[columns])
        if rows == columns:
            squared.masked_fill_(torch.ones_like(squared, dtype=torch.bool).tril(), torch.inf)
        yield rows, columns, squared


def means_coincide(means: Tensor, distance: Tensor) -> Tensor:
    """Whether any two of the rows `[K, D]` are within a distance of each other."""
    close = torch.zeros((), dtype=torch.bool, device=means.device)
    for _, _, squared in apart_by_tiles(means):
        close |= (squared <= distance.square()).any()
    return close
