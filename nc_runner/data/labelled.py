"""A training set not yet decoded: its labels, and its images one by one, each with where it comes from."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


@dataclass(frozen=True)
class Encoded:
    """One image: the file or the row it comes from, and its content: a file's bytes, or an array [H, W]."""

    place: str
    content: Any


@dataclass(frozen=True)
class Labelled:
    """A training set.

    Attributes:
        labels: [all], of numbers or of names.
        images: from rows int64 [N] to their images.
        passed_over: files that are there and are no part of it.
    """

    labels: Sequence[Any] | np.ndarray
    images: Callable[[np.ndarray], Iterable[Encoded]]
    passed_over: list[str] = field(default_factory=list)


class BadImageError(Exception):
    """An image that cannot be decoded: where it comes from, and why."""


def opened(encoded: Encoded) -> Image.Image | np.ndarray:
    """The decoded image, turned as its EXIF data say; an array as it is.

    Raises:
        BadImageError: there is nothing, it is no image, it is truncated, or it has more pixels than Pillow opens.
    """
    if isinstance(encoded.content, np.ndarray):
        return encoded.content
    if not encoded.content:
        raise BadImageError(f"{encoded.place} (empty)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(encoded.content))
            image.load()
            upright: Image.Image = ImageOps.exif_transpose(image)
            return upright
    except Exception as error:  # of Pillow's many plugins: OSError, SyntaxError, struct.error, zlib.error, ...
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        said = "no image" if isinstance(error, UnidentifiedImageError) else reason.rstrip(".")
        raise BadImageError(f"{encoded.place} ({said})") from error
