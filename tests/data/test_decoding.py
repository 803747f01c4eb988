"""Encoded images against what was put into them, and against Pillow one by one; by one process and by several."""

from __future__ import annotations

import io
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from nc_runner.data import decoders, decoding
from nc_runner.data.decoders import decode_all
from nc_runner.data.decoding import BadImageError, ModeError, decode

random = np.random.default_rng(0)
GREY = random.integers(0, 256, (5, 6), dtype=np.uint8)
COLOUR = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
ALPHA = random.integers(0, 256, (5, 6, 1), dtype=np.uint8)
ORIENTATION = 0x0112  # the tag in EXIF


def encoded(image: Image.Image, kind: str, **keys: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **keys)
    return content.getvalue()


def turned(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(Image.fromarray(COLOUR), kind, exif=exif)


def palette() -> Image.Image:
    """Image k of a palette whose colour k is (k, 255 - k, 2 k)."""
    image = Image.fromarray(GREY % 100).convert("P")
    image.putdata((GREY % 100).ravel().tolist())
    image.putpalette([part for k in range(256) for part in (k, 255 - k, 2 * k % 256)])
    return image


COLOURS = np.stack([GREY % 100, 255 - GREY % 100, 2 * (GREY % 100)], axis=2)

# What is encoded without loss, with the pixels it must give.
EXACT: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    "grey PNG": (lambda: encoded(Image.fromarray(GREY), "png"), GREY),
    "grey PNG, one shade transparent": (
        lambda: encoded(Image.fromarray(GREY), "png", transparency=int(GREY[0, 0])),
        GREY,
    ),
    "grey PNG with alpha": (lambda: encoded(Image.fromarray(np.dstack([GREY, ALPHA])), "png"), GREY),
    "PNG of one bit": (lambda: encoded(Image.fromarray(GREY > 99), "png"), np.where(GREY > 99, 255, 0)),
    "colour PNG": (lambda: encoded(Image.fromarray(COLOUR), "png"), COLOUR),
    "colour PNG with alpha": (lambda: encoded(Image.fromarray(np.dstack([COLOUR, ALPHA])), "png"), COLOUR),
    "PNG with a palette": (lambda: encoded(palette(), "png"), COLOURS),
    "PNG with a palette, one colour transparent": (lambda: encoded(palette(), "png", transparency=3), COLOURS),
    "GIF": (lambda: encoded(palette(), "gif"), COLOURS),
    "BMP": (lambda: encoded(Image.fromarray(COLOUR), "bmp"), COLOUR),
    "TIFF": (lambda: encoded(Image.fromarray(GREY), "tiff"), GREY),
    "PNG on its side": (lambda: turned("png", 6), np.rot90(COLOUR, -1)),
    "TIFF on its head": (lambda: turned("tiff", 3), COLOUR[::-1, ::-1]),
    "PNG mirrored": (lambda: turned("png", 2), COLOUR[:, ::-1]),
}
# What is not, or whose conversion is Pillow's own.
LOSSY: dict[str, Callable[[], bytes]] = {
    "grey JPEG": lambda: encoded(Image.fromarray(GREY), "jpeg"),
    "colour JPEG": lambda: encoded(Image.fromarray(COLOUR), "jpeg"),
    "CMYK JPEG": lambda: encoded(Image.fromarray(COLOUR).convert("CMYK"), "jpeg"),
    "CMYK TIFF": lambda: encoded(Image.fromarray(COLOUR).convert("CMYK"), "tiff"),
    "YCbCr TIFF": lambda: encoded(Image.fromarray(COLOUR).convert("YCbCr"), "tiff"),
    "WebP with alpha": lambda: encoded(Image.fromarray(np.dstack([COLOUR, ALPHA])), "webp"),
    "icon": lambda: encoded(Image.fromarray(COLOUR), "ico", sizes=[(6, 5)]),
    **{f"JPEG turned by {k}": (lambda k=k: turned("jpeg", k)) for k in range(1, 9)},
}
ALL: dict[str, Callable[[], bytes]] = {name: make for name, (make, _) in EXACT.items()} | LOSSY


def decoded(content: Any, size: int | None = None, channels: int | None = None) -> Any:
    """One image's array, or what is wrong with it."""
    (outcome,) = decode_all([content], 1, size, channels)
    return outcome


def one_by_one(content: bytes, size: int | None, channels: int | None) -> np.ndarray:
    """The rule in a few lines of Pillow."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    grey = channels == 1 or (channels is None and image.mode in ("1", "L", "LA"))
    image = image.convert("L" if grey else "RGB")
    return np.asarray(image if size is None else image.resize((size, size), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("kind", EXACT)
def test_what_was_put_in_comes_out(kind: str) -> None:
    make, pixels = EXACT[kind]
    found = decoded(make())
    assert isinstance(found, np.ndarray), found
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_is_as_pillow_has_it_one_by_one(kind: str) -> None:
    content = ALL[kind]()
    for size, channels in itertools.product((None, 7), (None, 1, 3)):
        found = decoded(content, size, channels)
        expected = one_by_one(content, size, channels)
        assert isinstance(found, np.ndarray), found
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(found, expected)


DEEP = {
    "I;16": lambda: encoded(Image.fromarray(GREY.astype(np.uint16) * 200), "png"),
    "F": lambda: encoded(Image.fromarray(GREY.astype(np.float32)), "tiff"),
    "I": lambda: encoded(Image.fromarray(GREY.astype(np.int32)), "tiff"),
}


@pytest.mark.parametrize("mode", DEEP)
def test_what_8_bits_would_spoil_is_not_decoded(mode: str) -> None:
    found = decoded(DEEP[mode](), None, 1)
    assert isinstance(found, ModeError)
    assert str(found) == mode


NO_BYTES = "a bytes-like object is required"
BAD = [(None, "empty"), (b"", "empty"), (b"<!doctype html>", "no image"), ("a path", NO_BYTES), (7, NO_BYTES)]


@pytest.mark.parametrize(("content", "reason"), BAD)
def test_a_bad_image_says_why(content: Any, reason: str) -> None:
    found = decoded(content)
    assert isinstance(found, BadImageError)
    assert str(found).startswith(reason)


def numbered(count: int) -> list[Any]:
    """Images of one shade each, which tells their place; every hundredth is bad, and one is of 16 bits."""
    images: list[Any] = [encoded(Image.new("L", (3, 2), k % 256), "png") for k in range(count)]
    images[::100] = [images[0][:40] for _ in images[::100]]
    images[150] = DEEP["I;16"]()
    return images


def said(outcomes: Any) -> list[Any]:
    """What can be compared."""
    return [outcome.tolist() if isinstance(outcome, np.ndarray) else repr(outcome) for outcome in outcomes]


def alone(images: list[Any]) -> list[Any]:
    """What this process alone makes of them."""
    return said(decode_all(images, 0, None, None))


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("count", [300, 512, 1300])
def test_several_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch, count: int, processes: int) -> None:
    images = numbered(count)
    expected = alone(images)
    monkeypatch.setattr(decoders, "_process_count", lambda images: processes)
    here: list[int] = []
    monkeypatch.setattr(decoders, "decode", lambda contents, *how: here.append(len(contents)) or decode(contents, *how))
    assert said(decode_all(iter(images), count, None, None)) == expected
    assert here == [1] * sum(isinstance(outcome, str) for outcome in expected)  # the good ones were not decoded here
    assert said(decode_all(images, count, 4, 3))[1:3] == [np.full((4, 4, 3), k).tolist() for k in (1, 2)]


@pytest.mark.parametrize(
    "program", ["raise SystemExit(1)", "print('not an answer', flush=True)", "import os; os.kill(os.getpid(), 9)"]
)
def test_processes_that_fail_cost_time_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> None:
    (tmp_path / "decoding.py").write_text(program)
    monkeypatch.setattr(decoding, "__file__", str(tmp_path / "decoding.py"))
    monkeypatch.setattr(decoders, "_process_count", lambda images: 2)
    images = numbered(600)
    assert said(decode_all(images, 600, None, None)) == alone(images)


def test_processes_end_with_whoever_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *words, **keys: started.append(popen(*words, **keys)) or started[-1]
    )
    monkeypatch.setattr(decoders, "_process_count", lambda images: 2)
    outcomes = decode_all(numbered(1000), 1000, None, None)
    next(outcomes)
    assert [process.returncode for process in started] == [None, None]
    outcomes.close()
    assert None not in [process.returncode for process in started]


def test_few_images_and_those_of_a_worker_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert [decoders._process_count(images) for images in (1, 1999, 2000, 10**6)] == [0, 0, 2, 3]
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "the run")
    assert decoders._process_count(10**6) == 0
    monkeypatch.undo()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert decoders._process_count(10**6) == 0
