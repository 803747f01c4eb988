"""Sums of outer products of rows, half of which are enough."""

from torch import Tensor

# Columns below which a square is not cut into two squares and one product any more.
LEAF = 128


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


def symmetric(total: Tensor) -> Tensor:
    """The whole matrix `[D, D]` of its upper half."""
    return total.triu() + total.triu(1).T
