"""Which images are the same as those that are kept: by their bytes and what decides their pixels, never by a path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
import pytest
import torch
from data.image_cache.made import own, png, same

from nc_runner.data import image_cache
from nc_runner.data import pixels as pixels_module
from nc_runner.data.image_cache import Key
from nc_runner.data.images import image_set
from nc_runner.data.labelled import Encoded, Labelled


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
