"""Sums of outer products of rows, half of which are enough."""

import torch
from torch import Tensor

# Columns below which a square is not cut into two squares and one product any more.
LEAF = 64

# Numbers that may wait: 4 MiB.
WAITING = 2**19


def add_gram(total: Tensor, rows: Tensor) -> None:
    """Add rows^T rows of rows `[n, D]` to the upper half of the total `[D, D]`, in place; below it is anything."""
    width = rows.shape[1]
    if width <= LEAF or total.is_cuda:
        total.addmm_(rows.T, rows)
        return
    half = width // 2
    left, right = rows[:, :half], rows[:, half:]
    add_gram(total[:half, :half], left)
    add_gram(total[half:, half:], right)
    total[:half, half:].addmm_(left.T, right)


class Gram:
    """A sum of outer products of rows that come a few at a time: they wait until there are enough for a product."""

    def __init__(self, width: int, device: torch.device) -> None:
        self._total = torch.zeros(width, width, dtype=torch.float64, device=device)
        self._rows = self._total.new_empty(max(1, min(2048, WAITING // width)), width)
        self._waiting = 0

    def add(self, rows: Tensor) -> None:
        """Take in rows `[n, D]`, which may be overwritten after."""
        while len(rows):
            room = len(self._rows) - self._waiting
            some, rows = rows[:room], rows[room:]
            self._rows[self._waiting : self._waiting + len(some)] = some
            self._waiting += len(some)
            if self._waiting == len(self._rows):
                self.total()

    def total(self) -> Tensor:
        """The sum so far, the upper half of `[D, D]`; what is below is anything. It may be changed in place."""
        add_gram(self._total, self._rows[: self._waiting])
        self._waiting = 0
        return self._total


def symmetric(total: Tensor) -> Tensor:
    """The whole matrix `[D, D]` of its upper half."""
    return total.triu() + total.triu(1).T
