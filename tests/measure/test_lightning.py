"""The callback in Lightning's own trainer: what is logged, when, and that training goes on as if it were not there."""

from __future__ import annotations

import copy
import csv
from pathlib import Path
from typing import Any

import networks
import pytest
import torch
from torch import Tensor
from torch.utils.data import DistributedSampler, SubsetRandomSampler
from trainers import BATCHES, INPUTS, RATIO, Noisy, Stream, by_hand, drawn, fit, holding, loader, same, seed
from trainers import lightning_callback as callback
from trainers import lightning_module as module

pytestmark = [
    # Lightning advises worker processes, of which these data need none.
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    # It asks torch for what torch 2.13 deprecates.
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"),
]


def snapshots() -> Any:
    """A callback that keeps the network as it is after each epoch."""

    class Snapshots(networks.lightning().Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.taken: list[Any] = []

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self.taken.append(holding(copy.deepcopy(pl_module.net)))

    return Snapshots()


def rows_of(logger: Any) -> list[dict[str, str]]:
    """What a CSVLogger wrote."""
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("every", "epochs"), [(1, [0, 1, 2]), (2, [1, 2]), (3, [2]), (5, [2])])
def test_every_few_epochs_and_at_the_end_the_logger_has_what_collect_finds(
    every: int, epochs: list[int], tmp_path: Path
) -> None:
    kept = snapshots()
    logger = networks.lightning().loggers.CSVLogger(tmp_path)
    trainer = fit(module(), loader(), callback(every=every, second_pass=True, covariance=True), kept, logger=logger)
    rows = rows_of(logger)
    measured = [row for row in rows if row[RATIO]]
    assert [int(row["epoch"]) for row in measured] == epochs
    steps = {row["epoch"]: row["step"] for row in rows if row["loss"]}
    for row, epoch in zip(measured, epochs, strict=True):
        expected = by_hand(kept.taken[epoch], second_pass=True, covariance=True)
        assert {name for name in row if name.startswith("nc/")} == set(expected)
        same({name: row[name] for name in expected}, expected)
        assert row["step"] == steps[row["epoch"]]
    same(trainer.callback_metrics, expected)


def test_early_stopping_can_watch_a_measure_and_an_epoch_it_ends_with_is_measured(tmp_path: Path) -> None:
    stopping = networks.lightning().callbacks.EarlyStopping
    on_ratio = stopping(RATIO, mode="min", stopping_threshold=1e9, check_on_train_epoch_end=True)
    assert fit(module(), loader(), callback(), on_ratio).current_epoch == 1
    # Of this one nobody knows until the epoch's measures have been logged.
    on_loss = stopping("loss", mode="min", stopping_threshold=1e9, check_on_train_epoch_end=True)
    logger, kept = networks.lightning().loggers.CSVLogger(tmp_path), snapshots()
    trainer = fit(module(), loader(), callback(every=2), on_loss, kept, logger=logger)
    assert trainer.current_epoch == 1
    same(trainer.callback_metrics, by_hand(kept.taken[0]))
    (row,) = [row for row in rows_of(logger) if row[RATIO]]
    assert (row["epoch"], row["step"]) == ("0", "4")


def trained(*callbacks: Any, data: Any) -> tuple[dict[str, Tensor], list[float]]:
    """Weights after training, and what the generators draw next."""
    of = module()
    seed()
    fit(of, data, *callbacks, epochs=2)
    return of.state_dict(), drawn()


@pytest.mark.parametrize("given", ["none", "another", "the same"])
def test_weights_are_bit_for_bit_those_of_a_training_without_it(given: str) -> None:
    def data() -> tuple[Any, Any]:
        """The training's loader, and one to measure by: their generator is one, as PyTorch's notes have it."""
        generator = torch.Generator().manual_seed(4)
        training = loader(Noisy(), generator=generator)
        return training, {"none": None, "another": loader(Noisy(), generator=generator), "the same": training}[given]

    expected, next_drawn = trained(data=data()[0])
    training, measuring = data()
    found, next_drawn_too = trained(callback(measuring, second_pass=True), data=training)
    assert next_drawn_too == next_drawn
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), name


def test_of_a_limited_training_as_many_batches_are_measured() -> None:
    kept = snapshots()
    trainer = fit(module(), loader(), callback(), kept, epochs=1, limit_train_batches=2)
    same(trainer.callback_metrics, by_hand(kept.taken[0], BATCHES[:2]))


def test_samples_are_those_that_are_given() -> None:
    kept = snapshots()
    held_out = [{"x": inputs + 1, "labels": labels} for inputs, labels in BATCHES[:3]]
    trainer = fit(module(), loader(), callback(held_out, layers="*net.4"), kept, epochs=1)
    expected = by_hand(kept.taken[0], [tuple(batch.values()) for batch in held_out], layers="*net.4")
    same(trainer.callback_metrics, expected)


def test_batches_pass_the_hooks_of_the_module_and_its_precision() -> None:
    kept = snapshots()

    def after(self: Any, batch: Any, index: int) -> Any:
        return 2 * batch[0], batch[1]

    def before(self: Any, batch: Any, index: int) -> Any:
        return 1 + batch[0], batch[1]

    of = module(on_before_batch_transfer=before, on_after_batch_transfer=after)
    trainer = fit(of, loader(), callback(), kept, epochs=1, precision="64-true")
    batches = [(2 * (1 + inputs.double()), labels) for inputs, labels in BATCHES]
    same(trainer.callback_metrics, by_hand(kept.taken[0], batches))


def test_a_module_without_forward_names_its_network() -> None:
    kept = snapshots()
    of = module(forward=networks.lightning().LightningModule.forward)
    trainer = fit(of, loader(), callback(network="net"), kept, epochs=1)
    expected = by_hand(kept.taken[0])
    same(trainer.callback_metrics, {name.replace("nc/net.", "nc/"): value for name, value in expected.items()})


def of_a_share() -> Any:
    """A loader whose sampler has the samples of another data set, though it looks as those of several processes do."""
    return loader(shuffle=False, sampler=DistributedSampler(Noisy(), 1, 0))


def of_a_subset() -> Any:
    """A loader whose data set has other samples too."""
    return loader(shuffle=False, sampler=SubsetRandomSampler(range(8)))


SUBSET = "the training data come by a SubsetRandomSampler; which samples these are is not known, so loader= must be"
MISTAKES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "subset": (of_a_subset(), {}, SUBSET),
    "share": (of_a_share(), {}, "the training data come by a DistributedSampler; which"),
    "stream": (loader(Stream(), shuffle=False), {}, "the training data come by a Stream; which"),
    "several": ([loader(), loader()], {}, "the training data are a list; which samples"),
    "no labels": (loader(), {"loader": [{"x": INPUTS}]}, "a batch of the loader has no labels; it has x"),
    "inputs alone": (
        loader(),
        {"loader": [INPUTS]},
        r"a batch of the loader is a Tensor; it must be \(inputs, labels\)",
    ),
    "pattern": (loader(), {"layers": "block.*"}, r"layers has 'block\.\*', which no module's name matches"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence_before_the_first_step(mistake: str) -> None:
    data, asked, sentence = MISTAKES[mistake]
    of = module()
    with pytest.raises(ValueError, match=sentence):
        fit(of, data, callback(every=3, **asked))
    assert of.steps == 0


def test_the_training_s_own_loader_is_no_loader_to_measure_by() -> None:
    data = of_a_subset()
    with pytest.raises(ValueError, match=SUBSET):
        fit(module(), data, callback(data))


@pytest.mark.parametrize("every", [0, 1.5])
def test_it_is_measured_every_epoch_or_more_seldom(every: Any) -> None:
    with pytest.raises(ValueError, match=f"every is {every}; it must be a whole number of epochs, 1 or more"):
        callback(every=every)
