"""The split of a set of images that is trained on: by name, and what is said where it is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from data.image_cache.made import png
from PIL import Image
from real_images import real_data

from nc_runner.config.choices import DataName, Split
from nc_runner.config.schema import DataConfig
from nc_runner.data import checksum, image_cache, images
from nc_runner.errors import AbsentDataError, UserError


def table(path: Path, brightness: int, count: int) -> None:
    """``count`` images of each of three classes."""
    rows = [(png(brightness + 9 * k + i), k) for k in range(3) for i in range(count)]
    pd.DataFrame(rows, columns=["image", "label"]).to_parquet(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four training images of a class, and two test images."""
    (tmp_path / "own").mkdir()
    table(tmp_path / "own" / "train-00000-of-00001.parquet", 20, 4)
    table(tmp_path / "own" / "test-00000-of-00001.parquet", 120, 2)
    return tmp_path / "own"


def own(path: Path, split: Split, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), split=split, **{"classes": 3, "per_class": 2} | keys)


def test_each_split_is_its_own_images_and_is_kept_by_itself(folder: Path) -> None:
    train, test = (images(own(folder, split))[0] for split in Split)
    assert len(train) == len(test) == 6
    raw = torch.tensor([0.0, 120.0, 121.0, 129.0, 130.0, 138.0, 139.0])  # a black pixel each, else as bright as this
    pixels = torch.cat([torch.zeros(6, 1), raw[1:, None].expand(-1, 19)], 1)
    expected = (pixels - pixels.mean()) / pixels.std(correction=0)
    torch.testing.assert_close(test.flatten(1), expected)  # by its own mean and deviation
    assert not torch.equal(train, test)
    assert len(image_cache.files()) == 2
    for split, kept in zip(Split, (train, test), strict=True):  # from the cache
        assert torch.equal(images(own(folder, split))[0], kept)
    assert checksum(own(folder, Split.train)) != checksum(own(folder, Split.test))


def test_sizes_are_told_of_the_split(folder: Path) -> None:
    with pytest.raises(UserError, match=r"smallest class of .* has 2 test samples; allowed is at most that"):
        images(own(folder, Split.test, per_class=3))
    with pytest.raises(UserError, match=r"the test set of .* has 6 samples; allowed is 6"):
        images(own(folder, Split.test, per_class=None, samples=12))
    assert len(images(own(folder, Split.train, per_class=3))[0]) == 9


def test_a_split_that_is_not_there_is_said(folder: Path) -> None:
    (folder / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(AbsentDataError, match=r"no file of a training split; allowed is .*, or data\.split=test\.$"):
        images(own(folder, Split.train))
    assert len(images(own(folder, Split.test))[0]) == 6
    table(folder / "all.parquet", 20, 4)
    (folder / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(AbsentDataError, match=r"^data\.split=test: .* has no test split; allowed is train\.$"):
        images(own(folder, Split.test))


def test_class_folders_of_a_test_split_alone(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / "test" / f"class_{k}").mkdir(parents=True)
        for i in range(2):
            Image.new("L", (4, 4), 40 * k + 9 * i).save(tmp_path / "test" / f"class_{k}" / f"{i}.png")
    assert images(own(tmp_path, Split.test))[1].tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(AbsentDataError, match="none named train"):
        images(own(tmp_path, Split.train))


def test_the_real_test_images_of_kmnist() -> None:
    root = Path(real_data())
    if not (root / "kmnist").is_dir():
        pytest.skip("no KMNIST")
    config = DataConfig(name=DataName.kmnist, classes=10, per_class=3, split=Split.test, root=str(root))
    x, y = images(config)
    assert x.shape == (30, 1, 28, 28)
    assert y.bincount().tolist() == [3] * 10
