"""A process of several, that measures its share of the samples with DistributedDataParallel around the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nc_runner.measure import Collected, collect

Batches = list[tuple[Tensor, Tensor]]


def network() -> nn.Module:
    """A small one with random weights, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(inplace=True), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)
        )


def batches() -> Batches:
    """Samples of three classes in batches of 8."""
    draw = torch.Generator().manual_seed(4)
    labels = torch.arange(48) % 3
    inputs = torch.randn(48, 5, generator=draw) + torch.randn(3, 5, generator=draw)[labels]
    return list(zip(inputs.split(8), labels.split(8), strict=True))


def numbers(found: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, float]]:
    """Of tensors."""
    return {layer: {name: float(value) for name, value in of.items()} for layer, of in found.items()}


def refused(found: Collected) -> str:
    """The sentence with which ``gather`` refuses; empty where it does not."""
    try:
        found.gather()
    except ValueError as error:
        return str(error)
    return ""


def work(rank: int, processes: int, folder: Path) -> None:
    """Measure every so-manieth batch, gather, and keep what was found and how a wrong call was refused."""
    rendezvous: dict[str, Any] = {"init_method": f"file://{folder / 'rendezvous'}", "rank": rank}
    torch.distributed.init_process_group("gloo", world_size=processes, **rendezvous)
    try:
        model = nn.parallel.DistributedDataParallel(network())
        mine = batches()[rank::processes]
        found = collect(model, mine, directions=True, covariance=True)
        found.gather()
        sentences = [refused(found)]
        found.second_pass(mine)
        found.gather()
        sentences += [refused(found), refused(collect(model, mine, second_pass=True))]
        torch.save((numbers(found.compute()), sentences), folder / f"{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()


def agree(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The numbers of two ways to the same sums."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-9, abs=1e-12, nan_ok=True), name
