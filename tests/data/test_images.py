"""Image data sets: subsets, normalisation, every refusal, and the real files where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from real_images import real_data

from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import image_sources, images, load
from nc_runner.errors import UserError


def from_folder(path: Path, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), **{"classes": 3, "samples": 15} | keys)


def write_folder(
    path: Path, *, mode: str = "L", size: tuple[int, int] = (6, 5), per_class: tuple[int, ...] = (5, 5, 5)
):
    """A folder a class; every pixel of image i of class k is 40 k + i, but for the first, which is 0."""
    for k, count in enumerate(per_class):
        (path / "train" / f"class_{k}").mkdir(parents=True)
        for i in range(count):
            image = Image.new("L", size, 40 * k + i)
            image.putpixel((0, 0), 0)
            image.convert(mode).save(path / "train" / f"class_{k}" / f"{i}.png")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "own")


def test_digits_are_normalised_by_themselves():
    x, y = images(DataConfig(name=DataName.digits, classes=10, samples=1797))
    assert x.shape == (1797, 1, 8, 8)
    assert x.dtype == torch.float32
    assert y.dtype == torch.int64
    assert x.double().mean().abs() < 1e-6
    assert abs(x.double().std(correction=0) - 1) < 1e-6


def test_subset_is_balanced_and_by_seed():
    config = DataConfig(name=DataName.digits, classes=10, per_class=7, input_seed=3)
    x, y = images(config)
    assert y.bincount().tolist() == [7] * 10
    again, _ = images(config)
    assert torch.equal(x, again)
    other, _ = images(DataConfig(name=DataName.digits, classes=10, per_class=7, input_seed=4))
    assert not torch.equal(x, other)


def test_subset_is_of_different_images_of_their_own_class():
    """Undoing the normalisation gives 70 different digits, each with its label in scikit-learn's own arrays."""
    datasets = pytest.importorskip("sklearn.datasets")
    of = {image.tobytes(): label for image, label in zip(*_arrays(datasets.load_digits()), strict=True)}
    config = DataConfig(name=DataName.digits, classes=10, per_class=7)
    source = image_sources.training_set(config)
    x, y = images(config)
    raw = np.stack([encoded.content for encoded in source.images(np.arange(1797))])
    chosen = [key for key, image in enumerate(raw) if image.tobytes() in of]
    assert len(chosen) == 1797
    scale = (x - x.min()) / (x.max() - x.min()) * 16
    rounded = scale.round().numpy().astype(np.float64)[:, 0]
    labels = [of[image.tobytes()] for image in rounded]
    assert labels == y.tolist()
    assert len({image.tobytes() for image in rounded}) == 70


def _arrays(bunch: Any) -> tuple[np.ndarray, np.ndarray]:
    return bunch.images.astype(np.float64), bunch.target


def test_own_folder(folder: Path):
    x, y = images(from_folder(folder))
    assert x.shape == (15, 1, 5, 6)
    assert y.bincount().tolist() == [5, 5, 5]
    pixels = np.array([[40 * k + i] * 29 + [0] for k in range(3) for i in range(5)], dtype=np.float64)
    expected = np.sort(((pixels - pixels.mean()) / pixels.std()).ravel())
    assert np.allclose(np.sort(x.double().numpy().ravel()), expected, atol=1e-6)
    means = [x[y == k][:, 0, 2, 2].mean().item() for k in range(3)]
    assert means == sorted(means)


def test_each_colour_has_its_own_normalisation(tmp_path: Path):
    random = np.random.default_rng(0)
    raw = random.integers(0, [256, 100, 30], size=(6, 4, 4, 3)).astype(np.uint8)
    for i, array in enumerate(raw):
        (tmp_path / "train" / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(tmp_path / "train" / f"{i % 2}" / f"{i}.png")
    x, _ = images(from_folder(tmp_path, classes=2, samples=6))
    assert x.shape == (6, 3, 4, 4)
    assert torch.allclose(x.double().mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(x.double().std((0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64), atol=1e-6)


def test_images_without_variation_are_zero(tmp_path: Path):
    for k in range(2):
        (tmp_path / "train" / str(k)).mkdir(parents=True)
        Image.new("L", (3, 3), 7).save(tmp_path / "train" / str(k) / "0.png")
    x, _ = images(from_folder(tmp_path, classes=2, samples=2))
    assert torch.equal(x, torch.zeros(2, 1, 3, 3))


@pytest.mark.parametrize(("channels", "size", "shape"), [(3, None, (3, 5, 6)), (1, 4, (1, 4, 4)), (None, 8, (1, 8, 8))])
def test_resized_and_recoloured(folder: Path, channels: int | None, size: int | None, shape: tuple[int, ...]):
    x, _ = images(from_folder(folder, channels=channels, image_size=size))
    assert x.shape[1:] == shape
    assert x.isfinite().all()


def test_digits_resized():
    x, _ = images(DataConfig(name=DataName.digits, classes=10, per_class=2, image_size=16, channels=3))
    assert x.shape == (20, 3, 16, 16)
    assert x.double().std() > 0.5


def test_loading_twice_decodes_once(folder: Path, monkeypatch: pytest.MonkeyPatch):
    first, _ = load(from_folder(folder))
    monkeypatch.setattr(image_sources, "training_set", None)
    assert load(from_folder(folder))[0] is first


def refused(config: DataConfig) -> str:
    with pytest.raises(UserError) as caught:
        images(config)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_refuses_another_number_of_classes(folder: Path):
    assert "data.classes=4" in refused(from_folder(folder, classes=4))
    assert "allowed is 3" in refused(from_folder(folder, classes=4))


def test_refuses_more_than_there_are(tmp_path: Path):
    path = write_folder(tmp_path / "few", per_class=(5, 2, 5))
    assert "the smallest class" in refused(from_folder(path, per_class=3))
    assert "has 12 samples; allowed is 12" in refused(from_folder(path, samples=15))


def test_refuses_grey_among_colour(folder: Path):
    Image.new("RGB", (6, 5), (1, 2, 3)).save(folder / "train" / "class_0" / "colour.png")
    config = from_folder(folder, samples=16)
    assert "both grey and colour" in refused(config)
    assert images(from_folder(folder, samples=16, channels=1))[0].shape == (16, 1, 5, 6)


def test_refuses_several_sizes(folder: Path):
    Image.new("L", (9, 9)).save(folder / "train" / "class_0" / "large.png")
    assert "2 sizes, from 6 x 5 to 9 x 9" in refused(from_folder(folder, samples=16))
    assert images(from_folder(folder, samples=16, image_size=6))[0].shape == (16, 1, 6, 6)


def test_refuses_16_bits(folder: Path):
    Image.fromarray(np.full((5, 6), 1000, dtype=np.uint16)).save(folder / "train" / "class_0" / "deep.png")
    assert "8 bits" in refused(from_folder(folder, samples=16))


def test_refuses_a_folder_without_images(tmp_path: Path):
    (tmp_path / "train.csv").write_text("a,label\n1,0\n2,1\n")
    assert "allowed is one column of images" in refused(from_folder(tmp_path))


def test_refuses_a_folder_that_is_empty(tmp_path: Path):
    assert str(tmp_path) in refused(from_folder(tmp_path))


def test_refuses_a_folder_that_is_not_there(tmp_path: Path):
    assert "there is no such folder" in refused(from_folder(tmp_path / "nowhere"))


def test_names_the_root_that_lacks_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert "has no folder mnist" in refused(DataConfig(name=DataName.mnist, classes=10, root=str(tmp_path)))
    monkeypatch.setenv("NC_DATA_ROOT", str(tmp_path))
    assert refused(DataConfig(name=DataName.mnist, classes=10)).startswith(f"NC_DATA_ROOT={tmp_path}")


def test_says_when_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch):
    """The tests run with the hub offline."""
    monkeypatch.delenv("NC_DATA_ROOT", raising=False)
    text = refused(DataConfig(name=DataName.kmnist, classes=10))
    assert "tanganke/kmnist" in text
    assert "data.root" in text


@pytest.mark.parametrize(
    ("name", "shape", "per_class"), [(DataName.mnist, (1, 28, 28), 5421), (DataName.cifar10, (3, 32, 32), 5000)]
)
def test_real_files(name: DataName, shape: tuple[int, ...], per_class: int):
    root = real_data()
    x, y = images(DataConfig(name=name, classes=10, per_class=3, root=root))
    assert x.shape == (30, *shape)
    assert y.bincount().tolist() == [3] * 10
    assert f"has {per_class} training samples" in refused(DataConfig(name=name, classes=10, per_class=6000, root=root))
