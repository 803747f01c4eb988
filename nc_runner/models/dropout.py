"""Dropout of a stack (Srivastava et al. 2014), each draw a pure function of the trial's seed, step, layer and place.

So a trial drops alike alone, in a stack, on a CPU or a GPU, and after a resume; and nothing but a count of steps, which
is a tensor, changes from step to step, so that a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nc_runner.rng import generator

_BITS = 32
_MASK = 2**_BITS - 1
_GOLDEN = 0x9E3779B9  # 2^32 over the golden ratio, which spreads small numbers


class Dropout:
    """Drops each output with probability p and divides the others by 1 - p.

    Attributes:
        steps: int64 [T], the steps taken so far.
    """

    def __init__(self, p: float, seeds: Sequence[int], device: torch.device) -> None:
        self.p = p
        self.dropped_below = round(p * 2**_BITS)
        keys = [torch.randint(2**_BITS, (), generator=generator(seed, "dropout")) for seed in seeds]
        self.keys = torch.stack(keys).to(device)
        self.steps = torch.zeros(len(seeds), device=device, dtype=torch.int64)

    def begin(self) -> Tensor:
        """A key int64 [T] for the step that begins, which is counted."""
        key = mix(self.keys ^ mix(self.steps & _MASK))
        self.steps.add_(1)
        return key

    def factors(self, step: Tensor, layer: int, of: Tensor) -> Tensor:
        """0 or 1/(1 - p) for each output ``of`` a layer [T, B, C], or [B, C] of a stack of one."""
        key = mix(step + layer * _GOLDEN & _MASK)
        rows, columns = of.shape[-2:]
        place = torch.arange(rows * columns, device=of.device).view(rows, columns)
        draw = mix(mix((place * _GOLDEN & _MASK) ^ key[:, None, None]) + key[:, None, None] & _MASK)
        kept = (draw >= self.dropped_below).to(of.dtype).div_(1 - self.p)
        return torch.reshape(kept, of.shape)


def mix(x: Tensor) -> Tensor:
    """A permutation of the numbers from 0 to 2^32 - 1, int64, each bit of which depends on all (Wellons 2018)."""
    x = x ^ (x >> 16)
    x = x * 0x7FEB352D & _MASK
    x = x ^ (x >> 15)
    x = x * 0x846CA68B & _MASK
    return x ^ (x >> 16)
