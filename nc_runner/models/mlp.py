"""A stack of multilayer perceptrons: Linear, activation, BatchNorm after every hidden layer; Linear at the end.

The BatchNorm follows the activation (Pan 2023, section 3.1). Initialisation is torch's default for ``nn.Linear``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nc_runner.config import Activation, ModelConfig, Norm
from nc_runner.models import layers, losses, parameters
from nc_runner.rng import generator

SLOPES = {Activation.relu: 0.0, Activation.leaky_relu: 0.01, Activation.linear: 1.0}


class MLP:
    """T networks of equal shape. ``params``, ``grads`` and ``buffers`` are named tensors ``[T, *shape]``."""

    def __init__(
        self,
        config: ModelConfig,
        inputs: int,
        outputs: int,
        seeds: Sequence[int],
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config
        self.depth = config.depth
        self.trials = len(seeds)
        self.slope = SLOPES[config.activation]
        widths = [inputs] + [config.width] * (config.depth - 1) + [outputs]
        shapes: dict[str, tuple[int, ...]] = {}
        statistics: dict[str, tuple[int, ...]] = {}
        for i in range(1, config.depth + 1):
            shapes |= {f"{i}.weight": (widths[i], widths[i - 1]), f"{i}.bias": (widths[i],)}
            if i < config.depth and config.norm is not Norm.none:
                statistics |= {f"{i}.running_mean": (widths[i],), f"{i}.running_var": (widths[i],)}
                if config.norm is Norm.affine:
                    shapes |= {f"{i}.gamma": (widths[i],), f"{i}.beta": (widths[i],)}
        self.flat = parameters.zeros(self.trials, shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params = parameters.views(self.flat, shapes)
        self.grads = parameters.views(self.flat_grad, shapes)
        self.buffers = {n: torch.zeros(self.trials, *s, device=device, dtype=dtype) for n, s in statistics.items()}
        self._initialise(seeds)

    def _initialise(self, seeds: Sequence[int]) -> None:
        """Weights and biases uniform in +-1/sqrt(fan_in), a generator a trial, so it never sees its neighbours."""
        for t, seed in enumerate(seeds):
            random = generator(seed, "init")
            for i in range(1, self.depth + 1):
                weight, bias = self.params[f"{i}.weight"][t], self.params[f"{i}.bias"][t]
                bound = 1 / math.sqrt(weight.shape[1])
                for tensor in (weight, bias):
                    tensor.copy_(torch.empty(tensor.shape).uniform_(-bound, bound, generator=random))
        for name, tensor in (self.params | self.buffers).items():
            if name.endswith(("gamma", "running_var")):
                tensor.fill_(1.0)

    def activation(self, i: int, h: Tensor) -> Tensor:
        """Hidden layer i's activation before its BatchNorm, [B, T*C], from the layer's input h [B, T*D]."""
        return layers.activation_(self._linear(i, h), self.slope)

    def output_layer(self) -> tuple[Tensor, Tensor]:
        """Weight [T, K, D] and bias [T, K] of the last linear layer."""
        return self.params[f"{self.depth}.weight"], self.params[f"{self.depth}.bias"]

    def _linear(self, i: int, h: Tensor) -> Tensor:
        return layers.linear(h, self.params[f"{i}.weight"], self.params[f"{i}.bias"])

    def _normalise(self, i: int, h: Tensor, *, train: bool, momentum: float) -> layers.Normalized:
        return layers.batch_norm(
            h,
            self.params.get(f"{i}.gamma"),
            self.params.get(f"{i}.beta"),
            self.buffers[f"{i}.running_mean"],
            self.buffers[f"{i}.running_var"],
            train=train,
            momentum=momentum,
            eps=self.config.batch_norm_eps,
        )

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass in train mode; fills all of ``grads`` and moves the running statistics.

        Args:
            x: the trials' inputs [B, T, D].
            targets: their one-hot labels [B, T, K].
        """
        inputs, activated, normalised = [x.flatten(1)], [], []
        for i in range(1, self.depth):
            activated.append(self.activation(i, inputs[-1]))
            if self.buffers:
                normalised.append(
                    self._normalise(i, activated[-1], train=True, momentum=self.config.batch_norm_momentum)
                )
            inputs.append(normalised[-1].out if self.buffers else activated[-1])
        loss = losses.cross_entropy(self._linear(self.depth, inputs[-1]), targets)
        grad = self._linear_backward(self.depth, loss.grad, inputs[-1])
        for i in range(self.depth - 1, 0, -1):
            assert grad is not None
            if self.buffers:
                grad = layers.batch_norm_backward(
                    grad,
                    activated[i - 1],
                    self.params.get(f"{i}.gamma"),
                    normalised[i - 1],
                    eps=self.config.batch_norm_eps,
                    into_gamma=self.grads.get(f"{i}.gamma"),
                    into_beta=self.grads.get(f"{i}.beta"),
                )
            grad = self._linear_backward(
                i, layers.activation_backward(grad, activated[i - 1], self.slope), inputs[i - 1]
            )
        return loss

    def _linear_backward(self, i: int, grad: Tensor, h: Tensor) -> Tensor | None:
        return layers.linear_backward(
            grad,
            h,
            self.params[f"{i}.weight"],
            into_weight=self.grads[f"{i}.weight"],
            into_bias=self.grads[f"{i}.bias"],
            to_input=i > 1,  # nothing needs the gradient at the data
        )

    def features(self, x: Tensor, *, batch_statistics: bool = False) -> Iterator[tuple[int, Tensor]]:
        """In eval mode, the output of each layer on ``x [N, D]``: pairs (layer from 1, [T, N, C]).

        A hidden layer's output is taken after its BatchNorm, or after its activation where there is none; the last
        pair is (depth, logits). With ``batch_statistics`` each BatchNorm uses the statistics of ``x`` itself, as in
        train mode with ``x`` as the one batch; the running statistics stay as they are either way.
        """
        h = x.repeat(1, self.trials)
        for i in range(1, self.depth + 1):
            h = self.activation(i, h) if i < self.depth else self._linear(i, h)
            if i < self.depth and self.buffers:
                h = self._normalise(i, h, train=batch_statistics, momentum=0.0).out
            yield i, layers.split_trials(h, self.trials)
