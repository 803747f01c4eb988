"""Image data sets: a class-balanced subset of the training images, each channel at mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nc_runner.config.choices import Split
from nc_runner.config.class_sizes import sizes_below
from nc_runner.config.schema import DataConfig
from nc_runner.data.image_sources import describe, test_set, training_set
from nc_runner.data.labelled import Labelled
from nc_runner.data.pixels import pixels
from nc_runner.errors import UserError
from nc_runner.rng import generator


class Images(NamedTuple):
    """A set of images.

    Attributes:
        x: float32 [N, C, H, W] of mean 0 and standard deviation 1 in each channel.
        y: int64 [N].
        left_out: files or rows that are there and no part of it, each with the reason.
        rows: of the whole training set, int64 [N].
        mean, deviation: float32 [C, 1, 1], by which the pixels were normalised.
    """

    x: Tensor
    y: Tensor
    left_out: list[str]
    rows: np.ndarray
    mean: Tensor
    deviation: Tensor


def images(config: DataConfig) -> tuple[Tensor, Tensor]:
    """Inputs and labels of :func:`image_set`."""
    found = image_set(config)
    return found.x, found.y


def image_set(config: DataConfig) -> Images:
    """The training images a config describes, decoded and normalised by their own mean and standard deviation.

    The subset, not the whole training set, is what is normalised: it is all the network ever sees. With
    ``data.per_class`` it has as many images of each class, drawn without replacement by ``data.input_seed``.

    Raises:
        UserError: the data set is not there, has other classes or fewer samples than the config says, or its images
            differ in size or in colour, or cannot be decoded.
    """
    source = training_set(config)
    labels = class_numbers(source, config)
    bad: dict[int, str] = {}
    while True:
        rows = chosen(labels, config, bad)
        found = pixels(source, rows, bad, config)
        if found is not None and config.per_class is None and len(rows) != config.samples:
            raise UserError(
                f"data.samples={config.samples}: {len(rows)} samples of {describe(config)} can be decoded; allowed is "
                f"{len(rows)}."
            )
        if found is not None:
            left_out = [*source.passed_over, *bad.values()]
            scale = statistics(found)
            return Images(normalised(found, *scale), torch.from_numpy(labels[rows]), left_out, rows, *scale)


def test_images(config: DataConfig, training: Images) -> tuple[Tensor, Tensor]:
    """Held-out images, normalised as the training images were: the test split, or what the training subset leaves.

    Raises:
        UserError: there are none, or they are not of the training set's classes.
    """
    source = test_set(config)
    if source is None:
        if config.per_class is None:
            raise UserError(
                f"data.test=true: {describe(config)} has no test split; allowed with a data.per_class, which leaves "
                "the other images for it."
            )
        source = training_set(config)
        labels = class_numbers(source, config)
        rows = np.setdiff1d(np.arange(len(labels)), training.rows)
    else:
        classes = np.unique(np.asarray(training_set(config).labels))
        if unknown := sorted(map(str, set(source.labels) - set(classes.tolist()))):
            raise UserError(
                f"data.test=true: the test split of {describe(config)} has the class {unknown[0]}, which the training "
                "set lacks; allowed are the same classes."
            )
        labels = np.searchsorted(classes, np.asarray(source.labels)).astype(np.int64)
        rows = np.arange(len(labels))
    bad: dict[int, str] = {}
    while (found := pixels(source, rows, bad, config) if len(rows) else torch.empty(0)) is None:
        rows = np.setdiff1d(rows, list(bad))
    y = torch.from_numpy(labels[rows])
    if len(missing := (y.bincount(minlength=config.classes) == 0).nonzero()):
        raise UserError(
            f"data.test=true: no held-out image of {describe(config)} is of class {int(missing[0])}; allowed is a set "
            "with one of each, or a smaller data.per_class."
        )
    return normalised(found, training.mean, training.deviation), y


def class_numbers(source: Labelled, config: DataConfig) -> np.ndarray:
    """The labels int64 [all], renumbered 0 .. K-1 in their own order.

    Raises:
        UserError: there are not ``data.classes`` of them, or one is no label.
    """
    for row, label in enumerate(source.labels):
        if reason := no_label(label):
            raise UserError(
                f"data.name={config.name.name}: the label of row {row} of {describe(config)} is {reason}; allowed are "
                "whole numbers from 0 on, or names."
            )
    values, numbers = np.unique(np.asarray(source.labels), return_inverse=True)
    if len(values) != config.classes:
        raise UserError(
            f"data.classes={config.classes}: the {trained(config)} set of {describe(config)} has {len(values)} "
            f"classes; allowed is {len(values)}."
        )
    return numbers.astype(np.int64)


def trained(config: DataConfig) -> str:
    """What a person calls the split that is trained on."""
    return "test" if config.split is Split.test else "training"


def no_label(label: Any) -> str | None:
    """What is wrong with a label, in words; None where nothing is."""
    if label is None:
        return "missing"
    if isinstance(label, str):
        return None if label else "empty"
    if not isinstance(label, int | float | np.integer | np.floating):
        return f"a {type(label).__name__}"
    if not np.isfinite(label) or label != int(label):
        return f"{label}"
    return f"{label}, which marks a sample without a label" if label < 0 else None


def chosen(labels: np.ndarray, config: DataConfig, bad: Collection[int] = ()) -> np.ndarray:
    """The rows of the subset, without the ``bad`` ones, in the data set's order.

    Raises:
        UserError: a class has fewer samples than ``data.per_class``, or the whole set not ``data.samples`` of them.
    """
    good = ~np.isin(np.arange(len(labels)), list(bad))
    counts = np.bincount(labels[good], minlength=labels.max() + 1)
    if config.per_class is None:
        if config.samples != good.sum() and not (config.skip_bad and config.samples < good.sum()):
            unread = f", without {len(bad)} that cannot be decoded" if bad else ""
            there = f"the {trained(config)} set of {describe(config)} has {good.sum()} samples{unread}"
            raise UserError(
                f"data.samples={config.samples}: {there}; allowed is {good.sum()}, or a subset by data.per_class, at "
                f"most {counts.min()}."
            )
        return np.flatnonzero(good)
    wanted = sizes_below(config.per_class, config) if config.imbalance > 1 else [config.per_class] * len(counts)
    if (np.array(wanted) > counts).any():
        raise UserError(
            f"data.per_class={config.per_class}: the smallest class of {describe(config)} has {counts.min()} "
            f"{trained(config)} samples; allowed is at most that."
        )
    random = generator(config.input_seed, "image subset")
    rows = []
    for k in range(len(counts)):
        of_class = np.flatnonzero(labels == k)
        drawn = of_class[torch.randperm(len(of_class), generator=random).numpy()]
        rows.append(drawn[good[drawn]][: wanted[k]])  # the next one in place of a bad one
    return np.sort(np.concatenate(rows))


def normalised(pixels: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Pixels [N, C, H, W] as float32, less each channel's mean, divided by its deviation, [C, 1, 1] each."""
    return pixels.float().sub_(mean).div_(deviation)


def statistics(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (biased) of each channel of pixels [N, C, H, W], float32 [C, 1, 1].

    The deviation of a channel without variation counts as 1, so that it becomes 0.
    """
    means, deviations = [], []
    for channel in pixels.unbind(1):  # one at a time: float64 of a whole data set would take gigabytes
        channel = channel.double()
        mean = channel.mean()
        means.append(mean)
        deviations.append((channel - mean).square_().mean().sqrt())
    mean, deviation = (torch.stack(of).float()[:, None, None] for of in (means, deviations))
    return mean, deviation.where(deviation > 0, 1.0)
