"""Decoded images kept on this machine: what is taken from there, what never is, and what damage and full disks do."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

from nc_runner import data
from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import image_cache
from nc_runner.data import pixels as pixels_module
from nc_runner.data.image_cache import Decoded, Key
from nc_runner.data.images import Images, image_set
from nc_runner.data.labelled import Encoded, Labelled
from nc_runner.errors import UserError


def own(path: Path, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), **{"classes": 3, "per_class": 4} | keys)


def png(value: int, kind: str = "png") -> bytes:
    """5 x 4 pixels, the first of them black."""
    content, image = io.BytesIO(), Image.new("L", (5, 4), value)
    image.putpixel((0, 0), 0)
    image.save(content, kind)
    return content.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, name in enumerate("abc"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "own" / name / f"{i}.png").write_bytes(png(50 + 40 * k + i))
    return tmp_path / "own"


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each decoding was of."""
    decoded: list[int] = []
    decode_all = pixels_module.decode_all

    def counted(contents: Any, images: int, *how: Any) -> Any:
        decoded.append(images)
        return decode_all(contents, images, *how)

    monkeypatch.setattr(pixels_module, "decode_all", counted)
    return decoded


def same(one: Images, other: Images) -> bool:
    alike = torch.equal(one.x, other.x) and torch.equal(one.y, other.y) and one.left_out == other.left_out
    return alike and (one.x.dtype, one.y.dtype) == (other.x.dtype, other.y.dtype)


def kept() -> Path:
    """The one file that is kept."""
    (path,) = image_cache.files()
    return path


@pytest.mark.parametrize(
    "keys", [{}, {"image_size": 3}, {"channels": 3}, {"per_class": 2}, {"per_class": None, "samples": 12}]
)
def test_a_second_time_is_as_the_first_without_decoding(folder: Path, count: list[int], keys: dict[str, Any]) -> None:
    (folder / "a" / "notes.txt").write_text("no image")
    first, second = image_set(own(folder, **keys)), image_set(own(folder, **keys))
    assert same(first, second)
    assert second.left_out == [f"{folder / 'a' / 'notes.txt'} (no image)"]
    assert count == [len(first.x)]


def test_another_process_maps_what_this_one_decoded(folder: Path) -> None:
    """It takes what lies in the cache, here other pixels under the name of these."""
    config = own(folder)
    decoded = data.checksum(config)
    other = torch.arange(12 * 20, dtype=torch.uint8).view(12, 1, 4, 5)
    key = Key(None, None)
    for k in "abc":
        for i in range(4):
            key.add((folder / k / f"{i}.png").read_bytes())
    image_cache.write(key, Decoded(other, {}))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        mapped = pool.apply(data.checksum, (config,))
    assert mapped == data.checksum(own(folder, input_seed=3)) != decoded  # a seed that draws the same twelve


def test_a_kept_set_is_mapped_and_cannot_be_changed(folder: Path) -> None:
    image_set(own(folder))
    content = kept().read_bytes()
    key = Key(None, None)
    for path in sorted(folder.rglob("*.png")):
        key.add(path.read_bytes())
    found = image_cache.read(key)
    assert found is not None
    if Path("/proc/self/maps").exists():
        assert str(kept()) in Path("/proc/self/maps").read_text()
    found.pixels.zero_()
    assert kept().read_bytes() == content
    again = image_cache.read(key)
    assert again is not None
    assert again.pixels.any()


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


def test_other_images_under_the_same_path_are_other_images(folder: Path, count: list[int]) -> None:
    path = folder / "b" / "2.png"
    path.write_bytes(png(92, "bmp"))  # of a length that does not depend on what is in it
    before = image_set(own(folder))
    times, length = path.stat(), len(path.read_bytes())
    path.write_bytes(png(250, "bmp"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert len(path.read_bytes()) == length
    after = image_set(own(folder))
    assert after.x[6].max() > after.x[[0, 1, 2, 3, 4, 5, 7]].max()
    assert not same(before, after)
    path.write_bytes(png(92, "bmp"))
    assert same(image_set(own(folder)), before)
    assert count == [12, 12]


def test_other_rows_of_a_table_are_other_images(tmp_path: Path, count: list[int]) -> None:
    def write(offset: int) -> None:
        rows = {"image": [png(offset + 3 * i) for i in range(12)], "label": [0, 1, 2] * 4}
        pd.DataFrame(rows).to_parquet(tmp_path / "train.parquet")

    write(0)
    before = image_set(own(tmp_path))
    write(100)
    after = image_set(own(tmp_path))
    assert not torch.equal(before.x, after.x)
    assert count == [12, 12]


def test_labels_are_never_from_the_cache(folder: Path, count: list[int]) -> None:
    before = image_set(own(folder))
    (folder / "a" / "3.png").rename(folder / "b" / "-.png")  # the same images in the same order, of other classes
    after = image_set(own(folder, per_class=None, samples=12))
    assert torch.equal(before.x, after.x)
    assert (before.y.bincount().tolist(), after.y.bincount().tolist()) == ([4, 4, 4], [3, 5, 4])
    assert count == [12]


def test_the_same_images_are_decoded_once_wherever_they_lie(folder: Path, tmp_path: Path, count: list[int]) -> None:
    files = sorted(folder.rglob("*.png"))
    (tmp_path / "table").mkdir()
    table = {"image": [path.read_bytes() for path in files], "label": [path.parent.name for path in files]}
    pd.DataFrame(table).to_parquet(tmp_path / "table" / "train.parquet")
    assert same(image_set(own(folder)), image_set(own(tmp_path / "table")))
    assert count == [12]


def test_another_size_colour_or_library_is_another_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for keys in ({}, {"image_size": 4}, {"image_size": 5}, {"channels": 1}, {"channels": 3}):
        for _ in range(2):
            found = image_set(own(folder, **keys))
            size, channels = keys.get("image_size"), keys.get("channels", 1)
            assert found.x.shape == (12, channels, *((size, size) if size else (4, 5)))
        names.append({path.name for path in image_cache.files()})
    assert list(map(len, names)) == [1, 2, 3, 4, 5]
    monkeypatch.setattr(PIL, "__version__", "0.0")
    image_set(own(folder))
    assert len(image_cache.files()) == 6


def test_the_key_is_of_each_image_s_bytes() -> None:
    def name(*contents: Any) -> str:
        key = Key(None, None)
        for content in contents:
            key.add(content)
        return str(key)

    names = [name(), name(b""), name(b"ab", b"c"), name(b"a", b"bc"), name(b"c", b"ab"), name(None), name("ab", b"c")]
    assert len(set(names)) == len(names)
    assert name(b"ab", b"c") == names[2]


def test_a_file_that_changes_while_it_is_read_leaves_nothing_false(count: list[int]) -> None:
    """The images are read for the key and again to be decoded; what is kept is named by what was decoded."""
    readings = iter([[png(1), png(2)]] * 2 + [[png(1), png(99)]] + [[png(1), png(2)]] * 3)  # the first is of one row

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        for row, content in zip(rows, next(readings), strict=False):
            yield Encoded(f"row {row}", content)

    source, rows, config = Labelled([0, 1], images), np.arange(2), own(Path())
    changed = pixels_module.pixels(source, rows, {}, config)
    assert changed is not None
    assert changed[1, 0, 1, 1] == 99
    right = pixels_module.pixels(source, rows, {}, config)
    assert right is not None
    assert right[1, 0, 1, 1] == 2
    assert count == [2, 2]


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


def refusal(config: DataConfig) -> str:
    with pytest.raises(UserError) as caught:
        image_set(config)
    return str(caught.value)


def test_bad_images_are_refused_and_left_out_alike_from_the_cache(folder: Path, count: list[int]) -> None:
    for name, content in (("b/1.png", b"no image"), ("c/2.png", png(7)[:50])):
        (folder / name).write_bytes(content)
    strict = own(folder, per_class=None, samples=12)
    skipping = own(folder, per_class=None, samples=10, skip_bad=True)
    cold = refusal(strict)
    assert str(folder / "b" / "1.png") in cold
    assert image_cache.files() == []  # what is refused leaves nothing
    first = image_set(skipping)
    assert [item.split(" (")[0] for item in first.left_out] == [str(folder / "b/1.png"), str(folder / "c/2.png")]
    assert first.y.bincount().tolist() == [4, 3, 3]
    assert count == [12, 12, 10]
    assert same(image_set(skipping), first)
    assert refusal(strict) == cold
    assert count == [12, 12, 10]


def test_a_bad_image_is_named_where_it_lies_now(folder: Path, count: list[int]) -> None:
    (folder / "b" / "1.png").write_bytes(b"no image")
    keys = {"per_class": 3, "skip_bad": True, "input_seed": 2}
    here = image_set(own(folder, **keys))
    there = image_set(own(folder.rename(folder.with_name("elsewhere")), **keys))
    assert torch.equal(here.x, there.x)
    assert here.left_out == [f"{folder / 'b' / '1.png'} (no image)"]
    assert there.left_out == [f"{folder.with_name('elsewhere') / 'b' / '1.png'} (no image)"]
    assert count == [9, 9]


def test_arrays_are_not_kept() -> None:
    pytest.importorskip("sklearn.datasets")
    image_set(DataConfig(name=DataName.digits, classes=10, per_class=2, image_size=16))
    assert image_cache.files() == []


def test_files_are_ours_alone() -> None:
    assert image_cache.files() == []
    image_cache.write(Key(None, None), Decoded(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), {}))
    ours = kept()
    unfinished = ours.with_name(f".{ours.stem}.0a1b.tmp")
    unfinished.touch()
    for name in ("notes.txt", "weights.safetensors", f"{ours.stem}.safetensors.bak", f"x{ours.name}"):
        ours.with_name(name).touch()
    ours.with_name("f" * 64 + ".safetensors").mkdir()
    assert image_cache.files() == sorted([ours, unfinished])
