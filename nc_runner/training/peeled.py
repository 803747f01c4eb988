"""What gradient flow, gradient descent and the search for critical points of layer-peeled models have in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nc_runner.config.trials import Trial
from nc_runner.models.ulpm import ULPM
from nc_runner.training.probes import probe_epochs


class PeeledTraining:
    """A stack of models, float64, on the CPU; a step is an epoch.

    Args:
        trials: the stack.
        x: inputs [N, ...], not looked at.
        y: labels int64 [N].
    """

    between_epochs = True

    def __init__(self, trials: Sequence[Trial], x: Tensor, y: Tensor) -> None:
        self.trials = list(trials)
        self.config = config = trials[0].config
        self.x, self.y = x, y
        seeds = [trial.seed for trial in trials]
        self.network = ULPM(config.model, len(y), config.data.classes, seeds, device=torch.device("cpu"))
        self.probe_epochs = probe_epochs(config)
        self.step = 0

    @property
    def epoch(self) -> int:
        """Steps done."""
        return self.step

    @property
    def finished(self) -> bool:
        """Whether every step is done."""
        return self.step >= self.config.train.epochs

    def state(self) -> dict[str, Tensor]:
        """The parameters, by name."""
        return {"flat": self.network.flat}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from a saved ``state()`` and ``step``."""
        self.network.flat.copy_(state["flat"])
        self.step = step

    def epoch_loss(self) -> Tensor:
        """Mean cross-entropy [T]."""
        return self.network.fit(self.y)[0]

    def epoch_accuracy(self) -> Tensor:
        """Training accuracy [T]."""
        return self.network.fit(self.y)[1]
