"""What the callbacks of Lightning and transformers share: which samples, in which process, nothing left changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import distributed, nn
from torch.utils.data import DataLoader, DistributedSampler, IterableDataset

from .collect import collect

Result = TypeVar("Result")

UNKNOWN = "which samples these are is not known, so loader= must be a loader of those to measure."


@dataclass(frozen=True)
class Batches:
    """Every ``step``-th batch of a loader from ``start`` to ``stop``, as often as it is gone through, each prepared."""

    loader: Iterable[Any]
    start: int = 0
    stop: int | None = None
    step: int = 1
    prepare: Callable[[Any], Any] = lambda batch: batch

    def __iter__(self) -> Iterator[Any]:
        return map(self.prepare, islice(self.loader, self.start, self.stop, self.step))


def check_every(every: int) -> int:
    """A number of epochs, 1 or more; else ValueError."""
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every is {every}; it must be a whole number of epochs, 1 or more.")
    return every


def processes() -> tuple[int, int]:
    """This process's rank, and how many processes train together."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def share(loader: Iterable[Any]) -> Batches:
    """This process's batches of a loader that goes through all samples in every process, in the same order."""
    if isinstance(getattr(loader, "sampler", None), DistributedSampler):
        return Batches(loader)
    rank, many = processes()
    return Batches(loader, start=rank, step=many)


def in_order(training: Any) -> DataLoader[Any]:
    """A loader of its own over the data set of a training loader: this process's samples, each once, in their order.

    To go through the training's own loader would leave a mark on its sampler, generator and workers; and of several
    processes each has as many samples, so some are there twice.

    Raises:
        ValueError: it does not draw from the whole of a data set, so it is not known which samples it has.
    """
    if not isinstance(training, DataLoader):
        raise ValueError(f"the training data are a {type(training).__name__}; {UNKNOWN}")
    sampler = training.sampler if training.batch_sampler is None else training.batch_sampler
    while (inner := getattr(sampler, "batch_sampler", getattr(sampler, "sampler", None))) is not None:
        sampler = inner
    dataset = training.dataset
    if getattr(sampler, "data_source", getattr(sampler, "dataset", None)) is not dataset:
        by = type(dataset if isinstance(dataset, IterableDataset) else sampler).__name__
        raise ValueError(f"the training data come by a {by}; {UNKNOWN}")
    rank, many = processes()
    return DataLoader(
        dataset,
        batch_size=getattr(training.batch_sampler, "batch_size", None),
        sampler=range(rank, len(dataset), many),
        collate_fn=training.collate_fn,
        num_workers=training.num_workers,
        worker_init_fn=training.worker_init_fn,
        multiprocessing_context=training.multiprocessing_context,
    )


def attempt(model: nn.Module, batches: Batches, *, pairs: bool = True, second_pass: bool = False, **asked: Any) -> None:
    """Measure the first batch and forget it, so that a mistake is told before an epoch was trained."""
    with random_state_kept(batches.loader):
        in_all(lambda: collect(model, islice(batches, 1), **asked))


def measured(
    model: nn.Module, batches: Batches, *, pairs: bool = True, second_pass: bool = False, **asked: Any
) -> dict[str, float]:
    """Values of all processes' samples by names as "nc/LAYER/MEASURE"; every process calls it, and has them.

    Args:
        model: as ``collect`` takes it.
        batches: this process's samples.
        pairs: as in ``Accumulator.compute``.
        second_pass: and ``asked``: as in ``collect``.
    """
    _, many = processes()
    with buffers_of_the_first(model):
        with random_state_kept(batches.loader):
            found = in_all(lambda: collect(model, batches, **asked))
        if many > 1:
            found.gather()
        if second_pass:
            with random_state_kept(batches.loader):  # the same again, so that random transforms are the same
                in_all(lambda: found.second_pass(batches))
            if many > 1:
                found.gather()
    layers = found.compute(pairs=pairs).items()
    return {f"nc/{layer}/{name}": float(value) for layer, values in layers for name, value in values.items()}


@contextmanager
def random_state_kept(loader: Iterable[Any]) -> Iterator[None]:
    """Random states of torch, NumPy and Python, and of a loader's own generators, are afterwards as they were."""
    owners = (loader, getattr(loader, "sampler", None))
    generators = [drawn for of in owners if isinstance(drawn := getattr(of, "generator", None), torch.Generator)]
    states = [generator.get_state() for generator in generators]
    python, legacy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)


@contextmanager
def buffers_of_the_first(model: nn.Module) -> Iterator[None]:
    """Meanwhile every process has the buffers of the first, as running statistics differ until the next step."""
    if processes()[1] == 1:
        yield
        return
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    shared = [[buffer.cpu() for buffer, _ in kept]]
    distributed.broadcast_object_list(shared)
    for (buffer, _), of_the_first in zip(kept, shared[0], strict=True):
        buffer.copy_(of_the_first)
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)


def in_all(work: Callable[[], Result]) -> Result:
    """What some work gives; where it fails in one process it fails in all, so that none waits for another."""
    rank, many = processes()
    if many == 1:
        return work()
    try:
        result, mistake = [work()], None
    except Exception as error:
        result, mistake = [], error
    sentences: list[Any] = [None] * many
    distributed.all_gather_object(sentences, None if mistake is None else str(mistake))
    if mistake is not None:
        raise mistake
    for other, sentence in enumerate(sentences):
        if sentence is not None:
            raise ValueError(f"process {other} of {many}, beside this one, {rank}: {sentence}")
    return result[0]
