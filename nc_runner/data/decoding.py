"""Encoded images decoded to 8 bits a channel; as a program, for another process (see ``decoders.py``).

It imports Pillow alone, no torch and no numpy, so that a process that only decodes is there at once.
"""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

GREY_MODES = ("1", "L", "LA")
COLOUR_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
MODES = {1: "L", 3: "RGB"}

# Bytes, and the shape of the uint8 array that they are: [H, W], grey, or [H, W, 3].
Pixels = tuple[bytes, tuple[int, ...]]


class BadImageError(Exception):
    """An image that cannot be decoded: why."""


class ModeError(Exception):
    """An image which conversion to 8 bits a channel would spoil: its mode."""


def decode(contents: Sequence[Any], size: int | None, channels: int | None) -> list[Pixels | BadImageError | ModeError]:
    """Each image's pixels, turned as its EXIF data say; or what is wrong with it.

    Args:
        contents: an image file's bytes each; anything else is a bad image.
        size: the side in pixels they are resized to; None: as they are.
        channels: 1 makes them grey, 3 coloured; None: as they are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return [_outcome(content, size, channels) for content in contents]


def _outcome(content: Any, size: int | None, channels: int | None) -> Pixels | BadImageError | ModeError:
    if not content:
        return BadImageError("empty")
    try:
        return _pixels(content, size, channels)
    except ModeError as error:
        return error
    except UnidentifiedImageError:
        return BadImageError("no image")
    except Exception as error:  # of Pillow's many plugins: OSError, SyntaxError, struct.error, zlib.error, ...
        return BadImageError(str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__)


def _pixels(content: bytes, size: int | None, channels: int | None) -> Pixels:
    image: Image.Image = Image.open(io.BytesIO(content))
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode not in GREY_MODES + COLOUR_MODES:
        raise ModeError(image.mode)
    mode = MODES[channels or (1 if image.mode in GREY_MODES else 3)]
    if image.mode != mode:
        image = image.convert(mode)
    if size is not None:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return image.tobytes(), (image.height, image.width, 3)[: 2 if mode == "L" else 3]


def serve() -> None:
    """Decode what comes in, a pickled (contents, size, channels) at a time, until there is no more.

    Each is answered by a pickled list, with None for an image that this process could not decode.
    """
    while True:
        try:
            given = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = [outcome if isinstance(outcome, tuple) else None for outcome in decode(*given)]
        pickle.dump(answer, sys.stdout.buffer, protocol=5)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()
