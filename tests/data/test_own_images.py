"""Images that come from outside: damaged ones, odd labels, names that look like splits, tables that others wrote."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import checksum, images, left_out
from nc_runner.data.image_sources import settled_path, settled_root
from nc_runner.errors import UserError


def own(path: Path, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), **{"classes": 3, "per_class": 4} | keys)


def png(value: int, size: tuple[int, int] = (5, 4)) -> bytes:
    content = io.BytesIO()
    Image.new("L", size, value).save(content, "png")
    return content.getvalue()


def write(folder: Path, names: dict[str, int], offset: int = 0) -> Path:
    """Six different images in each class folder of ``names``."""
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(6):
            (folder / name / f"{i}.png").write_bytes(png(offset + 40 * k + i))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "own", dict.fromkeys("abc", 0))


def refused(config: DataConfig) -> str:
    with pytest.raises(UserError) as caught:
        images(config)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


BAD = {
    "truncated": lambda: png(3, (60, 60))[:60],
    "empty": lambda: b"",
    "a page": lambda: b"<!doctype html><title>not found</title>",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_damaged_image_is_named_and_may_be_left_out(folder: Path, kind: str) -> None:
    bad = folder / "b" / "0.png"
    bad.write_bytes(BAD[kind]())
    assert str(bad) in refused(own(folder, per_class=6))
    assert "data.skip_bad=true" in refused(own(folder, per_class=6))
    skipping = own(folder, per_class=5, skip_bad=True)
    x, y = images(skipping)
    assert (len(x), y.bincount().tolist()) == (15, [5, 5, 5])
    (item,) = left_out(skipping)
    assert item.startswith(str(bad))
    assert len(images(own(folder, per_class=None, samples=17, skip_bad=True))[0]) == 17
    more = own(folder, per_class=None, samples=18, skip_bad=True)
    assert "has 17 samples, without 1 that cannot be decoded" in refused(more)
    assert "17 samples of" in refused(own(folder, per_class=None, samples=16, skip_bad=True))


def test_an_image_above_pillow_s_limit_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert "cannot be decoded" in refused(own(folder))


def table(tmp_path: Path, labels: list[Any], image: Any = png, name: str = "data.parquet") -> Path:
    folder = tmp_path / "table [1]"  # brackets are a pattern to some
    folder.mkdir(exist_ok=True)
    content = [image(3 * i) for i in range(len(labels))]
    pd.DataFrame({"picture": content, "label": labels}).to_parquet(folder / name)
    return folder


@pytest.mark.parametrize("image", [png, lambda v: {"bytes": png(v), "path": None}], ids=["bytes", "struct"])
def test_a_table_that_pandas_wrote_is_read(tmp_path: Path, image: Any) -> None:
    x, y = images(own(table(tmp_path, [0, 1, 2] * 4, image)))
    assert y.bincount().tolist() == [4, 4, 4]
    assert x.shape == (12, 1, 4, 5)


@pytest.mark.parametrize(
    ("label", "said"),
    [(None, "missing"), (-1, "-1, which marks a sample without a label"), (float("nan"), "nan"), (0.5, "0.5")],
)
def test_what_is_no_label_is_named_with_its_row(tmp_path: Path, label: Any, said: str) -> None:
    text = refused(own(table(tmp_path, [0, 1, 2, label])))
    assert "the label of row 3" in text
    if label is not None and label == label:  # pandas writes None among numbers as NaN
        assert said in text


@pytest.mark.parametrize("label", [[1], {"a": 1}])
def test_a_label_of_several_parts_is_refused(tmp_path: Path, label: Any) -> None:
    assert f"is a {type(label).__name__}" in refused(own(table(tmp_path, [label] * 3)))


def test_a_row_without_an_image_is_named(tmp_path: Path) -> None:
    folder = table(tmp_path, [0, 1, 2] * 4, lambda v: None if v == 6 else png(v))
    assert "row 2 of" in refused(own(folder))


def test_of_two_columns_of_images_one_is_chosen(tmp_path: Path) -> None:
    rows = {"left": [png(i) for i in range(12)], "right": [png(100 - i) for i in range(12)], "kind": [0, 1, 2] * 4}
    (tmp_path / "two").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "two" / "t.parquet")
    assert "data.columns=IMAGE:LABEL" in refused(own(tmp_path / "two"))
    assert "allowed is two of them" in refused(own(tmp_path / "two", columns="middle:kind"))
    left, _ = images(own(tmp_path / "two", columns="left:kind"))
    right, _ = images(own(tmp_path / "two", columns="right:kind"))
    assert left.shape == right.shape
    assert not np.allclose(left, right)


def test_names_that_look_like_splits_are_only_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "own", {"train": 0, "car": 0, "test tube": 0})
    for i in range(3):
        (folder / "car" / f"{i}.png").rename(folder / "car" / f"train_{i}.png")
    x, y = images(own(folder, per_class=6))
    assert (len(x), y.bincount().tolist()) == (18, [6, 6, 6])


def test_folders_of_splits_that_hold_the_classes_are_splits(tmp_path: Path) -> None:
    write(tmp_path / "own" / "train", dict.fromkeys("abc", 0))
    write(tmp_path / "own" / "test", dict.fromkeys("abc", 0), offset=7)
    split, _ = images(own(tmp_path / "own", per_class=6))
    alone, _ = images(own(tmp_path / "own" / "train", per_class=6))
    assert np.allclose(split, alone)
    (tmp_path / "own" / "train").rename(tmp_path / "own" / "val")
    assert "none named train" in refused(own(tmp_path / "own"))


def test_files_that_are_no_images_are_counted(folder: Path) -> None:
    (folder / "a" / "notes.txt").write_text("x")
    (folder / "a" / ".hidden").write_text("x")
    assert left_out(own(folder)) == [f"{folder / 'a' / 'notes.txt'} (no image)"]


def test_the_same_images_are_the_same_wherever_they_lie(tmp_path: Path) -> None:
    here, there = (write(tmp_path / name / "pics", dict.fromkeys("abc", 0)) for name in ("A", "B"))
    other = write(tmp_path / "C" / "pics", dict.fromkeys("abc", 0), offset=1)
    (other / "a" / "0.png").write_bytes(png(200))
    assert checksum(own(here)) == checksum(own(there)) != checksum(own(other))


def test_a_path_means_the_same_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "pics").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert settled_path("owner/pics") == str(tmp_path / "owner" / "pics")
    assert settled_root("owner") == str(tmp_path / "owner")
    assert settled_path("someone/pics") == "hub:someone/pics"
    assert settled_path("hub:owner/pics") == "hub:owner/pics"
    assert settled_path(None) is None
    for path in ("pics", "./pics", "/no/where", "a/b/c", "hub:pics", "~/no/where"):
        with pytest.raises(UserError, match=r"^data\.path="):
            settled_path(path)
