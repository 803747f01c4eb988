"""What a convolutional network is made of below its head: units of a convolution and a BatchNorm, and how they join."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Unit(NamedTuple):
    """A square convolution without bias, padded so that stride 1 keeps the side, and the BatchNorm after it."""

    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1


# Applies the named unit to [B, T*C, H, W]; the caller may change the result in place.
Apply = Callable[[str, Tensor], Tensor]


class Backbone(NamedTuple):
    """An architecture: its units by name, in the order they are initialised, and the path through them."""

    units: dict[str, Unit]
    features: int
    """Channels of a trial at the end, which the mean over pixels makes its features."""
    run: Callable[[Apply, Tensor], Tensor]
    """Inputs [B, T*C, H, W] to [B, T*features, h, w]."""
