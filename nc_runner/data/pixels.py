"""The pixels of some rows of a training set: mapped from this machine's cache, or decoded and put there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nc_runner.config.schema import DataConfig
from nc_runner.data import image_cache
from nc_runner.data.decoders import decode_all
from nc_runner.data.decoding import COLOUR_MODES, GREY_MODES, ModeError
from nc_runner.data.image_cache import Decoded, Key
from nc_runner.data.image_sources import describe
from nc_runner.data.labelled import Labelled
from nc_runner.errors import UserError

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # grey of red, green and blue, ITU-R 601 as in Pillow


def pixels(source: Labelled, rows: np.ndarray, bad: dict[int, str], config: DataConfig) -> Tensor | None:
    """The images of ``rows`` [N, C, H, W]; None where some were bad, which ``bad`` then has.

    They are uint8, or of the type of a source of arrays, which need no decoding.

    Raises:
        UserError: they differ in size, some are grey and some coloured, they have more than 8 bits a channel, or one
            cannot be decoded and ``data.skip_bad`` is false.
    """
    if isinstance(next(iter(source.images(rows[:1]))).content, np.ndarray):
        return stacked([resized(encoded.content, config) for encoded in source.images(rows)], config)
    key, places = Key(config.image_size, config.channels), []
    for encoded in source.images(rows):
        key.add(encoded.content)
        places.append(encoded.place)
    kept = image_cache.read(key) or decoded(source, rows, config)
    for place, reason in kept.bad.items():
        if not config.skip_bad:
            raise refusal(places[place], reason, config)
        bad[int(rows[place])] = f"{places[place]} ({reason})"
    return None if kept.bad else kept.pixels


def decoded(source: Labelled, rows: np.ndarray, config: DataConfig) -> Decoded:
    """The images of ``rows`` decoded, and kept for the next time.

    Raises:
        UserError: as :func:`pixels`.
    """
    key, places = Key(config.image_size, config.channels), []  # of what is decoded: a file may have changed since

    def contents() -> Iterator[Any]:
        for encoded in source.images(rows):
            key.add(encoded.content)
            places.append(encoded.place)
            yield encoded.content

    arrays, bad = [], {}
    with closing(decode_all(contents(), len(rows), config.image_size, config.channels)) as outcomes:
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, np.ndarray):
                arrays.append(outcome)
            elif isinstance(outcome, ModeError):
                raise UserError(
                    f"data.name={config.name.name}: {describe(config)} has images of mode {outcome}, which conversion "
                    f"to 8 bits would spoil; allowed are {', '.join(GREY_MODES + COLOUR_MODES)}."
                )
            elif config.skip_bad:
                bad[place] = str(outcome)
            else:
                raise refusal(places[place], str(outcome), config)
    result = Decoded(torch.empty(0, dtype=torch.uint8) if bad else stacked(arrays, config), bad)
    image_cache.write(key, result)
    return result


def refusal(place: str, reason: str, config: DataConfig) -> UserError:
    """What is said of a bad image."""
    return UserError(
        f"data.name={config.name.name}: {place} ({reason}) cannot be decoded; allowed are images that Pillow opens, or "
        "data.skip_bad=true, to leave it out."
    )


def resized(array: np.ndarray, config: DataConfig) -> np.ndarray:
    """An image [H, W] or [H, W, 3] of any range, in the size and colours that the config asks for."""
    if array.ndim == 3 and config.channels == 1:
        array = array.astype(np.float32) @ LUMA
    planes = list(np.moveaxis(array, 2, 0)) if array.ndim == 3 else [array] * (config.channels or 1)
    if config.image_size is not None:
        size = (config.image_size, config.image_size)
        grey = [Image.fromarray(plane.astype(np.float32)) for plane in planes]  # mode F: of any range
        planes = [np.asarray(image.resize(size, Image.Resampling.BILINEAR)) for image in grey]
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


def stacked(arrays: Sequence[np.ndarray], config: DataConfig) -> Tensor:
    """Images [H, W] or [H, W, C] as one tensor [N, C, H, W].

    Raises:
        UserError: they differ in size, or some are grey and some coloured.
    """
    shapes = {array.shape for array in arrays}
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
    stack = np.stack(arrays)
    return torch.from_numpy(stack[:, None] if stack.ndim == 3 else np.ascontiguousarray(stack.transpose(0, 3, 1, 2)))
