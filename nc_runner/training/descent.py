"""Gradient descent on unconstrained layer-peeled models, to be compared with gradient flow.

The step size rises linearly over the warm-up and is constant from then on, as the loss is sharpest at the start; t is
the sum of the step sizes. The step of a small model is all overhead, so this one is a dozen numpy calls for a whole
stack and nothing else. An epoch is a step, and ``advance`` takes many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nc_runner.config.choices import Reduction
from nc_runner.config.trials import Trial
from nc_runner.training.peeled import PeeledTraining

_STEPS_AT_A_TIME = 2_000  # a few tens of milliseconds


class GradientDescent(PeeledTraining):
    """A stack in full-batch gradient descent."""

    def __init__(self, trials: Sequence[Trial], x: Tensor, y: Tensor) -> None:
        super().__init__(trials, x, y)
        config, classes = self.config, self.config.data.classes
        rates = np.array([trial.config.train.learning_rate for trial in trials])
        self.rates = rates[:, None, None] / (len(y) if config.flow.reduction is Reduction.mean else 1)
        self.final_rates, self.warmup = rates, config.train.warmup
        self.targets = np.eye(classes)[:, y.numpy()].copy()  # classes first: sums over them then run along the samples
        self.probabilities = np.empty((len(trials), classes, len(y)))

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from a saved ``state()`` and ``step``."""
        super().load(state, step)
        self._reach(step)

    def advance(self) -> None:
        """Steps up to the next epoch to be measured, but at most ``_STEPS_AT_A_TIME``."""
        next_probe = min(epoch for epoch in self.probe_epochs if epoch > self.step)
        steps = min(_STEPS_AT_A_TIME, next_probe - self.step)
        features, weight = (self.network.params[name].numpy() for name in ("1.features", "2.weight"))
        p, total = self.probabilities, np.empty((len(self.trials), 1, len(self.y)))
        of_features, of_weight = np.empty_like(features), np.empty_like(weight)
        features_t, p_t = features.swapaxes(1, 2), p.swapaxes(1, 2)
        with np.errstate(over="ignore", invalid="ignore"):  # a trial that diverges is noticed by its loss
            for step in range(self.step, self.step + steps):
                rates = self.rates if step >= self.warmup else self.rates * ((step + 1) / self.warmup)
                np.matmul(weight, features_t, p)
                np.subtract(p, np.maximum.reduce(p, axis=1, out=total, keepdims=True), p)
                np.exp(p, p)
                np.divide(p, np.add.reduce(p, axis=1, out=total, keepdims=True), p)
                np.subtract(self.targets, p, p)
                np.multiply(p, rates, p)
                np.matmul(p, features, of_weight)
                np.matmul(p_t, weight, of_features)
                weight += of_weight
                features += of_features
        self._reach(self.step + steps)

    def _reach(self, step: int) -> None:
        self.step = step
        rising = min(step, self.warmup)
        full_steps = step - rising + (rising * (rising + 1) / (2 * self.warmup) if rising else 0)
        self.network.log1p_time.copy_(torch.from_numpy(np.log1p(self.final_rates * full_steps)))
