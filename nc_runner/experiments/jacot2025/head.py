"""The head of a network: its layers after the backbone, the last of them linear; and what has one.

Layers are numbered from the backbone's output, which is layer 0, to the network's output, layer L: Z_l is the output of
layer l, after its activation where it has one. The backbone of an MLP is its first two layers [paper], that of a
convolutional network all its convolutions. The last L2 layers are linear, the L1 = L - L2 before them are not.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from nc_runner.config.choices import CONVOLUTIONAL, IMAGE_DATA, DataName, LossName, ModelName
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.models import MLP, ConvolutionalNetwork

BACKBONE_OF_MLP = 2  # layers [paper]


class Head(NamedTuple):
    """The head of a stack."""

    outputs: list[Tensor]
    """Z_0 to Z_L, [T, N, C]."""
    weights: list[Tensor]
    """W_1 to W_L, [T, out, in]; that of layer l is number l - 1."""
    names: list[str]
    """Of the weights among the network's parameters."""
    nonlinear: int
    """L1, the number of its layers that an activation follows."""

    @property
    def depth(self) -> int:
        """L, its number of layers."""
        return len(self.weights)


def backbone_layers(config: Config) -> int:
    """How many of the numbered layers of a network are not of its head."""
    return BACKBONE_OF_MLP if config.model.name is ModelName.mlp else 0


def head_depth(config: Config) -> int:
    """L, the number of layers of the head."""
    return config.model.depth - backbone_layers(config)


def head_of(network: MLP | ConvolutionalNetwork, x: Tensor, config: Config) -> Head:
    """The head, with its outputs on x [N, ...] in eval mode."""
    first = backbone_layers(config)
    outputs = [output for layer, output in network.features(x) if layer >= first]
    names = [f"{layer}.weight" for layer in range(first + 1, config.model.depth + 1)]
    nonlinear = len(names) - config.model.linear_layers
    return Head(outputs, [network.params[name] for name in names], names, nonlinear)


def check(config: Config) -> None:
    """Refuse what has no such head, or what the predictions are not of."""
    model, data = config.model, config.data
    if model.name is not ModelName.mlp and model.name not in CONVOLUTIONAL:
        names = ", ".join(sorted(name.name for name in CONVOLUTIONAL | {ModelName.mlp}))
        raise UserError(f"model.name={model.name.name}: has no head of its own; allowed are {names}.")
    if model.name is ModelName.mlp and model.depth < BACKBONE_OF_MLP + model.linear_layers:
        raise UserError(
            f"model.depth={model.depth}: the first {BACKBONE_OF_MLP} layers of an mlp are the backbone, before "
            f"model.linear_layers={model.linear_layers}; allowed is at least {BACKBONE_OF_MLP + model.linear_layers}."
        )
    if model.bias:
        raise UserError("model.bias=true: the paper's networks have no biases; allowed is false.")
    train = config.train
    if train.loss is not LossName.mse:
        raise UserError(f"train.loss={train.loss.name}: the paper trains by the squared loss; allowed is mse.")
    shrink = train.learning_rate / (1 - train.momentum) * train.weight_decay
    if not 0 < shrink < 1:
        raise UserError(
            f"train.weight_decay={train.weight_decay:g}: the imbalance decays by 1 - {shrink:g} a step, step size / "
            "(1 - momentum) * weight decay; allowed is what makes this more than 0 and less than 1."
        )
    balanced = data.name is DataName.gaussian_mixture or (data.name in IMAGE_DATA and data.per_class is not None)
    if not balanced:
        raise UserError(
            f"data.name={data.name.name}, data.per_class={data.per_class}: Theorem B.1 takes as many samples of every "
            "class; allowed are images with data.per_class set, and gaussian_mixture."
        )


def check_pairs(config: Config) -> None:
    """As :func:`check`, and refuse a head without two linear layers, of which the predictions are."""
    check(config)
    if config.model.linear_layers < 2:
        raise UserError(
            f"model.linear_layers={config.model.linear_layers}: the decay of the imbalance and Theorem B.1 are of two "
            "linear layers or more; allowed is at least 2."
        )
