"""Features in float64, a block of rows at a time in one reused buffer, so that nobody makes a second copy of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# Numbers of a block: three of it stay in a core's cache. A GPU wants more at once.
CPU_BLOCK, GPU_BLOCK = 2**16, 2**23

# Rows of a block that goes into a matrix product, which wants more of them.
PRODUCT_ROWS = 512


@dataclass(frozen=True)
class Block:
    """Some rows of some batch entries."""

    rows: Tensor  # [e, n, D] float64, overwritten by the next block
    spare: Tensor  # of the same shape, to compute in
    entries: slice  # which of the flattened batch entries
    samples: slice  # which of the N samples

    def chosen(self, some: Tensor) -> "Block":
        """Of its n rows those where ``some`` `[n]` holds; they are no rows of the N samples in a run any more."""
        rows = self.rows[:, some]
        return Block(rows, self.spare[:, : rows.shape[1]], self.entries, self.samples)


class Workspace:
    """Memory that one pass after another computes in."""

    def __init__(self) -> None:
        self.memory = torch.empty(0, dtype=torch.float64)

    def two(self, numbers: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Two buffers of so many numbers."""
        if len(self.memory) < 2 * numbers or self.memory.device != device:
            self.memory = torch.empty(2 * numbers, dtype=torch.float64, device=device)
        return self.memory[:numbers], self.memory[numbers : 2 * numbers]


def blocks(features: Tensor, *, least_rows: int = 1, workspace: Workspace | None = None) -> Iterator[Block]:
    """`[..., N, D]` of any floating dtype, in the order of the samples; small batch entries several at once."""
    samples, width = features.shape[-2:]
    entries = flat(features)
    numbers = GPU_BLOCK if features.is_cuda else CPU_BLOCK
    step = min(samples, max(1, numbers // width, least_rows))
    group = max(1, numbers // (samples * width)) if step == samples else 1
    numbers = min(group, len(entries)) * step * width
    buffer, spare = (workspace or Workspace()).two(numbers, features.device)
    for first in range(0, len(entries), group):
        which = slice(first, min(first + group, len(entries)))
        for start in range(0, samples, step):
            some = entries[which, start : start + step]
            rows = buffer[: some.numel()].view(some.shape).copy_(some)
            yield Block(rows, spare[: some.numel()].view(some.shape), which, slice(start, start + some.shape[1]))


def flat(features: Tensor) -> Tensor:
    """`[..., N, D] -> [E, N, D]`."""
    return features.reshape(-1, *features.shape[-2:])


def add_by_class(total: Tensor, labels: Tensor, values: Tensor) -> None:
    """Add values `[e, n, D]` of labels `[n]` to the totals `[e, K, D]` of their classes, in place.

    On a GPU by products with one-hot matrices, a few million numbers at a time: an index_add has other bits every time.
    """
    if not total.is_cuda:
        total.index_add_(1, labels, values)
        return
    classes = torch.arange(total.shape[1], device=total.device)[:, None]
    step = max(1, GPU_BLOCK // total.shape[1])
    for start in range(0, len(labels), step):
        some = slice(start, start + step)
        total += (classes == labels[some]).to(torch.float64) @ values[:, some]


def by_tiles(count: int, width: int) -> Iterator[slice]:
    """The classes 0..count-1 in tiles, each of a few million numbers where a class has ``width`` of them."""
    step = max(1, 2**21 // max(1, width))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
