"""Every random draw is a pure function of (seed, purpose, epoch).

No generator lives longer than the draw it serves, so a run can stop anywhere and go on with the same numbers,
and a trial draws the same numbers alone, in a stack, on a CPU or on a GPU.
"""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """A fresh CPU generator for one purpose ("init", "order", ...) of one seed at one epoch."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def minibatch_order(seed: int, epoch: int, samples: int) -> torch.Tensor:
    """The order in which a trial of this seed visits the training set in this epoch: a permutation, int64 [samples]."""
    return torch.randperm(samples, generator=generator(seed, "order", epoch))
