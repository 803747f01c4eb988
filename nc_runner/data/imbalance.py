"""Classes of unequal size, out of a set that has enough of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nc_runner.errors import UserError

Draw = Callable[[int], tuple[Tensor, Tensor]]

_MOST_TIMES = 64  # as many samples as are asked for, that are drawn for enough of each class


def enough_of_each(draw: Draw, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The first of ever larger draws that has so many samples of each class.

    Args:
        draw: from a number of samples to inputs x [N, D] and labels y int64 [N].

    Raises:
        UserError: a class is too rare.
    """
    wanted, samples = torch.tensor(sizes), max(sum(sizes), max(sizes) * len(sizes))
    while samples <= _MOST_TIMES * sum(sizes):
        x, y = draw(samples)
        there = y.bincount(minlength=len(sizes))
        if (there >= wanted).all():
            return x, y
        samples *= 2
    rare = int((there / wanted.clamp(min=1)).argmin())
    raise UserError(
        f"data.imbalance: {wanted[rare]} samples of class {rare} are needed and {there[rare]} of {len(y)} are of it; "
        "allowed is a smaller imbalance, or fewer samples."
    )


def first_of_each(y: Tensor, sizes: Sequence[int]) -> Tensor:
    """The rows int64 [sum of sizes] of the first so many samples of each class, in their order."""
    return torch.cat([(y == k).nonzero()[:size, 0] for k, size in enumerate(sizes)]).sort().values
