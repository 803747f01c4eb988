"""Roots by bisection, of many functions at once."""

from collections.abc import Callable

import torch
from torch import Tensor

_STEPS = 300


def bisect(increasing: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Where an increasing function changes sign between `low` and `high`, elementwise, to the last bit.

    The nearer end where it does not change sign; NaN where an end is NaN.
    """
    for _ in range(_STEPS):
        middle = (low + high) / 2
        positive = increasing(middle) > 0
        if not bool(((middle > low) & (middle < high)).any()):
            break
        low, high = torch.where(positive, low, middle), torch.where(positive, middle, high)
    return middle
