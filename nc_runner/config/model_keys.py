"""The keys of ``model``: what is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nc_runner.config.choices import Activation, Init, ModelName, Norm, Start
from nc_runner.config.field import key


@dataclass
class ModelConfig:
    name: ModelName = key(
        ModelName.mlp,
        "mlp; residual_mlp, blocks z + activation(W z) between a linear first layer and a linear head; one free vector "
        "for each sample under one linear layer: free_features (norms held fixed), ulpm (norms free); convolutions "
        "under a head like mlp's: resnet20, resnet18, vgg13; own, a network that _target_ names",
    )
    _target_: str | None = key(None, "own: package.module.Class, an nn.Module that ends in a Linear layer")
    args: dict[str, Any] = key({}, "own: arguments that the class is called with, {name: value}")
    depth: int = key(
        6, "number of linear layers, the output layer included; of convolutional networks, of the head", low=1
    )
    width: int = key(200, "width of every hidden layer, of a head's too; dimension of free features", low=1)
    first_width: int | None = key(None, "width of the first hidden layer of mlp; null: that of the others", low=1)
    linear_layers: int = key(
        1, "how many of the last layers of mlp and of heads have no activation between them; 1: the output layer", low=1
    )
    channels: int = key(64, "channels of the first convolution; those of later stages grow with it", low=1)
    norm: Norm = key(
        Norm.affine,
        "BatchNorm after each hidden activation of mlp, and each convolution: affine, plain (gamma 1, beta 0) or none; "
        "of mlp also layer, a LayerNorm with affine part",
    )
    norm_on: list[int] | None = key(None, "hidden layers of mlp, from 1, that have the norm; null: all")
    activation: Activation = key(
        Activation.relu,
        "what follows each hidden linear layer: relu, leaky_relu (slope 0.01), linear (nothing), tanh, gelu, silu, elu",
    )
    dropout: float = key(
        0.0, "share of the outputs of each hidden layer of mlp with an activation set to 0 in training",
        low=0.0, below=1.0,
    )  # fmt: skip
    bias: bool = key(True, "whether the linear layers of mlp, residual_mlp and heads have biases")
    init: Init = key(
        Init.torch,
        "initial weights of linear layers, uniform: torch, of its default variance 1/(3 fan_in); or he, of that which "
        "keeps the mean square of features, 2/fan_in before a ReLU and 1/fan_in where no activation follows",
    )
    batch_norm_eps: float = key(1e-5, "epsilon of BatchNorm and LayerNorm", above=0.0)
    batch_norm_momentum: float = key(
        0.1, "weight of the newest batch in BatchNorm's running statistics", above=0.0, high=1.0
    )
    feature_norm: float = key(1.0, "alpha = sqrt(mean ||h||^2), at which free features are held", above=0.0)
    weight_norm: float = key(
        1.0, "beta = ||W||_F / sqrt(C), at which the weight above free features is held", above=0.0
    )
    start: Start = key(
        Start.normal,
        "where ulpm starts: normal, iid; simplex, at neural collapse; saddle, on Example 3.1's ray. Of mlp: normal, as "
        "init says; interpolating, with the least output weight that fits; collapsed, at zero cluster variation",
    )
    start_scale: float = key(
        1.0,
        "ulpm: standard deviation (normal), root of the logit gap (simplex), r in W = H = r M (saddle)",
        above=0.0,
    )
    start_rank: int | None = key(
        None, "ulpm: dimension of the random subspace a normal start lies in; null: all", low=1
    )
    start_noise: float = key(
        0.0,
        "standard deviation of normal noise added to simplex and saddle starts; of collapsed ones over the root mean "
        "square of each weight",
        low=0.0,
    )
