"""Held-out data: of the same kind, labelled by the same rule, none of it in the training set."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from nc_runner import data
from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data.synthetic import conic_hull_labels, conic_hull_with_planes
from nc_runner.errors import UserError


@pytest.mark.parametrize("name", [DataName.teacher, DataName.conic_hull, DataName.gaussian_mixture])
@pytest.mark.parametrize("imbalance", [1.0, 6.0])
def test_other_samples_with_their_own_labels(name: DataName, imbalance: float) -> None:
    config = DataConfig(name=name, samples=600, dim=5, classes=3, imbalance=imbalance, label_noise=0.2, test=True)
    (x, _), (test_x, test_y) = data.load(config), data.load_test(config)
    assert test_x.shape == x.shape
    assert test_x.dtype is torch.float32
    assert torch.cdist(x, test_x).min() > 0
    assert torch.equal(test_x, data.load_test(config)[0])
    clean = dataclasses.replace(config, label_noise=0.0)
    for got, of in zip((test_x, test_y), data.load_test(clean), strict=True):  # noise is of the training set alone
        assert torch.equal(got, of)
    assert len(test_y.unique()) == 3
    plain, _ = data.load(dataclasses.replace(config, test=False))
    assert torch.equal(plain, x)


def test_the_teacher_labels_by_the_training_set_s_statistics() -> None:
    """Asked for the training inputs themselves, it gives the training labels, and one batch of others would not."""
    config = DataConfig(samples=300, dim=5, classes=3, teacher_width=8)
    x, y = data.load(config)
    test_x, test_y = data.load_test(config)
    torch.manual_seed(config.label_seed)
    layers: list[nn.Module] = []
    for inputs, outputs in ((5, 8), (8, 8), (8, 3)):
        layers += [nn.Linear(inputs, outputs), *([nn.ReLU(), nn.BatchNorm1d(outputs)] if outputs != 3 else [])]
    network, h, other = nn.Sequential(*layers), x, test_x
    with torch.no_grad():
        for module in network:
            if isinstance(module, nn.BatchNorm1d):
                mean, deviation = h.mean(0), (h.var(0, correction=0) + module.eps).sqrt()
                h, other = (h - mean) / deviation, (other - mean) / deviation
            else:
                h, other = module(h), module(other)
    assert torch.equal(h.argmax(1), y)
    assert torch.equal(other.argmax(1), test_y)


def test_the_planes_are_the_training_set_s() -> None:
    config = DataConfig(name=DataName.conic_hull, samples=300, dim=5, classes=3)
    _, planes = conic_hull_with_planes(300, 5, 3, label_seed=config.label_seed)
    x, y = data.load_test(config)
    assert np.array_equal(conic_hull_labels(x.double().numpy(), planes, 3), y.numpy())


def test_the_mixture_s_means_are_the_training_set_s() -> None:
    config = DataConfig(name=DataName.gaussian_mixture, samples=600, dim=5, classes=3, sigma=0.01)
    (x, y), (test_x, test_y) = data.load(config), data.load_test(config)
    for k in range(3):
        torch.testing.assert_close(x[y == k].mean(0), test_x[test_y == k].mean(0), rtol=0, atol=5e-3)


def test_digits_leave_the_others_normalised_as_the_training_set() -> None:
    from sklearn.datasets import load_digits

    config = DataConfig(name=DataName.digits, classes=10, per_class=30, samples=300)
    (x, _), (test_x, test_y) = data.load(config), data.load_test(config)
    assert len(test_x) == 1797 - 300
    pixels = torch.cat([x, test_x]).flatten(1)
    assert len(pixels.unique(dim=0)) == len(torch.from_numpy(load_digits().data).unique(dim=0))
    assert x.mean() == pytest.approx(0, abs=1e-6)
    assert abs(float(test_x.mean())) > 1e-4  # by the training set's mean and deviation, not its own
    blank = x.min()
    assert test_x.min() == blank
    assert test_y.bincount().min() > 100


def test_the_test_split_of_own_images(tmp_path: Path) -> None:
    draw = np.random.RandomState(0)
    for split, count in (("train", 4), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                grey = draw.randint(0, 255, (6, 6), dtype=np.uint8)
                Image.fromarray(grey).save(tmp_path / split / name / f"{i}.png")
    config = DataConfig(name=DataName.images, path=str(tmp_path), classes=2, samples=8)
    (x, _), (test_x, test_y) = data.load(config), data.load_test(config)
    assert (len(x), len(test_x)) == (8, 6)
    assert test_y.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.cdist(x.flatten(1), test_x.flatten(1)).min() > 0
    (tmp_path / "test" / "cat").rename(tmp_path / "test" / "zebra")
    with pytest.raises(UserError, match=r"data\.test=true: .*has the class zebra, which the training split lacks"):
        data.load_test(config)


def test_sets_without_any_say_so(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(np.full((6, 6), 40 * i + len(name), np.uint8)).save(tmp_path / name / f"{i}.png")
    config = DataConfig(name=DataName.images, path=str(tmp_path), classes=2, samples=6)
    with pytest.raises(UserError, match=r"data\.test=true: .* has no test split; allowed with a data\.per_class"):
        data.load_test(config)
    subset = dataclasses.replace(config, per_class=2, samples=4)
    assert len(data.load_test(subset)[0]) == 2
    with pytest.raises(UserError, match=r"no held-out image of .* is of class 0"):
        data.load_test(dataclasses.replace(config, per_class=3))
