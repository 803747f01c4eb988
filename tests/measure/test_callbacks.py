"""What both callbacks do alike: with several processes, over a second pass, and without their package."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import networks
import pytest
import torch
from torch.utils.data import DataLoader
from trainers import BATCHES, DATA, INPUTS, LABELS, RATIO, Network, Noisy, by_hand, holding, loader, same, work

from nc_runner.measure._callbacks import Batches, in_order, measured


def test_two_processes_measure_the_network_of_the_first_on_all_samples_once(tmp_path: Path) -> None:
    networks.lightning()
    networks.transformers()
    torch.multiprocessing.spawn(work, (2, tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2)]
    shares = [of["shares"] for of in found]
    assert torch.equal(torch.stack([shares[0]["own"][:11], shares[1]["own"]], dim=1).flatten(0, 1), INPUTS[:22])
    assert torch.equal(shares[0]["own"][11:], INPUTS[22:])
    for rank in range(2):
        assert torch.equal(shares[rank]["given"], torch.cat([inputs for inputs, _ in BATCHES[rank::2]]))
        assert len(shares[rank]["sampler"]) == 12  # all that its own sampler gives
    batches = {"own": BATCHES, "given": [(inputs + 1, labels) for inputs, labels in BATCHES]}
    for trains in ("lightning", "transformers"):
        for name, samples in batches.items():
            (values, net), (_, other) = (of[trains][name] for of in found)
            assert not torch.equal(net[1].running_mean, other[1].running_mean)
            expected = by_hand(holding(net), samples, second_pass=True)
            for of in found:
                values = of[trains][name][0]
                if trains == "transformers":
                    measured = [entry for entry in values if RATIO in entry]
                    assert [entry["step"] for entry in measured] == [4, 6]
                    values = measured[-1]
                same(values, expected, rel=1e-5)  # float32 products of batches of other sizes
    for name in batches:
        with (tmp_path / name / "metrics.csv").open() as file:
            assert [row["epoch"] for row in csv.DictReader(file) if row[RATIO]] == ["1", "2"]
    assert [of["mistake"].startswith("process 1 of 2") for of in found] == [True, False]
    assert all("labels has shape" in of["mistake"] for of in found)


def test_a_second_pass_has_the_same_random_samples_as_the_first() -> None:
    seen: list[Any] = []

    def prepare(batch: Any) -> Any:
        seen.append(batch[0].clone())
        return batch

    measured(Network(), Batches(loader(Noisy()), prepare=prepare), second_pass=True)
    first, second = torch.cat(seen).split(20)
    assert torch.equal(first, second)


def batches_of(name: str) -> Any:
    """A loader that trains on all samples, in ways that do not change which they are."""
    if name == "batches as samples":
        return DataLoader(BATCHES, batch_size=None, shuffle=True)  # type: ignore[arg-type]
    if name == "distributed":
        return loader(shuffle=False, sampler=torch.utils.data.DistributedSampler(DATA, 2, 1))
    if name == "replacement":
        return loader(shuffle=False, sampler=torch.utils.data.RandomSampler(DATA, replacement=True, num_samples=4))
    if name == "collate":
        return loader(collate_fn=lambda samples: tuple(map(torch.stack, zip(*samples, strict=True))), num_workers=1)
    return loader()


@pytest.mark.parametrize("name", ["shuffled", "batches as samples", "distributed", "replacement", "collate"])
def test_the_training_samples_are_those_of_the_data_set_each_once_in_order(name: str) -> None:
    found = [*in_order(batches_of(name))]
    assert torch.equal(torch.cat([inputs for inputs, _ in found]), INPUTS)
    assert torch.equal(torch.cat([labels for _, labels in found]), LABELS)
    assert {len(labels) for _, labels in found[:-1]} == {4}


@pytest.mark.parametrize("package", ["lightning", "transformers"])
def test_without_its_package_a_callback_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"nc_runner.measure.{package}"
    for name in (module, package, f"{package}.pytorch"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    class Missing:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(module)
    assert str(caught.value) == (
        f"{module} needs {package}, which is not installed; pip install 'nc-runner[{package}]' brings it."
    )


def test_a_package_that_lacks_something_itself_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nc_runner.measure.lightning", raising=False)
    monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)  # type: ignore[arg-type]
    with pytest.raises(ModuleNotFoundError, match=r"lightning\.pytorch"):
        importlib.import_module("nc_runner.measure.lightning")


def test_the_network_is_as_it_was() -> None:
    network = Network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    measured(network, Batches([(INPUTS, LABELS)]))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
