"""Ranks of gradients on random batches, for Proposition 3.1 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nc_runner import metrics
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.batch_gradient_rank.claims import TOLERANCE
from nc_runner.models import MLP
from nc_runner.rng import generator

SIZES = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100]
DRAWS = 3  # [choice] batches of each size


def batches(samples: int) -> Iterator[tuple[int, Tensor]]:
    """(number of the draw, samples of the batch): the first |B| of a permutation, the whole set last.

    The same for every network, so that they are compared on the same batches.
    """
    for draw in range(DRAWS):
        order = torch.randperm(samples, generator=generator(0, "batch", draw), device="cpu")
        for size in [size for size in SIZES if size < samples] + [samples]:
            yield draw, order[:size]


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The rank of each weight's gradient on each batch, and how many different (x, y) the batch holds.

    ``rank_015_2`` of a layer is on the third batch of 15, which holds ``distinct_015_2`` different pairs.
    The gradient is that of the mean loss alone, without weight decay.
    """
    assert network is not None
    yield from deep.fit(network, dict(network.features(x))[network.depth], y, config)
    targets = one_hot(y, config.data.classes).to(x.dtype)
    for draw, batch in batches(len(y)):
        batch = batch.to(y.device)
        name = f"{len(batch):03d}_{draw}"
        distinct = len(torch.cat([x[batch], targets[batch]], dim=1).unique(dim=0))
        yield None, f"distinct_{name}", torch.tensor(float(distinct))
        for layer, inputs, signals in network.backpropagated(x[batch], targets[batch]):
            gradient = signals.mT @ inputs / len(batch)
            yield layer, f"rank_{name}", metrics.numerical_rank(gradient, relative_tolerance=TOLERANCE)
