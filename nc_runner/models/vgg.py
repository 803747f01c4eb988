"""VGG13 for small images (Simonyan and Zisserman 2015), with BatchNorm."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from nc_runner.models.backbone import Apply, Backbone, Unit

_WIDTHS = (1, 2, 4, 8, 8)  # of configuration B, in units of the first


def vgg13(colours: int, channels: int, trials: int) -> Backbone:
    """Configuration B: five times two 3 x 3 convolutions, of c, 2c, 4c, 8c and 8c channels, and a max-pooling.

    Pooling halves the side, rounding down, and stops once it is 1: 32 pixels are pooled five times, 28 four, 8 three.
    The mean over what pixels are left stands in for the paper's resolution of 224 and its wide linear layers.
    """
    units, inputs = dict[str, Unit](), colours
    for stage, width in enumerate(_WIDTHS, 1):
        for i in (1, 2):
            units[f"stage{stage}.conv{i}"] = Unit(inputs, width * channels)
            inputs = width * channels

    def run(apply: Apply, h: Tensor) -> Tensor:
        for name in units:
            h = torch.relu_(apply(name, h))
            if name.endswith("conv2") and min(h.shape[2:]) > 1:
                h = max_pool2d(h, 2)
        return h

    return Backbone(units, inputs, run)
