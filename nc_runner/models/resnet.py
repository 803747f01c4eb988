"""Residual networks for small images (He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition")."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from nc_runner.models.backbone import Apply, Backbone, Unit


def resnet20(colours: int, channels: int, trials: int) -> Backbone:
    """Section 4.2: a 3 x 3 convolution, three stages of three blocks with channels c, 2c and 4c.

    Shortcuts between stages are option A, which has no parameters: every other pixel, zeros for the new channels.
    """
    return _resnet(colours, channels, trials, stages=3, blocks=3, projection=False)


def resnet18(colours: int, channels: int, trials: int) -> Backbone:
    """Four stages of two blocks, channels c to 8c; for small images it begins with a 3 x 3 convolution and no pooling.

    Shortcuts between stages are option B, 1 x 1 convolutions with BatchNorm, as in the paper's networks for ImageNet.
    """
    return _resnet(colours, channels, trials, stages=4, blocks=2, projection=True)


def _resnet(colours: int, channels: int, trials: int, *, stages: int, blocks: int, projection: bool) -> Backbone:
    units, names, inputs = {"stem": Unit(colours, channels)}, [], channels
    for stage in range(stages):
        outputs = channels * 2**stage
        for block in range(blocks):
            names.append(name := f"stage{stage + 1}.block{block + 1}")
            stride = 2 if stage > 0 and block == 0 else 1
            units[f"{name}.conv1"] = Unit(inputs, outputs, stride=stride)
            units[f"{name}.conv2"] = Unit(outputs, outputs)
            if stride > 1 and projection:
                units[f"{name}.shortcut"] = Unit(inputs, outputs, kernel=1, stride=stride)
            inputs = outputs

    def run(apply: Apply, x: Tensor) -> Tensor:
        h = torch.relu_(apply("stem", x))
        for name in names:
            added = apply(f"{name}.conv2", torch.relu_(apply(f"{name}.conv1", h)))
            if f"{name}.shortcut" in units:
                h = apply(f"{name}.shortcut", h)
            elif units[f"{name}.conv1"].stride > 1:
                h = _halved(h, trials)
            h = torch.relu_(added.add_(h))
        return h

    return Backbone(units, inputs, run)


def _halved(h: Tensor, trials: int) -> Tensor:
    """Every other pixel of [B, T*C, H, W], with as many channels of zeros after each trial's own."""
    h = h[:, :, ::2, ::2]
    channels = h.shape[1] // trials
    padding = (0, 0, 0, 0, 0, channels)
    return pad(h, padding) if trials == 1 else pad(h.unflatten(1, (trials, channels)), padding).flatten(1, 2)
