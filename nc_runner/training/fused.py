"""Training steps of stacks of MLPs on a GPU in few kernels (``kernels.py``, ``chain_kernels.py``).

Both are the step of :meth:`nc_runner.training.sgd.SGD.update`, within rounding. A textbook step is more than a hundred
small kernels, whose starting costs more than their arithmetic.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from nc_runner.config.choices import BATCH_NORMS, Activation, LossName, Norm, Optimizer
from nc_runner.config.schema import Config
from nc_runner.models.mlp import MLP
from nc_runner.training.optimizers import Rates

_MOST_ROWS = 256  # of a minibatch, all of which a program holds
_MOST_ROWS_CHAINED = 1024  # with more, the few programs of a weight's gradient would keep a GPU waiting
_MOST_OUTPUTS = 256
_MOST_WIDTH_CHAINED = 64  # of hidden layers that stay in registers


class Stack(Protocol):
    """What a step reads and changes of a stack in training by SGD (:class:`nc_runner.training.sgd.SGD`)."""

    config: Config
    network: Any
    batch_size: int
    device: torch.device
    x: Tensor
    y: Tensor
    targets: Tensor
    rates: Rates
    optimizer: Any
    loss_sum: Tensor
    correct: Tensor


def fused_step(training: Stack) -> Callable[[Tensor], None] | None:
    """What takes a batch int64 [B, T] of sample numbers and changes the training's state; None where none applies.

    They are for MLPs in float32 with minibatches of a usual size, and need Triton, which comes with torch for CUDA.
    """
    config, rows = training.config, training.batch_size
    mlp = type(training.network) is MLP and training.x.dtype is torch.float32
    if (
        not mlp
        or not known(config)
        or config.data.classes > _MOST_OUTPUTS
        or importlib.util.find_spec("triton") is None
    ):
        return None
    narrow = config.model.norm is Norm.none and config.model.depth > 1 and config.model.width <= _MOST_WIDTH_CHAINED
    if narrow and rows <= _MOST_ROWS_CHAINED:
        return ChainedStep(training)
    return LayeredStep(training) if rows <= _MOST_ROWS else None


def known(config: Config) -> bool:
    """Whether the kernels know all that a step of this config does: plain SGD, activations that are linear by parts,
    BatchNorm everywhere or no norm, one width."""
    model, train = config.model, config.train
    return (
        train.optimizer in (Optimizer.sgd, Optimizer.gd)
        and train.gradient_clip is None
        and not train.label_smoothing
        and model.activation in (Activation.relu, Activation.leaky_relu, Activation.linear)
        and (model.norm is Norm.none or model.norm in BATCH_NORMS)
        and model.norm_on is None
        and model.first_width is None
        and not model.dropout
    )


def _power_of_2(n: int, least: int) -> int:
    return max(least, 1 << (n - 1).bit_length())


def _offsets(network: MLP) -> dict[int, tuple[int, int, int, int]]:
    """Of each layer, where weight, bias, gamma and beta begin in a trial's parameters; 0 where there is none."""
    starts, end = {}, 0
    for name, tensor in network.params.items():
        starts[name] = end
        end += tensor[0].numel()
    kinds = ("weight", "bias", "gamma", "beta")
    return {i: tuple(starts.get(f"{i}.{kind}", 0) for kind in kinds) for i in network.linear}  # type: ignore[misc]


def _widths(training: Stack, network: MLP) -> list[int]:
    return [training.x.shape[1], *(layer.weight.shape[1] for layer in network.linear.values())]


class LayeredStep:
    """Matrix products by cuBLAS, and one kernel between two: bias, activation and BatchNorm, or back through them.

    Args:
        columns: channels of a program.
    """

    def __init__(self, training: Stack, *, columns: int = 16, warps: int = 4) -> None:
        from nc_runner.training import kernels

        assert isinstance(training.network, MLP)
        self.kernels, self.training, self.network = kernels, training, training.network
        self.widths, self.offsets = _widths(training, self.network), _offsets(self.network)
        self.columns, self.warps = columns, warps
        self.all_rows = _power_of_2(training.batch_size, 16)
        self.workspaces: dict[int, tuple[Tensor, Tensor, list[list[Tensor]]]] = {}

    def _workspace(self, rows: int) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """For so many rows: inputs, labels, and of each layer activation, BatchNorm's output, mean, 1/std and delta."""
        if rows not in self.workspaces:
            x, trials = self.training.x, self.network.trials
            hidden = [[x.new_empty(trials, rows, width) for _ in range(3)] for width in self.widths[1:]]
            statistics = [[x.new_empty(trials, width) for _ in range(2)] for width in self.widths[1:]]
            layers = [[z, out, *of, delta] for (z, out, delta), of in zip(hidden, statistics, strict=True)]
            labels = self.training.y.new_empty(trials, rows)
            self.workspaces[rows] = x.new_empty(trials, rows, self.widths[0]), labels, layers
        return self.workspaces[rows]

    def __call__(self, batch: Tensor) -> None:
        k, training, network, model = self.kernels, self.training, self.network, self.training.config.model
        rows, trials, flat, grads = len(batch), network.trials, network.flat, network.flat_grad
        parameters, rates = flat.shape[1], training.rates
        bias, norm, affine = model.bias, model.norm is not Norm.none, model.norm is Norm.affine
        x, y, layers = self._workspace(rows)
        shape = {"M": self.all_rows, "num_warps": self.warps}
        grid = (-(-rows // 16), -(-self.widths[0] // 256), trials)
        k.gather[grid](training.x, training.y, batch, *batch.stride(), x, y, rows, self.widths[0], ROWS=16, COLUMNS=256)

        h, inputs = x, []
        for i, (z, out, mean, inverse_std, delta) in enumerate(layers, 1):
            inputs.append(h)
            torch.bmm(h, network.linear[i].transposed, out=z)
            _, bias_at, gamma_at, beta_at = self.offsets[i]
            if i == network.depth:
                k.loss[(trials,)](
                    z, flat, grads, parameters, bias_at, y, rows, delta, training.loss_sum, training.correct,
                    rows, self.widths[-1], BIAS=bias, MSE=training.config.train.loss is LossName.mse,
                    N=_power_of_2(self.widths[-1], 16), **shape,
                )  # fmt: skip
                break
            k.activate[(-(-self.widths[i] // self.columns), trials)](
                z, flat, parameters, bias_at, gamma_at, beta_at, out, mean, inverse_std,
                network.buffers.get(f"{i}.running_mean", flat), network.buffers.get(f"{i}.running_var", flat),
                rows, self.widths[i], network.slope_after(i), model.batch_norm_eps, model.batch_norm_momentum,
                BIAS=bias, NORM=norm, AFFINE=affine, N=self.columns, **shape,
            )  # fmt: skip
            h = out if norm else z

        for i in range(network.depth, 0, -1):
            delta = layers[i - 1][-1]
            torch.bmm(delta.mT, inputs[i - 1], out=network.grads[f"{i}.weight"])
            if i == 1:
                break
            z, _, mean, inverse_std, below = layers[i - 2]
            torch.bmm(delta, network.linear[i].weight, out=below)
            k.backward[(-(-self.widths[i - 1] // self.columns), trials)](
                below, flat, grads, parameters, *self.offsets[i - 1][1:], z, mean, inverse_std,
                rows, self.widths[i - 1], network.slope_after(i - 1),
                BIAS=bias, NORM=norm, AFFINE=affine, N=self.columns, **shape,
            )  # fmt: skip
        k.descend[(-(-parameters // 1024), trials)](
            flat, grads, training.optimizer.buffer, parameters, rates.lr, rates.momentum,
            rates.weight_decay, rates.weight_decay.stride(0), int(rates.weight_decay.shape[1] > 1), N=1024,
        )  # fmt: skip


class ChainedStep:
    """Two kernels: all layers forward and back for a few rows; then all gradients of weights, each used up at once.

    Products are float32, in the kernels: at these widths a call of cuBLAS takes longer than its product.

    Args:
        rows: of a program of the first kernel; inner: how much of a sum is read at a time; tile: of a gradient.
    """

    def __init__(
        self,
        training: Stack,
        *,
        rows: int = 16,
        inner: int = 32,
        tile: int = 64,
        precision: str = "ieee",
        warps: int = 4,
    ) -> None:
        from nc_runner.training import chain_kernels

        assert isinstance(training.network, MLP)
        self.kernels, self.training, self.network = chain_kernels, training, training.network
        self.rows, self.inner, self.tile, self.precision, self.warps = rows, inner, tile, precision, warps
        network, batch, device = self.network, training.batch_size, training.device
        self.widths, offsets = _widths(training, network), _offsets(network)
        self.decays = torch.stack([network.weight_decay[f"{i}.weight"] for i in network.linear], 1).contiguous()
        places, end = [], 0
        for i in network.linear:
            size = network.trials * batch * self.widths[i]
            places.append((self.widths[i], self.widths[i - 1], *offsets[i][:2], end, end + size))
            end += 2 * size
        self.layers = torch.tensor(places, dtype=torch.int64, device=device)
        self.memory = torch.empty(end, device=device)
        of_layer = [(-(-out // tile), -(-into // tile)) for out, into, *_ in places]
        tiles = [(i, a, b) for i, (outs, ins) in enumerate(of_layer) for a in range(outs) for b in range(ins)]
        self.tiles = torch.tensor(tiles, dtype=torch.int32, device=device)
        self.row_tiles = -(-batch // rows)
        self.losses = torch.zeros(network.trials, self.row_tiles, dtype=torch.float64, device=device)
        self.rights = torch.zeros(network.trials, self.row_tiles, dtype=torch.int64, device=device)

    def __call__(self, batch: Tensor) -> None:
        training, network, config = self.training, self.network, self.training.config
        parameters, trials = network.flat.shape[1], network.trials
        shape = {
            "DEPTH": network.depth,
            "BIAS": config.model.bias,
            "PRECISION": self.precision,
            "num_warps": self.warps,
        }
        self.kernels.chain[(self.row_tiles, trials)](
            training.x, training.y, batch, *batch.stride(), network.flat, parameters, self.layers, self.memory,
            self.losses, self.rights, len(batch), config.model.width, self.widths[-1], network.slope, self.row_tiles,
            LINEAR_FROM=network.linear_from, IN=self.widths[0], MSE=config.train.loss is LossName.mse, M=self.rows,
            W=_power_of_2(config.model.width, 16), CLASSES=_power_of_2(self.widths[-1], 16), K=self.inner, **shape,
        )  # fmt: skip
        self.kernels.chain_update[(len(self.tiles), trials)](
            self.tiles, self.layers, self.memory, training.x, batch, *batch.stride(), network.flat,
            training.optimizer.buffer, parameters, training.rates.lr, training.rates.momentum, self.decays,
            self.losses, self.rights, training.loss_sum, training.correct, len(batch), TILES=self.row_tiles,
            BATCH=training.batch_size, M=self.tile, N=self.tile, K=self.inner, **shape,
        )  # fmt: skip
