"""Where networks start, if not at random weights alone: at zero loss, or at collapse with noise."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.config.choices import Start
from nc_runner.config.trials import Trial
from nc_runner.models import MLP
from nc_runner.rng import generator


def place(network: MLP, trials: list[Trial], x: Tensor, targets: Tensor) -> None:
    """Change the weights of a new mlp without norm or biases to those of ``model.start``.

    Args:
        network: the stack, at its random weights.
        x: inputs [N, D]; targets: one-hot labels [N, K].
    """
    model = trials[0].config.model
    if model.start is Start.interpolating:
        interpolate(network, x, targets)
    elif model.start is Start.collapsed:
        collapse(network, x, targets)
        for t, trial in enumerate(trials):
            perturb([weight[t] for weight in network.params.values()], model.start_noise, trial.seed)


def interpolate(network: MLP, x: Tensor, targets: Tensor) -> None:
    """Random hidden layers under the output weight of least norm that fits the targets best: exactly, where N features
    of a dimension of N or more are independent."""
    features = dict(network.features(x))[network.depth - 1]
    head = torch.linalg.pinv(features.double()) @ targets.double()
    network.params[f"{network.depth}.weight"].copy_(head.mT)


def collapse(network: MLP, x: Tensor, targets: Tensor) -> None:
    """Zero cluster variation in every layer and zero loss: each sample of class k goes to a multiple of e_k.

    The first weight is the least map that does so, Y X^+, exact where the inputs are independent; every other has rank
    K. All have the same norm, so that of such networks this one has the least.
    """
    classes = targets.shape[1]
    first = (torch.linalg.pinv(x.double()) @ targets.double()).mT
    size = torch.linalg.matrix_norm(first) / classes**0.5
    level = size ** (1 / network.depth)
    for name, weight in network.params.items():
        rank_k = first / size if name == "1.weight" else torch.eye(classes, dtype=first.dtype, device=first.device)
        weight.zero_()
        weight[:, :classes, : rank_k.shape[1]] = level * rank_k


def perturb(weights: list[Tensor], noise: float, seed: int) -> None:
    """Add iid normal noise, of expected norm ``noise`` times the weight's own, to each weight of one trial."""
    random = generator(seed, "start noise")
    for weight in weights:
        drawn = torch.randn(weight.shape, generator=random, dtype=torch.float64).to(weight.device)
        size = torch.linalg.vector_norm(weight.double()) / weight.numel() ** 0.5
        weight.add_(noise * size * drawn)
