"""A stack of unconstrained layer-peeled models (Ji et al. 2022): logits W h_i of free features h_i, without bias.

Nothing bounds the norms and nothing else is learned; the inputs are not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nc_runner.config.choices import Start
from nc_runner.config.schema import ModelConfig
from nc_runner.models import losses, parameters
from nc_runner.rng import generator

# Example 3.1 of Ji et al. (2022): on the ray W = H = r M the loss falls to 0 without neural collapse.
SADDLE = torch.tensor([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]], dtype=torch.float64)


class ULPM:
    """T models of equal shape: features [T, N, D] and weight [T, K, D].

    ``start`` are ``params`` before training. ``log1p_time`` [T] is log(1 + t) where a gradient flow or descent
    moves the model, and NaN otherwise.
    """

    depth = 2  # features, logits

    def __init__(
        self,
        config: ModelConfig,
        samples: int,
        outputs: int,
        seeds: Sequence[int],
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.config = config
        self.trials = len(seeds)
        shapes = {"1.features": (samples, config.width), "2.weight": (outputs, config.width)}
        self.flat = parameters.zeros(self.trials, shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params = parameters.views(self.flat, shapes)
        self.weight_decay: dict[str, Tensor] = {}  # [T] of each parameter, set by the training
        self.grads = parameters.views(self.flat_grad, shapes)
        self.log1p_time = torch.full((self.trials,), math.nan, device=device, dtype=torch.float64)
        self.buffers: dict[str, Tensor] = {"log1p_time": self.log1p_time}
        for t, seed in enumerate(seeds):
            features, weight = start(config, samples, outputs, seed)
            self.params["1.features"][t].copy_(features)
            self.params["2.weight"][t].copy_(weight)
        self.start = {name: tensor.clone() for name, tensor in self.params.items()}

    def output_layer(self) -> tuple[Tensor, None]:
        """Weight [T, K, D] of the linear layer; it has no bias."""
        return self.params["2.weight"], None

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass of the mean cross-entropy; fills all of ``grads``.

        Args:
            x: not used.
            targets: one-hot labels [N, T, K] of all samples, in order.
        """
        features, weight = self.params["1.features"], self.params["2.weight"]
        loss = losses.cross_entropy(features @ weight.mT, targets.transpose(0, 1))
        torch.matmul(loss.grad, weight, out=self.grads["1.features"])
        torch.matmul(loss.grad.mT, features, out=self.grads["2.weight"])
        return loss

    def features(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The features and the logits of all samples: pairs (1, [T, N, D]) and (2, [T, N, K])."""
        features, weight = self.params["1.features"], self.params["2.weight"]
        yield 1, features
        yield 2, features @ weight.mT

    def fit(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy and accuracy [T]."""
        logits = self.params["1.features"] @ self.params["2.weight"].mT
        log_p = logits.log_softmax(-1)[:, range(len(labels)), labels]
        return -log_p.mean(-1), (logits.argmax(-1) == labels).double().mean(-1)


def start(config: ModelConfig, samples: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Features [N, D] and weight [K, D] at t = 0, float64; samples are labelled 0, .., K-1, 0, .., K-1, ..

    normal: iid N(0, start_scale^2), projected on start_rank random dimensions. simplex: neural collapse with
    ||W||_F = ||H||_F and logit gap start_scale^2, in a random orientation. saddle: W = H = start_scale M of
    Example 3.1. The last two with iid N(0, start_noise^2) added.
    """
    width, scale, random = config.width, config.start_scale, generator(seed, "init")

    def normal(rows: int) -> Tensor:
        return torch.randn(rows, width, generator=random, dtype=torch.float64)

    if config.start is Start.normal:
        weight, features = scale * normal(classes), scale * normal(samples)
        if config.start_rank is not None and config.start_rank < width:
            basis = torch.linalg.qr(normal(width)).Q[:, : config.start_rank]
            weight, features = weight @ basis @ basis.T, features @ basis @ basis.T
        return features, weight
    per_class = samples // classes
    if config.start is Start.saddle:
        weight = torch.zeros(classes, width, dtype=torch.float64)
        weight[:, :4] = scale * SADDLE
        feature_of_class = weight
    else:
        frame = torch.linalg.qr(normal(width)).Q[:classes]
        centred = (frame - frame.mean(0)) * math.sqrt(classes / (classes - 1))  # unit rows at a simplex's angles
        feature_norm = scale * math.sqrt((classes - 1) / (classes * math.sqrt(per_class)))
        feature_of_class = feature_norm * centred
        weight = math.sqrt(per_class) * feature_of_class
    weight = weight + config.start_noise * normal(classes)
    return feature_of_class.repeat(per_class, 1) + config.start_noise * normal(samples), weight
