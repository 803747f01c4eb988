"""A search for critical points of the layer-peeled loss on a sphere: one step, one epoch.

The start flows until ``flow.log_time``, which takes it past saddles it would not find at random, and is searched from
there, on the sphere it has come to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from nc_runner.models.ulpm import ULPM
from nc_runner.training.gradient_field import Field
from nc_runner.training.sphere import nearest_critical_point
from nc_runner.trials import Trial


class CriticalPointSearch:
    """A stack of searches; where it ends is the model.

    Args:
        trials: the stack. x: inputs [N, ...], not looked at. y: labels int64 [N].
    """

    between_epochs = True

    def __init__(self, trials: Sequence[Trial], x: Tensor, y: Tensor) -> None:
        self.trials = list(trials)
        self.x, self.y = x, y
        self.config = config = trials[0].config
        seeds = [trial.seed for trial in trials]
        self.network = ULPM(config.model, len(y), config.data.classes, seeds, device=torch.device("cpu"))
        self.field = Field.of_summed_loss(y, config.data.classes, config.model.width)
        self.probe_epochs = {1}
        self.step = 0

    @property
    def epoch(self) -> int:
        """1 once it has searched."""
        return self.step

    @property
    def finished(self) -> bool:
        """Whether it has searched."""
        return self.step > 0

    def state(self) -> dict[str, Tensor]:
        """The parameters, by name."""
        return {"flat": self.network.flat}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from a saved ``state()`` and ``step``."""
        self.network.flat.copy_(state["flat"])
        self.step = step

    def advance(self) -> None:
        """Search."""
        end = math.expm1(self.config.flow.log_time)
        for flat in self.network.flat:
            flowed = solve_ivp(lambda _, x: self.field.velocity(x), (0, end), flat.numpy(), method="LSODA")
            flat.copy_(torch.from_numpy(nearest_critical_point(self.field, flowed.y[:, -1])))
        self.step = 1

    def epoch_loss(self) -> Tensor:
        """Mean cross-entropy [T]."""
        return self.network.fit(self.y)[0]

    def epoch_accuracy(self) -> Tensor:
        """Training accuracy [T]."""
        return self.network.fit(self.y)[1]
