"""A stack of convolutional networks: a backbone of convolutions, the mean over pixels, and a head of linear layers.

The trials lie side by side in the channels: an activation is ``[B, T*C, H, W]``, a convolution one of T groups, and
BatchNorm over (trial, channel) the ordinary one. A stack of one is an ordinary network whose weights are views.
Gradients are autograd's: beside convolutions its overhead is negligible.

Convolutions start with the normal weights of He et al. 2015 (variance 2 / fan-out), BatchNorm with gamma 1 and beta 0,
the head like that of an MLP (``model.init``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nc_runner.config.choices import LossName, ModelName
from nc_runner.config.schema import ModelConfig
from nc_runner.models import layers, losses, parameters
from nc_runner.models.activations import ACTIVATIONS, NONE
from nc_runner.models.mlp import initial_gain
from nc_runner.models.resnet import resnet18, resnet20
from nc_runner.models.vgg import vgg13
from nc_runner.rng import generator

BACKBONES = {ModelName.resnet20: resnet20, ModelName.resnet18: resnet18, ModelName.vgg13: vgg13}

# The most images in a chunk in eval mode, over all trials, and the most bytes of its widest activation. With 64 images
# the activations stay near a CPU's caches (ResNet20: 1940 images a second, 1850 with 128); a GPU needs many to be busy.
_CHUNKS = {"cpu": (64, 2**24), "cuda": (1024, 2**29)}


class ConvolutionalNetwork:
    """T networks of equal shape. ``params``, ``grads`` and ``buffers`` are named tensors ``[T, *shape]``.

    Layers are those of the head, from 1 to ``depth``, named as in an MLP; 0 is the backbone's output. The names of the
    backbone's parameters begin with "backbone.".
    """

    def __init__(
        self,
        config: ModelConfig,
        colours: int,
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
        self.pointwise = ACTIVATIONS[config.activation]
        self.backbone = BACKBONES[config.name](colours, config.channels, self.trials)
        # oneDNN's convolutions and torch's BatchNorm are faster with the channels last (ResNet20, batch 128, one core:
        # 250 ms a step in place of 315). So are cuDNN's on tensor cores, but those of float32 are not (ResNet20 on an
        # H100, images a second: 16,000 with the channels last in place of 22,000; with TF32 38,000 in place of 32,000).
        precision = "highest" if device.type == "cpu" else torch.get_float32_matmul_precision()
        self.layout = (
            torch.contiguous_format if device.type == "cuda" and precision == "highest" else torch.channels_last
        )
        self.inside = torch.bfloat16 if precision == "medium" else dtype  # of activations in the backbone
        shapes: dict[str, tuple[int, ...]] = {}
        statistics: dict[str, tuple[int, ...]] = {}
        for name, unit in self.backbone.units.items():
            shapes[f"backbone.{name}.weight"] = (unit.outputs, unit.inputs, unit.kernel, unit.kernel)
            shapes |= {f"backbone.{name}.{of}": (unit.outputs,) for of in ("gamma", "beta")}
            statistics |= {f"backbone.{name}.{of}": (unit.outputs,) for of in ("running_mean", "running_var")}
        widths = [self.backbone.features] + [config.width] * (config.depth - 1) + [outputs]
        for i in range(1, config.depth + 1):
            shapes[f"{i}.weight"] = (widths[i], widths[i - 1])
            if config.bias:
                shapes[f"{i}.bias"] = (widths[i],)
        self.shapes = shapes
        self.flat = parameters.zeros(self.trials, shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params = parameters.views(self.flat, shapes)
        self.weight_decay: dict[str, Tensor] = {}  # [T] of each parameter, set by the training
        self.grads = parameters.views(self.flat_grad, shapes)
        self.buffers = {n: torch.zeros(self.trials, *s, device=device, dtype=dtype) for n, s in statistics.items()}
        self._initialise(seeds)

    def _initialise(self, seeds: Sequence[int]) -> None:
        """Each trial from a generator of its own, so that it does not depend on its neighbours."""
        for name, tensor in (self.params | self.buffers).items():
            if name.endswith(("gamma", "running_var")):
                tensor.fill_(1.0)
        for t, seed in enumerate(seeds):
            random = generator(seed, "init")
            for name in self.backbone.units:
                weight = self.params[f"backbone.{name}.weight"][t]
                fan_out = math.prod(weight.shape) // weight.shape[1]
                weight.copy_(torch.empty(weight.shape).normal_(0, math.sqrt(2 / fan_out), generator=random))
            for i in range(1, self.depth + 1):
                bound = 1 / math.sqrt(self.params[f"{i}.weight"].shape[2])
                before = self.pointwise if i <= self.depth - self.config.linear_layers else NONE
                gain = initial_gain(self.config, before)
                for name, limit in ((f"{i}.weight", gain * bound), (f"{i}.bias", bound))[: 1 + self.config.bias]:
                    tensor = self.params[name][t]
                    tensor.copy_(torch.empty(tensor.shape).uniform_(-limit, limit, generator=random))

    def output_layer(self) -> tuple[Tensor, Tensor | None]:
        """Weight [T, K, D] and bias [T, K], or None, of the last linear layer."""
        return self.params[f"{self.depth}.weight"], self.params.get(f"{self.depth}.bias")

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass in train mode; fills all of ``grads`` and moves the running statistics.

        Args:
            x: the trials' images [B, T, C, H, W].
            targets: their one-hot labels [B, T, K].
        """
        flat = self.flat.detach().requires_grad_()
        with torch.enable_grad():
            named = parameters.split(flat, self.shapes)
            h = self._backbone(named, x.flatten(1, 2), train=True, momentum=self.config.batch_norm_momentum)
            for i in range(1, self.depth + 1):
                h = self._linear(named, i, h)
        loss = self.loss(h.detach(), targets.transpose(0, 1))
        self.flat_grad.copy_(torch.autograd.grad(h, flat, loss.grad)[0])
        return loss

    def _backbone(self, params: dict[str, Tensor], x: Tensor, *, train: bool, momentum: float) -> Tensor:
        """Features [T, B, D] of images x [B, T*C, H, W]."""

        def apply(name: str, h: Tensor) -> Tensor:
            unit, name = self.backbone.units[name], f"backbone.{name}"
            weight, gamma, beta = (params[f"{name}.{of}"].flatten(0, 1) for of in ("weight", "gamma", "beta"))
            h = convolution(h, weight.to(h.dtype), stride=unit.stride, groups=self.trials)
            mean, var = (self.buffers[f"{name}.{of}"].view(-1) for of in ("running_mean", "running_var"))
            return functional.batch_norm(h, mean, var, gamma, beta, train, momentum, self.config.batch_norm_eps)

        # The strides of a tensor with one channel do not tell its layout, so it is copied into one of the right layout.
        images = torch.empty(x.shape, device=x.device, dtype=self.inside, memory_format=self.layout).copy_(x)
        features = self.backbone.run(apply, images).mean((2, 3), dtype=x.dtype)
        return layers.leave(layers.split_trials(features, self.trials))

    def _linear(self, params: dict[str, Tensor], i: int, h: Tensor) -> Tensor:
        """Layer i of the head, its activation included where it has one: [T, B, in] -> [T, B, out]."""
        weight, bias = params[f"{i}.weight"].mT, params.get(f"{i}.bias")
        h = torch.bmm(h, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), h, weight)
        return self.pointwise.forward(h) if i <= self.depth - self.config.linear_layers else h

    def features(self, x: Tensor, *, batch_statistics: bool = False) -> Iterator[tuple[int, Tensor]]:
        """In eval mode, the backbone's output and that of each layer of the head on images ``x [N, C, H, W]``.

        Pairs (0, [T, N, D]) and (layer from 1, [T, N, C]), a layer's output taken after its activation where it has
        one; the last pair is (depth, logits). Images pass in chunks, so memory does not grow with their number.

        With ``batch_statistics`` each BatchNorm uses the statistics of ``x`` itself, as in train mode with ``x`` as the
        one batch, which has to fit in memory; the running statistics stay as they are either way.
        """
        most, most_bytes = _CHUNKS[x.device.type]
        widest = self.config.channels * x[0, 0].numel() * x.element_size()
        size = len(x) if batch_statistics else max(1, min(most, most_bytes // widest) // self.trials)
        chunks = (chunk.repeat(1, self.trials, 1, 1) for chunk in x.split(size))
        h = torch.cat([self._backbone(self.params, c, train=batch_statistics, momentum=0.0) for c in chunks], dim=1)
        yield 0, h
        for i in range(1, self.depth + 1):
            h = self._linear(self.params, i, h)
            yield i, h


def convolution(h: Tensor, weight: Tensor, *, stride: int, groups: int) -> Tensor:
    """``[B, groups * in, H, W]`` by ``[groups * out, in, k, k]``, k odd, padded so that stride 1 keeps H and W.

    A 1 x 1 convolution with a stride takes every stride-th pixel first, and is then one of stride 1: the same product.
    oneDNN, as torch 2.13 calls it, corrupts the heap in the backward pass of the strided one on processors with AVX2
    alone, with the channels last and 2 to 6 of them going in: the process aborts, then or later.
    """
    kernel = weight.shape[-1]
    if kernel == 1 and stride > 1:
        h, stride = h[:, :, ::stride, ::stride], 1
    return functional.conv2d(h, weight, None, stride, kernel // 2, groups=groups)
