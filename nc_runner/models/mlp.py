"""A stack of multilayer perceptrons: hidden layers of Linear, activation, norm and dropout; Linear at the end.

The norm follows the activation (Pan 2023, section 3.1). The last ``linear_layers`` layers, one or more, have
nothing between them. Initialisation is torch's default for ``nn.Linear``, or He's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nc_runner.config.choices import BATCH_NORMS, Init, LossName, Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.models import layers, losses, norms, parameters
from nc_runner.models.activations import ACTIVATIONS, NONE, SLOPES, Pointwise
from nc_runner.models.dropout import Dropout
from nc_runner.rng import generator


def initial_gain(config: ModelConfig, activation: Pointwise) -> float:
    """Factor on torch's bound 1/sqrt(fan_in) for weights before an activation.

    He et al. (2015) keep the mean square of features, by a variance of 2/((1 + slope^2) fan_in) before an activation
    that is linear on either side of 0; before others [choice] it is kept at 1.
    """
    return math.sqrt(3 / activation.mean_square) if config.init is Init.he else 1.0


class Passed(NamedTuple):
    """What a forward pass leaves for the backward pass; of a stack of one without the first axis."""

    inputs: list[Tensor]
    """Of each linear layer, [T, B, in]."""
    activated: list[Tensor]
    """Of each hidden layer, after its activation, [T, B, C]."""
    kept: list[Tensor]
    """Of each hidden layer, what the backward pass through its activation looks at."""
    normalised: dict[int, norms.Normalized]
    """Of each hidden layer that has a norm."""
    dropped: dict[int, Tensor]
    """Of each hidden layer with dropout, the factor of each output: 0, or 1/(1 - p)."""
    outputs: Tensor
    """[T, B, K]."""


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
        loss: LossName = LossName.cross_entropy,
        label_smoothing: float = 0.0,
    ) -> None:
        self.config = config
        self.loss = losses.loss_of(loss, label_smoothing)
        self.depth = config.depth
        self.trials = len(seeds)
        self.slope = SLOPES.get(config.activation, math.nan)
        self.linear_from = config.depth - config.linear_layers + 1
        self.pointwise = {
            i: ACTIVATIONS[config.activation] if i < self.linear_from else NONE for i in range(1, config.depth + 1)
        }
        widths = [inputs] + [config.width] * (config.depth - 1) + [outputs]
        if config.first_width is not None:
            widths[1] = config.first_width
        shapes: dict[str, tuple[int, ...]] = {}
        statistics: dict[str, tuple[int, ...]] = {}
        hidden = range(1, config.depth)
        normed = {i for i in hidden if config.norm is not Norm.none and (not config.norm_on or i in config.norm_on)}
        batch_normed = normed if config.norm in BATCH_NORMS else set[int]()
        for i in range(1, config.depth + 1):
            shapes[f"{i}.weight"] = (widths[i], widths[i - 1])
            if config.bias:
                shapes[f"{i}.bias"] = (widths[i],)
            if i in normed:
                if config.norm in BATCH_NORMS:
                    statistics |= {f"{i}.running_mean": (widths[i],), f"{i}.running_var": (widths[i],)}
                if config.norm is not Norm.plain:
                    shapes |= {f"{i}.gamma": (widths[i],), f"{i}.beta": (widths[i],)}
        self.flat = parameters.zeros(self.trials, shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params = parameters.views(self.flat, shapes)
        self.weight_decay: dict[str, Tensor] = {}  # [T] of each parameter, set by the training
        self.grads = parameters.views(self.flat_grad, shapes)
        self.buffers = {n: torch.zeros(self.trials, *s, device=device, dtype=dtype) for n, s in statistics.items()}
        self.linear = {
            i: layers.Linear(
                self.params[f"{i}.weight"],
                self.params.get(f"{i}.bias"),
                self.grads[f"{i}.weight"],
                self.grads.get(f"{i}.bias"),
                inputs_beside=i - 1 in batch_normed,
                outputs_beside=i in batch_normed,
            )
            for i in range(1, config.depth + 1)
        }
        self.norms = {i: self._norm(i) for i in sorted(normed)}
        self.has_batch_norm = bool(batch_normed)
        self.dropout: Dropout | None = None
        if config.dropout:
            self.dropout = Dropout(config.dropout, seeds, device)
            self.buffers["dropout.steps"] = self.dropout.steps
        self._initialise(seeds)

    def _norm(self, i: int) -> norms.BatchNorm | norms.LayerNorm:
        gamma, beta = f"{i}.gamma", f"{i}.beta"
        if self.config.norm is Norm.layer:
            affine = (of[name] for of in (self.params, self.grads) for name in (gamma, beta))
            return norms.LayerNorm(*affine, eps=self.config.batch_norm_eps)
        return norms.BatchNorm(
            self.params.get(gamma),
            self.params.get(beta),
            self.grads.get(gamma),
            self.grads.get(beta),
            self.buffers[f"{i}.running_mean"],
            self.buffers[f"{i}.running_var"],
            momentum=self.config.batch_norm_momentum,
            eps=self.config.batch_norm_eps,
        )

    def _initialise(self, seeds: Sequence[int]) -> None:
        """Weights and biases uniform in +-1/sqrt(fan_in); each trial from a generator of its own.

        With ``model.init=he`` the bound on the weights is larger, so that the mean square of features is kept.
        """
        for t, seed in enumerate(seeds):
            random = generator(seed, "init")
            for i, layer in self.linear.items():
                bound = 1 / math.sqrt(layer.weight.shape[2])
                gain = initial_gain(self.config, self.pointwise[i])
                for tensor, limit in ((layer.weight, gain * bound), (layer.bias, bound)):
                    if tensor is not None:
                        tensor[t].copy_(torch.empty(tensor.shape[1:]).uniform_(-limit, limit, generator=random))
        for name, tensor in (self.params | self.buffers).items():
            if name.endswith(("gamma", "running_var")):
                tensor.fill_(1.0)

    def output_layer(self) -> tuple[Tensor, Tensor | None]:
        """Weight [T, K, D] and bias [T, K], or None, of the last linear layer."""
        return self.linear[self.depth].weight, self.linear[self.depth].bias

    def activation(self, i: int, h: Tensor) -> Tensor:
        """Hidden layer i's activation before its BatchNorm, [T, B, C], from the layer's input h [T, B, D].

        In the linear head there is none, and it is the layer's output.
        """
        return layers.leave(self._activation(i, layers.enter(h)))

    def _activation(self, i: int, h: Tensor) -> Tensor:
        return self.pointwise[i].forward(self.linear[i](h))

    def _activated(self, i: int, h: Tensor) -> tuple[Tensor, Tensor]:
        """As ``_activation``, and what the backward pass through it looks at."""
        z = self.linear[i](h)
        out = self.pointwise[i].forward(z)
        return out, self.pointwise[i].kept(z, out)

    def slope_after(self, i: int) -> float:
        """The slope below 0 of the activation after layer i; 1 where there is none, NaN where it is no line."""
        return self.slope if i < self.linear_from else 1.0

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass in train mode; fills all of ``grads`` and moves the running statistics.

        Args:
            x: the trials' inputs [B, T, D].
            targets: their one-hot labels [B, T, K].
        """
        passed = self._forward(layers.enter(x.transpose(0, 1)), dropout=True)
        loss = self.loss(layers.leave(passed.outputs), targets.transpose(0, 1))
        for i, h, delta in self._backward(passed, layers.enter(loss.grad)):
            self.linear[i].gradient(delta, h)
        return loss

    def backpropagated(self, x: Tensor, targets: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Of each linear layer, from the last to the first: (layer, its inputs z, its signals delta).

        delta_i is the gradient of sample i's own loss at the layer's output before its activation, so that the
        gradient of the mean loss at the weight is ``(1/N) delta^T z``.

        Args:
            x: inputs [N, D], the same for all trials.
            targets: one-hot labels [N, K].

        Returns:
            Inputs [T, N, in] and signals [T, N, out].

        Raises:
            ValueError: the network has BatchNorm, through which the samples' losses are not separate.
        """
        if self.has_batch_norm:
            raise ValueError("a network with BatchNorm has no loss of one sample alone.")
        passed = self._forward(layers.enter(x.expand(self.trials, -1, -1)))
        loss = self.loss(layers.leave(passed.outputs), targets.expand(self.trials, -1, -1))
        for i, h, delta in self._backward(passed, layers.enter(loss.grad * len(x))):
            yield i, layers.leave(h), layers.leave(delta)

    def _forward(self, x: Tensor, *, dropout: bool = False) -> Passed:
        """In train mode, from x [T, B, D], or [B, D] of a stack of one; without dropout unless told."""
        passed = Passed([x], [], [], {}, {}, x)
        step = self.dropout.begin() if dropout and self.dropout else None
        for i in range(1, self.depth):
            out, kept = self._activated(i, passed.inputs[-1])
            passed.activated.append(out)
            passed.kept.append(kept)
            if i in self.norms:
                passed.normalised[i] = self.norms[i](out, train=True)
                out = passed.normalised[i].out
            if step is not None and self.dropout and i < self.linear_from:
                passed.dropped[i] = self.dropout.factors(step, i, out)
                out = out * passed.dropped[i]
            passed.inputs.append(out)
        return passed._replace(outputs=self.linear[self.depth](passed.inputs[-1]))

    def _backward(self, passed: Passed, grad: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Every layer from the last, its inputs, the gradient before its activation; fills BatchNorm's ``grads``."""
        yield self.depth, passed.inputs[-1], grad
        for i in range(self.depth - 1, 0, -1):
            grad = self.linear[i + 1].to_input(grad)
            if i in passed.dropped:
                grad = grad * passed.dropped[i]
            if i in passed.normalised:
                grad = self.norms[i].backward(grad, passed.activated[i - 1], passed.normalised[i])
            grad = self.pointwise[i].backward(grad, passed.kept[i - 1])
            yield i, passed.inputs[i - 1], grad

    def features(self, x: Tensor, *, batch_statistics: bool = False) -> Iterator[tuple[int, Tensor]]:
        """In eval mode, the output of each layer on ``x [N, D]``: pairs (layer from 1, [T, N, C]).

        A hidden layer's output is taken after its norm, or after its activation where there is none; the last
        pair is (depth, logits). With ``batch_statistics`` each BatchNorm uses the statistics of ``x`` itself, as in
        train mode with ``x`` as the one batch; the running statistics stay as they are either way.
        """
        h = layers.enter(x.expand(self.trials, -1, -1))
        for i in range(1, self.depth + 1):
            h = self._activation(i, h) if i < self.depth else self.linear[i](h)
            if i in self.norms:
                h = self.norms[i](h, train=batch_statistics, momentum=0.0).out
            yield i, layers.leave(h)
