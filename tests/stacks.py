"""Trials of a config on its data, ready to train."""

import torch

from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")


def training(config: Config, dtype: torch.dtype | None = torch.float64, only: int | None = None) -> SGD:
    """All trials as one stack, or ``only`` the one of that number; None: the config's own precision."""
    trials = make_trials(config)
    return SGD(trials if only is None else [trials[only]], *load(config.data), device=CPU, dtype=dtype)
