"""All parameters of a stack in one tensor, so that an optimiser step is a few operations whatever the network.

Row t of ``flat`` holds every parameter of trial t; the named views are what the layers read, and the same layout
serves the gradient and the momentum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def views(flat: Tensor, shapes: Shapes) -> dict[str, Tensor]:
    """Named views ``[T, *shape]`` into ``flat [T, P]``, in the order of ``shapes``."""
    named, start = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape)
        named[name] = flat[:, start : start + size].view(len(flat), *shape)
        start += size
    return named


def split(flat: Tensor, shapes: Shapes) -> dict[str, Tensor]:
    """As ``views``, for autograd: the gradient at ``flat`` is put together in one piece, not added up view by view."""
    pieces = flat.split([math.prod(shape) for shape in shapes.values()], dim=1)
    return {
        name: piece.unflatten(1, shape) if shape else piece[:, 0]
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }


def zeros(trials: int, shapes: Shapes, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """A flat ``[T, P]`` tensor with room for every shape."""
    return torch.zeros(trials, sum(math.prod(shape) for shape in shapes.values()), device=device, dtype=dtype)
