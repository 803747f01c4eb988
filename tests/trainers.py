"""Small trainings by Lightning and by transformers' Trainer, with the callbacks that measure; and by two processes."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, TensorDataset

from nc_runner.measure import collect
from nc_runner.measure._callbacks import in_order, share

LABELS = torch.arange(23) % 3
INPUTS = torch.randn(23, 5, generator=torch.Generator().manual_seed(0)) + LABELS[:, None]
DATA = TensorDataset(INPUTS, LABELS)
NAMED = [{"x": x, "labels": label} for x, label in DATA]
BATCHES = [(INPUTS[some], LABELS[some]) for some in torch.arange(23).split(4)]
RATIO = "nc/net.5/within_between_trace_ratio"


class Network(nn.Module):
    """A small one, the same weights every time, that computes its own loss where there are labels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.net = nn.Sequential(
            nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Dropout(0.5), nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 3)
        )
        self.steps = 0

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.net(x)
        if labels is None:
            return {"logits": logits}
        self.steps += 1
        assert len({part.training for part in self.modules()}) == 1
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


def holding(net: Any) -> Network:
    """The network with these layers."""
    network = Network()
    network.net = net
    return network


class Noisy(Dataset[Any]):
    """Samples with noise of every generator there is, other noise each time; pairs or by names."""

    def __init__(self, named: bool = False) -> None:
        self.named = named

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> Any:
        noise = torch.randn(5) + float(np.random.randn()) + random.gauss(0, 1)
        x, label = INPUTS[index] + 0.1 * noise, LABELS[index]
        return {"x": x, "labels": label} if self.named else (x, label)


class Stream(IterableDataset[Any]):
    """Samples as they come."""

    def __iter__(self) -> Iterator[Any]:
        return iter(NAMED)


def by_hand(model: Any, batches: Any = BATCHES, **asked: Any) -> dict[str, float]:
    """What collect finds, under the callbacks' names."""
    layers = collect(model, batches, **asked).compute().items()
    return {f"nc/{layer}/{name}": float(value) for layer, values in layers for name, value in values.items()}


def same(found: dict[str, Any], expected: dict[str, float], rel: float = 1e-12) -> None:
    """The same names of ours, with the same values."""
    ours = {name: float(value) for name, value in found.items() if name.startswith("nc/")}
    assert list(ours) == list(expected)
    assert ours == pytest.approx(expected, rel=rel, abs=1e-12 if rel > 1e-12 else 0, nan_ok=True)


def drawn() -> list[float]:
    """What the generators of torch, NumPy and Python draw next."""
    return [float(torch.rand(())), float(np.random.rand()), random.random()]


def seed() -> None:
    """All three."""
    torch.manual_seed(3)
    np.random.seed(2)
    random.seed(1)


def loader(data: Any = DATA, **asked: Any) -> Any:
    """As one trains: shuffled, without the last batch, which is not full."""
    return DataLoader(data, **({"batch_size": 4, "shuffle": True, "drop_last": True} | asked))


def lightning_module(**methods: Any) -> Any:
    """The network's layers in a LightningModule, with some methods of its own."""

    class Module(networks.lightning().LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = Network().net
            self.steps = 0

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

        def training_step(self, batch: Any, index: int) -> Tensor:
            assert all(part.training for part in self.net.modules())
            self.steps += 1
            loss = functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("loss", loss, on_step=False, on_epoch=True, sync_dist=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    for name, method in methods.items():
        setattr(Module, name, method)
    return Module()


def lightning_callback(*args: Any, **asked: Any) -> Any:
    """That of nc_runner, imported where Lightning can be."""
    networks.lightning()
    from nc_runner.measure.lightning import NeuralCollapseCallback

    return NeuralCollapseCallback(*args, **asked)


def fit(module: Any, data: Any, *callbacks: Any, epochs: int = 3, **asked: Any) -> Any:
    """Lightning's trainer, after training on a CPU."""
    quiet = {f"enable_{name}": False for name in ("progress_bar", "model_summary", "checkpointing")}
    asked = {"accelerator": "cpu", "logger": False, "log_every_n_steps": 1} | quiet | asked
    trainer = networks.lightning().Trainer(max_epochs=epochs, callbacks=[*callbacks], **asked)
    trainer.fit(module, data)
    return trainer


def hugging_trainer(folder: Path, data: Any = NAMED, **asked: Any) -> Any:
    """transformers' Trainer on a CPU, which shuffles and leaves out the last batch, as it is not full."""
    hugging = networks.transformers()
    sizes = {"per_device_train_batch_size": 4, "num_train_epochs": 3, "dataloader_drop_last": True}
    quiet = {"report_to": "none", "save_strategy": "no", "logging_strategy": "epoch", "disable_tqdm": True}
    settings = {"use_cpu": True, "learning_rate": 0.1} | sizes | quiet | asked
    arguments = hugging.TrainingArguments(str(folder), **settings)
    trainer = hugging.Trainer(Network(), arguments, train_dataset=data, eval_dataset=NAMED)
    trainer.remove_callback(hugging.PrinterCallback)
    return trainer


def hugging_callback(*args: Any, **asked: Any) -> Any:
    """That of nc_runner, imported where transformers can be."""
    networks.transformers()
    from nc_runner.measure.transformers import NeuralCollapseCallback

    return NeuralCollapseCallback(*args, **asked)


def work(rank: int, processes: int, folder: Path) -> None:
    """Train by both with other processes, and keep what was found and the network that the first has."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "NODE_RANK": "0"}
    rendezvous: dict[str, Any] = {"init_method": f"file://{folder / 'rendezvous'}", "rank": rank}
    # Where one of them waits for the other in vain, it fails and does not wait for ever.
    limit = timedelta(minutes=5)
    torch.distributed.init_process_group("gloo", world_size=processes, timeout=limit, **rendezvous)
    try:
        given = [(x + 1, labels) for x, labels in BATCHES]
        shares = {"own": in_order(loader()), "given": share(BATCHES)}
        shares["sampler"] = share(loader(shuffle=False, sampler=DistributedSampler(DATA, shuffle=False)))
        found: dict[str, Any] = {"lightning": {}, "transformers": {}}
        found["shares"] = {name: torch.cat([inputs for inputs, _ in batches]) for name, batches in shares.items()}
        for name, batches in (("own", None), ("given", given)):
            module, logger = lightning_module(), networks.lightning().loggers.CSVLogger(folder, name, "")
            callback = lightning_callback(batches, every=2, second_pass=True)
            trainer = fit(module, loader(), callback, strategy="ddp", devices=processes, logger=logger)
            found["lightning"][name] = dict(trainer.callback_metrics), module.net
            hugging = hugging_trainer(folder / "hugging", ddp_backend="gloo")
            hugging.add_callback(hugging_callback(hugging, batches, every=2, second_pass=True))
            hugging.train()
            found["transformers"][name] = hugging.state.log_history, hugging.model.net
        bad = [*given[:-1], (INPUTS, LABELS[:1])]
        try:
            fit(lightning_module(), loader(), lightning_callback(bad), strategy="ddp", devices=processes)
        except ValueError as error:
            found["mistake"] = str(error)
        torch.save(found, folder / f"{rank}.pt")
    finally:
        torch.distributed.destroy_process_group()
