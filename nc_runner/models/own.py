"""A network of a person's own: any ``nn.Module`` that ends in a Linear layer, one at a time.

Its parameters are views of one flat tensor, as those of stacks are, so that they have the same optimisers, checkpoints
and weights. Gradients are autograd's. What the module draws at random, such as dropout, is a function of the trial's
seed and the step, as all draws are.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nc_runner.config.choices import LossName
from nc_runner.config.schema import ModelConfig
from nc_runner.errors import UserError
from nc_runner.models import losses, parameters
from nc_runner.rng import generator

_generators = threading.Lock()  # torch's, which stacks on a GPU, in threads, have together
_CHUNKS = {"cpu": 64, "cuda": 1024}  # samples that pass at once in eval mode


class OwnNetwork:
    """A stack of one. ``params``, ``grads`` and ``buffers`` are named tensors ``[1, *shape]``.

    Layer 0 is what enters the last Linear layer and layer 1 what leaves it, the logits. The names of its weight and
    bias are "1.weight" and "1.bias", those of all else begin with "backbone.". What needs no gradient is a buffer.

    Args:
        x: inputs [N, D] or [N, C, H, W], of which a few are looked at.

    Raises:
        UserError: no such module, or one that cannot be used.
    """

    depth = 1
    trials = 1

    def __init__(
        self,
        config: ModelConfig,
        x: Tensor,
        outputs: int,
        seeds: Sequence[int],
        *,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        loss: LossName = LossName.cross_entropy,
        label_smoothing: float = 0.0,
    ) -> None:
        (self.seed,) = seeds
        self.config, self.loss = config, losses.loss_of(loss, label_smoothing)
        self.module = made(config, self.seed).to(device, dtype)
        self.head = head_of(self.module, x[:2].to(device, dtype), outputs, config)
        own = dict(self.module.named_parameters())
        self.names = {self._ours(name): name for name, tensor in own.items() if tensor.requires_grad}
        self.shapes = {ours: tuple(own[name].shape) for ours, name in self.names.items()}
        self.flat = parameters.zeros(1, self.shapes, device=device, dtype=dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.params, self.grads = (parameters.views(of, self.shapes) for of in (self.flat, self.flat_grad))
        self.weight_decay: dict[str, Tensor] = {}  # [T] of each parameter, set by the training
        for ours, name in self.names.items():
            self.params[ours][0] = own[name].detach()
        still = {name: tensor for name, tensor in own.items() if not tensor.requires_grad}
        self.still = {self._ours(name): name for name in [*still, *dict(self.module.named_buffers())]}
        held = still | dict(self.module.named_buffers())
        self.buffers = {ours: held[name].detach().clone()[None] for ours, name in self.still.items()}
        self.steps = self.buffers["steps"] = torch.zeros(1, device=device, dtype=torch.int64)

    def _ours(self, name: str) -> str:
        return f"1.{name.rpartition('.')[2]}" if name.rpartition(".")[0] == self.head else f"backbone.{name}"

    def _logits(self, params: dict[str, Tensor], x: Tensor) -> Tensor:
        """The module's outputs [B, K] on inputs x [B, ...], with these parameters; moves the buffers where it does."""
        values = {name: params[ours][0] for ours, name in self.names.items()}
        values |= {name: self.buffers[ours][0] for ours, name in self.still.items()}
        out: Tensor = torch.func.functional_call(self.module, values, (x.clone(),))  # it may change x in place
        return out

    def output_layer(self) -> tuple[Tensor, Tensor | None]:
        """Weight [1, K, D] and bias [1, K], or None, of the last linear layer."""
        return self.params["1.weight"], self.params.get("1.bias")

    def loss_and_gradient(self, x: Tensor, targets: Tensor) -> losses.Loss:
        """One forward and backward pass in train mode; fills all of ``grads``.

        Args:
            x: the inputs [B, 1, ...].
            targets: their one-hot labels [B, 1, K].
        """
        flat = self.flat.detach().requires_grad_()
        self.module.train()
        with torch.enable_grad(), drawing(generator(self.seed, "own network", int(self.steps)), x.device):
            logits = self._logits(parameters.split(flat, self.shapes), x[:, 0])[None]
        self.steps.add_(1)
        loss = self.loss(logits.detach(), targets.transpose(0, 1))
        self.flat_grad.copy_(torch.autograd.grad(logits, flat, loss.grad)[0])
        return loss

    def features(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """In eval mode (0, what enters the last linear layer [1, N, D]) and (1, logits [1, N, K]) on inputs x."""
        seen: list[Tensor] = []
        self.module.eval()
        hook = self.module.get_submodule(self.head).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            with torch.no_grad():
                logits = torch.cat([self._logits(self.params, part) for part in x.split(_CHUNKS[x.device.type])])
        finally:
            hook.remove()
        yield 0, torch.cat(seen)[None]
        yield 1, logits[None]


def made(config: ModelConfig, seed: int) -> nn.Module:
    """The module, its initial weights drawn on the CPU from the seed.

    Raises:
        UserError: it cannot be imported or made, or is none.
    """
    target = str(config._target_)
    where, _, name = target.rpartition(".")
    try:
        with drawing(generator(seed, "init"), torch.device("cpu")):
            module = getattr(importlib.import_module(where), name)(**config.args)
    except Exception as error:  # of anyone's code
        raise UserError(
            f"model._target_={target}: cannot be made with model.args={config.args} ({type(error).__name__}: {error}); "
            "allowed is package.module.Class, that Python can import, and its arguments."
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"model._target_={target}: is a {type(module).__name__}; allowed is an nn.Module.")
    return module


def head_of(module: nn.Module, x: Tensor, outputs: int, config: ModelConfig) -> str:
    """The name of the Linear layer whose outputs are the module's, found on a few inputs x.

    Raises:
        UserError: the module cannot take x, its outputs are no logits of so many classes, or no Linear layer's.
    """
    what, ran = f"model._target_={config._target_}", dict[str, Any]()
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: ran.update({name: out.detach().clone()}))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and name
    ]
    module.eval()
    try:
        with torch.no_grad():
            logits = module(x.clone())
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else ""
        raise UserError(
            f"{what}: cannot take inputs of shape {list(x.shape)} ({type(error).__name__}: {reason}); allowed is a "
            "network of these data."
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    if not isinstance(logits, Tensor) or logits.shape != (len(x), outputs):
        gives = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(f"{what}: gives {gives} of {len(x)} samples; allowed is [{len(x)}, {outputs}], their logits.")
    heads = [name for name, out in ran.items() if out.shape == logits.shape and torch.equal(out, logits)]
    if not heads or f"{heads[-1]}.weight" not in dict(module.named_parameters()):
        raise UserError(
            f"{what}: its outputs are not those of a Linear layer of its own; allowed is a network that ends in one, "
            "without a softmax."
        )
    return heads[-1]


@contextmanager
def drawing(random: torch.Generator, device: torch.device) -> Iterator[None]:
    """Torch's own generators as this one begins, and afterwards as they were."""
    with _generators, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(random.initial_seed())
        yield
