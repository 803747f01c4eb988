"""Training on images: convolutional stacks, and networks that see an image as a row of numbers."""

import pytest
import torch
from test_convolutional import as_plain, forward, matched
from torch import Tensor, nn

from nc_runner.config import Config, DataConfig, DataName, LossName, ModelConfig, ModelName, Norm, TrainConfig
from nc_runner.rng import minibatch_order
from nc_runner.training.sgd import SGD
from nc_runner.trials import make_stacks, make_trials

CPU = torch.device("cpu")
GRID = {"train.weight_decay": [0.0, 1e-2, 0.1], "train.learning_rate": [0.05]}


@pytest.fixture
def images() -> Config:
    return Config(
        data=DataConfig(name=DataName.digits, samples=14, classes=3),
        model=ModelConfig(name=ModelName.resnet20, channels=4, depth=2, width=6),
        train=TrainConfig(epochs=2, batch_size=6, lr_milestones=[0.5]),
        grid=GRID,
    )


def data(colours: int = 1) -> tuple[Tensor, Tensor]:
    return torch.randn(14, colours, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(14) % 3


def training(config: Config, x: Tensor, y: Tensor, only: int | None = None) -> SGD:
    trials = make_trials(config)
    return SGD(trials if only is None else [trials[only]], x, y, device=CPU, dtype=torch.float64)


def test_equals_torch_optim_sgd_trial_by_trial(images: Config) -> None:
    ...
