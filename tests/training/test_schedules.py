"""The step size of each epoch is that of torch's schedulers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler

from nc_runner.config.choices import Schedule
from nc_runner.config.schema import TrainConfig
from nc_runner.training.schedules import factor, sum_of_factors, warmup_epochs

Scheduler = lr_scheduler.LRScheduler


def by_torch(epochs: int, schedule: Callable[[torch.optim.Optimizer], Scheduler]) -> list[float]:
    """The step sizes of a scheduler stepped once an epoch, from 1 on."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, seen = schedule(optimiser), []
    for _ in range(epochs):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return seen


def after_warmup(warmup: int, then: Callable[[torch.optim.Optimizer], Scheduler]) -> Callable[..., Scheduler]:
    def schedule(optimiser: torch.optim.Optimizer) -> Scheduler:
        rising = lr_scheduler.LinearLR(optimiser, 1 / (warmup + 1), total_iters=warmup)
        return lr_scheduler.SequentialLR(optimiser, [rising, then(optimiser)], [warmup])

    return schedule


def ours(train: TrainConfig) -> list[float]:
    return [factor(train, epoch) for epoch in range(train.epochs)]


@pytest.mark.parametrize("epochs", [1, 7, 20])
def test_cosine(epochs: int) -> None:
    train = TrainConfig(epochs=epochs, schedule=Schedule.cosine)
    assert ours(train) == pytest.approx(by_torch(epochs, lambda o: lr_scheduler.CosineAnnealingLR(o, epochs)))


def test_constant_and_steps() -> None:
    assert ours(TrainConfig(epochs=9, schedule=Schedule.constant)) == [1.0] * 9
    steps = TrainConfig(epochs=10, lr_milestones=[0.25, 0.5], lr_gamma=0.3)
    assert ours(steps) == pytest.approx(by_torch(10, lambda o: lr_scheduler.MultiStepLR(o, [3, 5], 0.3)))


@pytest.mark.parametrize(("share", "warmup"), [(0.25, 5), (0.21, 5), (0.05, 1), (0.5, 10)])
def test_warm_up_before_each_schedule(share: float, warmup: int) -> None:
    cosine = TrainConfig(epochs=20, schedule=Schedule.cosine, lr_warmup=share)
    assert warmup_epochs(cosine) == warmup
    rest = after_warmup(warmup, lambda o: lr_scheduler.CosineAnnealingLR(o, 20 - warmup))
    assert ours(cosine) == pytest.approx(by_torch(20, rest))
    constant = TrainConfig(epochs=20, schedule=Schedule.constant, lr_warmup=share)
    assert ours(constant) == pytest.approx([(e + 1) / (warmup + 1) for e in range(warmup)] + [1.0] * (20 - warmup))
    steps = TrainConfig(epochs=20, lr_milestones=[0.6, 0.8], lr_warmup=share)
    rest = after_warmup(warmup, lambda o: lr_scheduler.MultiStepLR(o, [12 - warmup, 16 - warmup], 0.1))
    assert ours(steps) == pytest.approx(by_torch(20, rest))


def test_a_drop_where_the_warm_up_ends() -> None:
    train = TrainConfig(epochs=20, lr_milestones=[0.25], lr_warmup=0.25)
    assert ours(train)[3:7] == pytest.approx([4 / 6, 5 / 6, 0.1, 0.1])


def test_the_sum_over_epochs() -> None:
    for train in (TrainConfig(epochs=8), TrainConfig(epochs=8, schedule=Schedule.cosine, lr_warmup=0.25)):
        assert sum_of_factors(train, 5) == pytest.approx(math.fsum(ours(train)[:5]))
    assert sum_of_factors(TrainConfig(epochs=8), 8) == 2 * 1 + 2 * 0.1 + 2 * 0.1**2 + 2 * 0.1**3
