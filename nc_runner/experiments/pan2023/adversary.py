"""A search for instances that bring the two sides of a lemma together, or past each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 400
STEP_SIZE, LAST_STEP_SIZE = 0.1, 1e-3
DIFFERENCE = 1e-5  # of a number, for a slope


def searched(ratio: Callable[[Tensor], Tensor], starts: Tensor, steps: int = STEPS) -> Tensor:
    """Ascent of the ratio [N] from each start [N, P], all at once, by Adam; the best instance on each way [N, P].

    Slopes are central differences, so that the ratio may be of any functions, with kinks and without gradients. The
    step size falls geometrically, so that a search comes to rest on a kink.
    """
    at, best = starts.clone(), starts.clone()
    highest = ratio(at)
    first, second = torch.zeros_like(at), torch.zeros_like(at)
    for step in range(1, steps + 1):
        slope = slopes(ratio, at).nan_to_num(0.0)
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope.square()
        size = STEP_SIZE * (LAST_STEP_SIZE / STEP_SIZE) ** (step / steps)
        mean, deviation = first / (1 - 0.9**step), (second / (1 - 0.99**step)).sqrt()
        at = at + size * mean / (deviation + 1e-12)
        value = ratio(at)
        better = value > highest
        best, highest = torch.where(better[:, None], at, best), torch.where(better, value, highest)
    return best


def slopes(ratio: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The gradient of the ratio at each instance [N, P]."""
    count, numbers = at.shape
    move = DIFFERENCE * torch.eye(numbers, dtype=at.dtype)
    around = torch.stack([at[:, None] + move, at[:, None] - move])
    above, below = ratio(around.reshape(-1, numbers)).reshape(2, count, numbers)
    slope: Tensor = (above - below) / (2 * DIFFERENCE)
    return slope
