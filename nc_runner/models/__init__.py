"""Stacks of networks: trials of equal shape, computed together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nc_runner.config.choices import CONVOLUTIONAL, LossName, ModelName
from nc_runner.config.schema import ModelConfig
from nc_runner.models.convolutional import ConvolutionalNetwork
from nc_runner.models.free_features import FreeFeatures
from nc_runner.models.mlp import MLP
from nc_runner.models.own import OwnNetwork
from nc_runner.models.residual_mlp import ResidualMLP
from nc_runner.models.ulpm import ULPM

__all__ = ["MLP", "ULPM", "ConvolutionalNetwork", "FreeFeatures", "Network", "OwnNetwork", "ResidualMLP", "build"]

Network = MLP | FreeFeatures | ULPM | ConvolutionalNetwork | OwnNetwork


def build(
    config: ModelConfig,
    x: Tensor,
    classes: int,
    seeds: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
    loss: LossName = LossName.cross_entropy,
    label_smoothing: float = 0.0,
) -> Network:
    """The stack a config describes, one trial for each seed, for training inputs ``x [N, D]`` or ``[N, C, H, W]``.

    ``loss`` and ``label_smoothing`` are those of networks; free_features and ulpm have the cross-entropy alone.
    """
    if config.name is ModelName.free_features:
        return FreeFeatures(config, len(x), classes, seeds, device=device, dtype=dtype)
    if config.name is ModelName.ulpm:
        return ULPM(config, len(x), classes, seeds, device=device, dtype=dtype)
    if config.name is ModelName.own:
        return OwnNetwork(
            config, x, classes, seeds, device=device, dtype=dtype, loss=loss, label_smoothing=label_smoothing
        )
    if config.name in CONVOLUTIONAL:
        kind: type[MLP] | type[ConvolutionalNetwork] = ConvolutionalNetwork
    else:
        kind = ResidualMLP if config.name is ModelName.residual_mlp else MLP
    return kind(
        config, x.shape[1], classes, seeds, device=device, dtype=dtype, loss=loss, label_smoothing=label_smoothing
    )
