"""What damage, several writers, full disks and folders that cannot be written do to the images that are kept."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from data.image_cache.made import kept, own, same
from safetensors import SafetensorError

from nc_runner.data import image_cache
from nc_runner.data.image_cache import Decoded, Key
from nc_runner.data.images import image_set


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:-7],
    "longer": lambda content: content + b"\0",
    "a header alone": lambda content: content[:100],
    "zeros": lambda content: bytes(len(content)),
    "a page": lambda content: b"<!doctype html>" * 40,
    "a bit of the header's length": lambda content: flipped(content, 0),
    "a bit of its record": lambda content: flipped(content, content.index(b"sha256") + 12),
    "a bit of a name": lambda content: flipped(content, content.index(b"pixels") + 1),
    "a bit of the shape": lambda content: content.replace(b"[12,1,4,5]", b"[12,1,5,4]"),
    "a bit of the first image": lambda content: flipped(content, len(content) - 240),
    "a bit of the last image": lambda content: flipped(content, len(content) - 1),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_made_again(folder: Path, count: list[int], kind: str) -> None:
    first = image_set(own(folder))
    path, whole = kept(), kept().read_bytes()
    path.write_bytes(DAMAGE[kind](whole))
    assert path.read_bytes() != whole
    assert same(image_set(own(folder)), first)
    assert kept().read_bytes() == whole
    assert same(image_set(own(folder)), first)
    assert count == [12, 12]


NONE = torch.empty(0, dtype=torch.uint8)
SHADES = torch.arange(24, dtype=torch.uint8).view(2, 1, 3, 4)


@pytest.mark.parametrize(
    "decoded", [Decoded(SHADES, {}), Decoded(NONE, {3: "no image", 40: "empty"})], ids=["good", "bad"]
)
def test_every_byte_is_guarded(decoded: Decoded) -> None:
    """Flip a bit of any of them: the file counts as damaged, or says what it said."""
    key = Key(None, None)
    image_cache.write(key, decoded)
    path, whole = kept(), kept().read_bytes()
    damaged = 0
    for place in range(len(whole)):
        path.write_bytes(flipped(whole, place))
        found = image_cache.read(key)
        damaged += found is None
        assert found is None or (torch.equal(found.pixels, decoded.pixels) and found.bad == decoded.bad), place
    assert damaged > len(whole) / 2


def test_several_writers_at_once_leave_one_whole_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All have written their temporary files before any renames its own."""
    written, save_file = threading.Barrier(4), image_cache.save_file

    def save(*words: Any, **keys: Any) -> None:
        save_file(*words, **keys)
        written.wait(60)

    monkeypatch.setattr(image_cache, "save_file", save)
    key = Key(None, None)
    threads = [threading.Thread(target=image_cache.write, args=(key, Decoded(SHADES, {}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = image_cache.read(key)
    assert found is not None
    assert torch.equal(found.pixels, SHADES)
    assert [path.name for path in image_cache.folder().iterdir()] == [f"{key}.safetensors"]
    assert capsys.readouterr().err == ""


def test_a_folder_that_cannot_be_written_loses_the_cache_alone(
    folder: Path, cache: Path, count: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    cache.write_text("a file where a folder should be")
    first = image_set(own(folder))
    assert same(image_set(own(folder)), first)
    assert count == [12, 12]
    said = capsys.readouterr().err
    assert said.count("nc-run:") == 1
    assert f"{cache / 'images'} cannot be written" in said
    assert cache.read_text() == "a file where a folder should be"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("IoError")])
def test_a_full_disk_loses_the_cache_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def half(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(image_cache, "save_file", half)
    assert len(image_set(own(folder)).x) == 12
    assert list(image_cache.folder().iterdir()) == []
    assert str(error).split("] ")[-1] in capsys.readouterr().err


def test_of_a_run_s_processes_the_first_says_it(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.write_text("a file where a folder should be")
    monkeypatch.setattr("multiprocessing.parent_process", lambda: "the run")
    image_set(own(folder))
    assert capsys.readouterr().err == ""
