"""Decoded images kept on this machine: what is taken from there, and what never is."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from data.image_cache.made import kept, own, png, same

from nc_runner import data
from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import image_cache
from nc_runner.data.image_cache import Decoded, Key
from nc_runner.data.images import image_set
from nc_runner.errors import UserError


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
