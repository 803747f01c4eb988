"""A stack of layer-peeled models: one free vector a sample under one linear layer without bias, at given norms.

It is a network whose layers below the last could send every sample anywhere. The root mean square feature norm, alpha,
and the weight norm ||W||_F / sqrt(K), beta, are held fixed and not only bounded, by dividing the parameters by their
norms. So with balanced classes the cross-entropy is at least m(alpha, beta) at every step (Pan 2023, section 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nc_runner.config.schema import ModelConfig
from nc_runner.models import losses, parameters
from nc_runner.rng import generator


class FreeFeatures:
    """T models of equal shape. ``params`` are directions; ``scaled`` gives the features and weight they stand for.

    The only batch is the whole training set, in order. The inputs are not looked at.
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
        self.radii = {
            "1.features": config.feature_norm * math.sqrt(samples),
            "2.weight": config.weight_norm * math.sqrt(outputs),
        }
        self.flat = parameters.zeros(self.trials, shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params = parameters.views(self.flat, shapes)
        self.weight_decay: dict[str, Tensor] = {}  # [T] of each parameter, set by the training
        self.grads = parameters.views(self.flat_grad, shapes)
        self.buffers: dict[str, Tensor] = {}
        for t, seed in enumerate(seeds):
            random = generator(seed, "init")
            for tensor in self.params.values():
                # Of norm 1, so that what a step size does depends on neither the number of samples nor the width.
                direction = torch.randn(tensor.shape[1:], generator=random, dtype=torch.float64)
                tensor[t].copy_(direction / direction.norm())

    def scaled(self, name: str) -> tuple[Tensor, Tensor]:
        """A parameter at its radius [T, rows, D], and the factor [T, 1, 1] that took it there."""
        raw = self.params[name]
        factor = self.radii[name] / torch.linalg.vector_norm(raw, dim=(-2, -1), keepdim=True)
        return factor * raw, factor

    def output_layer(self) -> tuple[Tensor, None]:
        """Weight [T, K, D] of the linear layer; it has no bias."""
        return self.scaled("2.weight")[0], None

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass; fills all of ``grads``.

        Args:
            x: not used.
            targets: one-hot labels [N, T, K] of all samples, in order.
        """
        features, of_features = self.scaled("1.features")
        weight, of_weight = self.scaled("2.weight")
        loss = losses.cross_entropy(features @ weight.mT, targets.transpose(0, 1))
        self._backward("1.features", loss.grad @ weight, features, of_features)
        self._backward("2.weight", loss.grad.mT @ features, weight, of_weight)
        return loss

    def _backward(self, name: str, grad: Tensor, scaled: Tensor, factor: Tensor) -> None:
        """Backward through the scaling: the radial part of the gradient drops out, the rest is scaled by ``factor``."""
        radial = (grad * scaled).sum((-2, -1), keepdim=True) / self.radii[name] ** 2
        torch.mul(grad - radial * scaled, factor, out=self.grads[name])

    def features(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The features and the logits of all samples: pairs (1, [T, N, D]) and (2, [T, N, K])."""
        features, _ = self.scaled("1.features")
        yield 1, features
        yield 2, features @ self.output_layer()[0].mT
