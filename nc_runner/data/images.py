"""Image data sets: a class-balanced subset of the training images, each channel at mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nc_runner.config.schema import DataConfig
from nc_runner.data.image_sources import Labelled, describe, training_set
from nc_runner.errors import UserError
from nc_runner.rng import generator

GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
MODES = {1: "L", 3: "RGB"}


def images(config: DataConfig) -> tuple[Tensor, Tensor]:
    """The training images a config describes, decoded and normalised by their own mean and standard deviation.

    The subset, not the whole training set, is what is normalised: it is all the network ever sees. With
    ``data.per_class`` it has as many images of each class, drawn without replacement by ``data.input_seed``.

    Returns:
        x float32 [N, C, H, W] of mean 0 and standard deviation 1 in each channel, and y int64 [N].

    Raises:
        UserError: the data set is not there, has other classes or fewer samples than the config says, or its images
            differ in size or in colour.
    """
    source = training_set(config)
    labels = class_numbers(source, config)
    rows = chosen(labels, config)
    pixels = torch.from_numpy(decoded(source, rows, config))
    return normalised(pixels), torch.from_numpy(labels[rows])


def class_numbers(source: Labelled, config: DataConfig) -> np.ndarray:
    """The labels int64 [all], renumbered 0 .. K-1 in their own order.

    Raises:
        UserError: there are not ``data.classes`` of them.
    """
    values, numbers = np.unique(np.asarray(source.labels), return_inverse=True)
    if len(values) != config.classes:
        raise UserError(
            f"data.classes={config.classes}: the training set of {describe(config)} has {len(values)} classes; allowed "
            f"is {len(values)}."
        )
    return numbers.astype(np.int64)


def chosen(labels: np.ndarray, config: DataConfig) -> np.ndarray:
    """The rows of the subset, in the data set's order.

    Raises:
        UserError: a class has fewer samples than ``data.per_class``, or the whole set not ``data.samples`` of them.
    """
    counts = np.bincount(labels)
    if config.per_class is None:
        if config.samples != len(labels):
            raise UserError(
                f"data.samples={config.samples}: the training set of {describe(config)} has {len(labels)} samples; "
                f"allowed is {len(labels)}, or a subset by data.per_class, at most {counts.min()}."
            )
        return np.arange(len(labels))
    if config.per_class > counts.min():
        raise UserError(
            f"data.per_class={config.per_class}: the smallest class of {describe(config)} has {counts.min()} training "
            "samples; allowed is at most that."
        )
    random = generator(config.input_seed, "image subset")
    rows = []
    for k in range(len(counts)):
        of_class = np.flatnonzero(labels == k)
        rows.append(of_class[torch.randperm(len(of_class), generator=random).numpy()[: config.per_class]])
    return np.sort(np.concatenate(rows))


def decoded(source: Labelled, rows: np.ndarray, config: DataConfig) -> np.ndarray:
    """The images of ``rows`` as one array [N, C, H, W].

    Raises:
        UserError: they differ in size, some are grey and some coloured, or they have more than 8 bits a channel.
    """
    arrays = [as_array(image, config) for image in source.images(rows)]
    check_alike([array.shape for array in arrays], config)
    stacked = np.stack(arrays)
    return stacked[:, None] if stacked.ndim == 3 else np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


def as_array(image: Image.Image | np.ndarray, config: DataConfig) -> np.ndarray:
    """One image [H, W], grey, or [H, W, 3], in the size and colours the config asks for."""
    if isinstance(image, np.ndarray):
        if config.image_size is None and config.channels is None:
            return image
        image = Image.fromarray(image.astype(np.float32))  # mode F: grey of any range
        image = image if config.channels != 3 else Image.merge("RGB", [image.convert("L")] * 3)
    elif image.mode not in GREY_MODES + COLOUR_MODES:
        raise UserError(
            f"data.name={config.name.name}: {describe(config)} has images of mode {image.mode}, which conversion to 8 "
            f"bits would spoil; allowed are {', '.join(GREY_MODES + COLOUR_MODES)}."
        )
    else:
        image = image.convert(MODES[config.channels or (1 if image.mode in GREY_MODES else 3)])
    if config.image_size is not None:
        image = image.resize((config.image_size, config.image_size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def check_alike(shapes: Sequence[tuple[int, ...]], config: DataConfig) -> None:
    """Refuse images of several sizes, or grey ones among coloured ones."""
    if len({len(shape) for shape in shapes}) > 1:
        raise UserError(
            f"data.channels=null: {describe(config)} has both grey and colour images; allowed is 1, to make all grey, "
            "or 3, to make all coloured."
        )
    sizes = sorted({(shape[1], shape[0]) for shape in shapes})
    if len(sizes) > 1:
        raise UserError(
            f"data.image_size=null: the images of {describe(config)} have {len(sizes)} sizes, from {sizes[0][0]} x "
            f"{sizes[0][1]} to {sizes[-1][0]} x {sizes[-1][1]} pixels; allowed is a number of pixels for all."
        )


def normalised(pixels: Tensor) -> Tensor:
    """Pixels [N, C, H, W] as float32, less each channel's mean, divided by its standard deviation (biased).

    A channel without variation becomes 0.
    """
    means, deviations = [], []
    for channel in pixels.unbind(1):  # one at a time: float64 of a whole data set would take gigabytes
        channel = channel.double()
        mean = channel.mean()
        means.append(mean)
        deviations.append((channel - mean).square_().mean().sqrt())
    mean, deviation = (torch.stack(of).float()[:, None, None] for of in (means, deviations))
    return pixels.float().sub_(mean).div_(deviation.where(deviation > 0, 1.0))
