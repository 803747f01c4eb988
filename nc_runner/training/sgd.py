"""A stack by minibatch or full-batch SGD, or Adam; each trial has its own step size and decay.

One :class:`SGD` is the whole state of a stack. It moves one step at a time, can be stopped between any two
steps, and its ``state`` restores it bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nc_runner.config.choices import CONVOLUTIONAL, OF_MLP, ModelName, Precision
from nc_runner.config.trials import Trial
from nc_runner.models import MLP, build, parameters
from nc_runner.rng import minibatch_order
from nc_runner.training.fused import fused_step
from nc_runner.training.graph import CapturedSteps
from nc_runner.training.optimizers import Rates, clip, optimizer
from nc_runner.training.planned import planned_step
from nc_runner.training.probes import probe_epochs
from nc_runner.training.schedules import factor
from nc_runner.training.starts import place

_STEPS_A_GRAPH = 16  # of a few tens of microseconds each; a launch from Python costs about as much as one

DTYPES = {Precision.float32: torch.float32, Precision.float64: torch.float64}


class SGD:
    """A stack in training.

    Args:
        trials: the stack, of equal :func:`~nc_runner.config.stacks.stack_key`.
        x: inputs [N, D], or images [N, C, H, W], which networks without convolutions see as [N, C*H*W].
        y: labels int64 [N]. Both are moved to ``device`` once.
        dtype: of parameters and data, in place of ``train.precision``.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        x: Tensor,
        y: Tensor,
        *,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.trials = list(trials)
        self.config = trials[0].config
        self.device = device
        dtype = dtype or DTYPES[self.config.train.precision]
        if self.config.model.name not in CONVOLUTIONAL | {ModelName.own}:
            x = x.flatten(1)
        self.x, self.y = x.to(device, dtype), y.to(device)
        self.targets = one_hot(self.y, self.config.data.classes).to(dtype)
        self.network = build(
            self.config.model,
            x,
            self.config.data.classes,
            [trial.seed for trial in trials],
            device=device,
            dtype=dtype,
            loss=self.config.train.loss,
            label_smoothing=self.config.train.label_smoothing,
        )
        if self.config.model.start in OF_MLP:
            assert isinstance(self.network, MLP)
            place(self.network, self.trials, self.x, self.targets)

        def per_trial(name: str, dtype: torch.dtype | None = dtype) -> Tensor:
            values = [[getattr(trial.config.train, name)] for trial in trials]
            return torch.tensor(values, device=device, dtype=dtype)

        self.initial_lr = per_trial("learning_rate")
        self.rates = Rates(
            per_trial("learning_rate"),
            per_trial("momentum"),
            self._weight_decay(per_trial("weight_decay")),
            per_trial("beta2", torch.float64),
        )
        self.optimizer = optimizer(self.config.train, self.network.flat, self.network.flat_grad, self.rates)
        self.network.weight_decay = {
            name: view.reshape(len(view), -1)[:, 0] for name, view in self._by_name(self.rates.weight_decay).items()
        }
        self.batch_size = min(self.config.train.batch_size or len(x), len(x))
        self.probe_epochs = probe_epochs(self.config)
        self.steps_per_epoch = math.ceil(len(x) / self.batch_size)
        self.step = 0
        self.loss_sum = torch.zeros(len(trials), device=device, dtype=torch.float64)
        self.correct = torch.zeros(len(trials), device=device, dtype=torch.int64)
        self.order: Tensor | None = None
        self.factor = 1.0  # of the epoch's step size over the initial one
        self._next_order: tuple[int, Tensor] | None = None
        self._steps: Callable[[Tensor], None] = self.update
        self._steps_at_once = 1
        if device.type == "cuda" and self.config.model.name is not ModelName.own:  # of which no capture is known to do
            fused = fused_step(self)
            self._steps = CapturedSteps(fused or self.update, self.state, self.batch_size)
            self._steps_at_once = 1 if self.config.model.name in CONVOLUTIONAL else _STEPS_A_GRAPH
        elif device.type == "cpu":
            self._steps = planned_step(self) or self.update

    def _weight_decay(self, of_all: Tensor) -> Tensor:
        """[T, 1], or [T, P] where the first layer has a weight decay of its own."""
        of_first = [trial.config.train.weight_decay_first for trial in self.trials]
        if all(decay is None for decay in of_first):
            return of_all
        decays = of_all.expand_as(self.network.flat).clone()
        for name, view in self._by_name(decays).items():
            for t, decay in enumerate(of_first):
                if name.startswith("1.") and decay is not None:
                    view[t] = decay
        return decays

    def _by_name(self, flat: Tensor) -> dict[str, Tensor]:
        """Views [T, *shape] of what has a number a parameter [T, P], or a number a trial [T, 1]."""
        shapes = {name: tuple(tensor.shape[1:]) for name, tensor in self.network.params.items()}
        return parameters.views(flat.expand_as(self.network.flat), shapes)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.steps_per_epoch

    @property
    def between_epochs(self) -> bool:
        """Whether an epoch has just ended."""
        return self.step % self.steps_per_epoch == 0

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""
        return self.epoch >= self.config.train.epochs

    def state(self) -> dict[str, Tensor]:
        """The tensors, by name, that with ``step`` make up the whole state; in-place copies into them restore it."""
        return self.network.buffers | {
            "flat": self.network.flat,
            **self.optimizer.state(),
            "loss_sum": self.loss_sum,
            "correct": self.correct,
        }

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from a saved ``state()`` and ``step``."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
        self.step, self.order = step, None

    def advance(self) -> None:
        """One step of every trial; on a GPU several, at most to the end of the epoch."""
        epoch, within = divmod(self.step, self.steps_per_epoch)
        if within == 0:
            self.loss_sum.zero_()
            self.correct.zero_()
        if within == 0 or self.order is None:
            self._begin(epoch)
        assert self.order is not None
        steps = min(self._steps_at_once, self.steps_per_epoch - within)
        self._steps(self.order[within * self.batch_size : (within + steps) * self.batch_size])
        self.step += steps
        if self.device.type == "cuda" and self.between_epochs:
            self._next_order = (epoch + 1, self._order_of(epoch + 1))  # while the GPU is still at work on this one

    def _begin(self, epoch: int) -> None:
        """Set the epoch's step sizes and the order in which each trial sees its samples, [N, T] on the device."""
        if (now := factor(self.config.train, epoch)) != self.factor:
            self.rates.lr.copy_(self.initial_lr * now)
            self.factor = now
            self.optimizer.changed()
        if self.batch_size == len(self.x) and self.order is not None:
            return
        of, order = self._next_order or (None, None)
        self.order = (order if order is not None and of == epoch else self._order_of(epoch)).to(
            self.device, non_blocking=True
        )

    def _order_of(self, epoch: int) -> Tensor:
        """Sample numbers [N, T]; those of a full batch need no order, and a fixed one keeps its sums the same."""
        seeds, samples = [trial.seed for trial in self.trials], len(self.x)
        if self.batch_size == samples:
            return torch.arange(samples)[:, None].expand(-1, len(seeds))
        orders = {seed: minibatch_order(seed, epoch, samples) for seed in set(seeds)}
        order = torch.stack([orders[seed] for seed in seeds], dim=1)
        return order.pin_memory() if self.device.type == "cuda" else order

    def update(self, batch: Tensor) -> None:
        """One step on the samples ``batch`` int64 [B, T]; nothing in it waits for the device."""
        loss = self.network.loss_and_gradient(self._rows(self.x, batch), self._rows(self.targets, batch))
        if self.config.train.gradient_clip is not None:
            clip(self.network.flat_grad, self.config.train.gradient_clip)
        self.optimizer.step()
        self.loss_sum.add_(loss.value, alpha=len(batch))
        self.correct.add_(loss.correct)

    def _rows(self, of: Tensor, batch: Tensor) -> Tensor:
        """Each trial's rows of ``of [N, *shape]``, [B, T, *shape].

        In memory the vectors of a trial lie together, which suits matrix products, and images lie sample by sample,
        those of all trials side by side, which suits convolutions. The full batch is a view of the data in their order.
        """
        if len(batch) == len(of):
            return of.unsqueeze(1).expand(-1, len(self.trials), *of.shape[1:])
        if of.dim() > 2:
            return of.index_select(0, batch.flatten()).view(*batch.shape, *of.shape[1:])
        return of.index_select(0, batch.t().flatten()).view(len(self.trials), len(batch), -1).transpose(0, 1)

    def epoch_loss(self) -> Tensor:
        """Mean training loss [T] over the samples seen so far in this epoch, or over the epoch just ended."""
        return self.loss_sum / self._samples_seen()

    def epoch_accuracy(self) -> Tensor:
        """Training accuracy [T] over the samples seen so far in this epoch, or over the epoch just ended."""
        return self.correct.double() / self._samples_seen()

    def _samples_seen(self) -> int:
        within = self.step % self.steps_per_epoch
        return within * self.batch_size if within else len(self.x)
