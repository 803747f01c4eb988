"""How trials are trained: one class for each method, the whole state of a stack, moved step by step by ``stack.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nc_runner.config.choices import Method

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nc_runner.config.trials import Trial


class Training(Protocol):
    """A stack in training. It can stop between any two calls of ``advance``; ``state`` with ``step`` restores it."""

    trials: list[Trial]
    network: Any
    x: Tensor
    y: Tensor
    step: int
    probe_epochs: set[int]
    """Epochs at the end of which the stack is measured."""

    @property
    def epoch(self) -> int:
        """Whole epochs done."""

    @property
    def between_epochs(self) -> bool:
        """Whether an epoch has just ended."""

    @property
    def finished(self) -> bool:
        """Whether every epoch is done."""

    def advance(self) -> None:
        """Every trial one step further, or several up to the next epoch to be measured."""

    def state(self) -> dict[str, Tensor]:
        """The tensors, by name, that with ``step`` make up the whole state."""

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Go on from a saved ``state()`` and ``step``."""

    def epoch_loss(self) -> Tensor:
        """Mean training loss [T]."""

    def epoch_accuracy(self) -> Tensor:
        """Training accuracy [T]."""


def begin(trials: Sequence[Trial], x: Tensor, y: Tensor, *, device: torch.device) -> Training:
    """The training of a stack on inputs x [N, D] and labels y int64 [N], before its first step."""
    from nc_runner.training.critical_point import CriticalPointSearch
    from nc_runner.training.descent import GradientDescent
    from nc_runner.training.flow import GradientFlow
    from nc_runner.training.sgd import SGD

    method = trials[0].config.train.method
    if method is Method.flow:
        return GradientFlow(trials, x, y)
    if method is Method.gd:
        return GradientDescent(trials, x, y)
    if method is Method.critical_point:
        return CriticalPointSearch(trials, x, y)
    return SGD(trials, x, y, device=device)
