"""Arrays in a .npz file: the same images as in class folders, whatever their layout; what is wrong is told by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nc_runner.config.choices import DataName, Split
from nc_runner.config.schema import DataConfig
from nc_runner.data import images, load_test
from nc_runner.data.image_sources import settled_path
from nc_runner.data.pixels import resized
from nc_runner.errors import AbsentDataError, UserError

RANDOM = np.random.default_rng(0)
Y = np.arange(12) % 3
COLOUR = RANDOM.integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def config(path: Path, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), **{"classes": 3, "samples": 12} | keys)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def in_folders(folder: Path, content: np.ndarray) -> Path:
    """The images as files, a folder a class, named so that they come in the order of their rows within a class."""
    for row, image in enumerate(content):
        (folder / f"class{Y[row]}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"class{Y[row]}" / f"{row:02}.png")
    return folder


@pytest.mark.parametrize(
    ("content", "of"),
    [
        (GREY, GREY),
        (GREY[..., None], GREY),
        (GREY[:, None], GREY),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
    ],
    ids=["NHW", "NHWC of 1", "NCHW of 1", "NHWC", "NCHW"],
)
def test_they_are_the_images_of_class_folders(content: np.ndarray, of: np.ndarray, tmp_path: Path) -> None:
    x, y = images(config(saved(tmp_path, x=content, y=Y)))
    sorted_x, sorted_y = images(config(in_folders(tmp_path / "folders", of)))
    by_class = np.argsort(Y, kind="stable")
    assert torch.equal(x[by_class], sorted_x)
    assert torch.equal(y[by_class], sorted_y)


def test_vectors_of_any_range_are_images_of_one_row(tmp_path: Path) -> None:
    vectors = 1e-3 * RANDOM.normal(size=(12, 7)) + 5
    x, y = images(config(saved(tmp_path, features=vectors, labels=Y[:, None])))
    assert x.shape == (12, 1, 1, 7)
    as_saved = vectors.astype(np.float32).astype(np.float64)
    assert np.allclose(x[:, 0, 0], (as_saved - as_saved.mean()) / as_saved.std(), atol=1e-3)
    assert y.tolist() == Y.tolist()


def test_names_of_splits_and_names_one_says(tmp_path: Path) -> None:
    path = saved(tmp_path, x_train=GREY, y_train=Y, x_test=255 - GREY, y_test=Y, other=COLOUR)
    x, _ = images(config(path))
    held_out, labels = load_test(config(path))
    assert torch.allclose(x[:, 0] + held_out[:, 0], (x + held_out)[0, 0, 0, 0].expand(12, 5, 4), atol=1e-5)
    assert labels.tolist() == Y.tolist()
    assert images(config(path, columns="other:y_test"))[0].shape == (12, 3, 5, 4)
    with pytest.raises(UserError, match="has no test split"):
        load_test(config(path, columns="x_train:y_train"))
    of_test = config(path, split=Split.test)
    assert torch.equal(images(of_test)[0], images(config(path, columns="x_test:y_test"))[0])
    plain = saved(tmp_path, x=GREY, y=Y)
    left, labels = load_test(config(plain, per_class=3, samples=9))
    assert (len(left), sorted(labels.tolist())) == (3, [0, 1, 2])
    with pytest.raises(UserError, match="has no test split"):
        load_test(config(plain))
    with pytest.raises(AbsentDataError, match=r"^data\.split=test: .*own\.npz has no test split; allowed is train\.$"):
        images(config(plain, split=Split.test))


def test_unequal_classes_stay_as_they_are_or_are_drawn(tmp_path: Path) -> None:
    path = saved(tmp_path, x=GREY, y=["a"] * 7 + ["b"] * 3 + ["c"] * 2)
    assert images(config(path))[1].bincount().tolist() == [7, 3, 2]
    assert images(config(path, per_class=4, imbalance=4))[1].bincount().tolist() == [4, 2, 1]


WRONG = {
    "two inputs": ({"x": GREY, "data": GREY, "y": Y}, "has the arrays x, data, y; allowed is one of inputs and one"),
    "no labels": ({"x": GREY}, "has the arrays x; allowed is"),
    "a test split alone": ({"x_test": GREY, "y_test": Y}, "with x_train and y_train, or data.split=test."),
    "too few labels": ({"x": GREY, "y": Y[:-1]}, "y has the shape [11]; allowed is [12], a label for each of x."),
    "one-hot labels": ({"x": GREY, "y": np.eye(3)[Y]}, "y has the shape [12, 3]; allowed is [12], a label for each"),
    "one vector": ({"x": GREY[:, 0, 0], "y": Y}, "x has the shape [12]; allowed is [N, D]"),
    "channels at either end": ({"x": np.ones((12, 3, 4, 3)), "y": Y}, "x has the shape [12, 3, 4, 3]; allowed is"),
    "no channels": ({"x": np.ones((12, 5, 4, 2)), "y": Y}, "x has the shape [12, 5, 4, 2]; allowed is"),
    "NaN": ({"x": np.where(Y == 1, np.nan, 1.0)[:, None], "y": Y}, "4 rows with NaN or inf, the first of them row 1"),
    "texts": ({"x": GREY.astype(str), "y": Y}, "x holds <U3; allowed are numbers."),
    "objects": ({"x": GREY.astype(object), "y": Y}, "cannot be read (Object arrays cannot be loaded"),
    "labels of -1": ({"x": GREY, "y": Y - 1}, "the label of row 0 of"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_sentence(what: str, tmp_path: Path) -> None:
    arrays, said = WRONG[what]
    with pytest.raises(UserError) as caught:
        images(config(saved(tmp_path, **arrays)))
    assert said in str(caught.value)
    assert "own.npz" in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("left", [0, 40, 400, -30])
def test_a_truncated_file_is_one_sentence(left: int, tmp_path: Path) -> None:
    path = saved(tmp_path, x=GREY, y=Y)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UserError, match=r"^data\.path=.*own\.npz: cannot be read \(.*\); allowed is a \.npz file of"):
        images(config(path))


def test_a_file_that_is_not_there_is_no_name_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, x=GREY, y=Y)
    assert settled_path("own.npz") == str(tmp_path / "own.npz")
    for path in ("folder/other.npz", "other.npz"):
        with pytest.raises(UserError, match=rf"^data\.path={path}: there is no such file; allowed is a folder"):
            settled_path(path)


def test_arrays_change_size_and_colour_without_rounding() -> None:
    small = COLOUR[0].astype(np.float32) / 1e4
    grey = resized(small, DataConfig(channels=1))
    for (i, j), value in np.ndenumerate(grey):
        red, green, blue = small[i, j]
        assert value == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue, rel=1e-5)
    larger = resized(small, DataConfig(image_size=6))
    assert larger.shape == (6, 6, 3)
    assert np.array_equal(larger[..., 1], resized(small[..., 1], DataConfig(image_size=6)))
    assert small[..., 1].min() <= larger[..., 1].min() < larger[..., 1].max() <= small[..., 1].max()
    coloured = resized(grey, DataConfig(channels=3))
    assert np.array_equal(coloured, np.stack([grey] * 3, axis=-1))
    assert resized(small, DataConfig(channels=3)).shape == small.shape
