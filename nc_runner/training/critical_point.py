"""A search for critical points of the layer-peeled loss on a sphere: one step, one epoch.

Gradient flow first takes the start to ``flow.log_time``, near saddles that a random point would not lead to. The search
begins there, on the sphere through that point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from nc_runner.config.trials import Trial
from nc_runner.training.gradient_field import Field
from nc_runner.training.peeled import PeeledTraining
from nc_runner.training.sphere import nearest_critical_point


class CriticalPointSearch(PeeledTraining):
    """A stack of searches; where each ends is the model."""

    def __init__(self, trials: Sequence[Trial], x: Tensor, y: Tensor) -> None:
        super().__init__(trials, x, y)
        self.field = Field.of_summed_loss(y, self.config.data.classes, self.config.model.width)

    @property
    def finished(self) -> bool:
        """Whether it has searched."""
        return self.step > 0

    def advance(self) -> None:
        """Flow and search, for every trial."""
        end = math.expm1(self.config.flow.log_time)
        for flat in self.network.flat:
            flowed = solve_ivp(lambda _, x: self.field.velocity(x), (0, end), flat.numpy(), method="LSODA")
            flat.copy_(torch.from_numpy(nearest_critical_point(self.field, flowed.y[:, -1])))
        self.step = 1
