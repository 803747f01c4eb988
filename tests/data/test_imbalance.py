"""Classes of unequal size: their sizes, which samples they are, and that nothing else changes."""

import dataclasses

import pytest
import torch

from nc_runner import data
from nc_runner.config.choices import DataName, Imbalance
from nc_runner.config.class_sizes import sizes_below, sizes_of
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config, DataConfig
from nc_runner.data.imbalance import enough_of_each
from nc_runner.errors import UserError


@pytest.mark.parametrize(
    ("shape", "classes", "expected"),
    [
        (Imbalance.long_tail, 3, [100, 10, 1]),
        (Imbalance.long_tail, 2, [100, 1]),
        (Imbalance.step, 4, [100, 100, 1, 1]),
        (Imbalance.step, 5, [100, 100, 100, 1, 1]),
    ],
)
def test_sizes_by_hand(shape: Imbalance, classes: int, expected: list[int]) -> None:
    config = DataConfig(classes=classes, imbalance=100.0, imbalance_shape=shape)
    assert sizes_below(100, config) == expected
    assert sizes_of(sum(expected), config) == expected


@pytest.mark.parametrize("total", [50, 51, 52, 777])
@pytest.mark.parametrize("shape", Imbalance)
def test_sizes_add_up(total: int, shape: Imbalance) -> None:
    config = DataConfig(classes=7, imbalance=5.0, imbalance_shape=shape)
    sizes = sizes_of(total, config)
    assert sum(sizes) == total
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] / sizes[-1] == pytest.approx(5, rel=0.35 if total < 100 else 0.03)


@pytest.mark.parametrize("name", [DataName.teacher, DataName.conic_hull, DataName.gaussian_mixture, DataName.balanced])
@pytest.mark.parametrize("shape", Imbalance)
def test_a_synthetic_set_has_its_samples_in_these_classes(name: DataName, shape: Imbalance) -> None:
    config = DataConfig(name=name, samples=150, classes=4, dim=6, imbalance=10.0, imbalance_shape=shape)
    x, y = data.load(config)
    assert len(x) == len(y) == 150
    assert y.bincount().tolist() == sizes_of(150, config)
    assert len(x.unique(dim=0)) == 150
    assert torch.equal(x, data.load(config)[0])


def test_a_sample_keeps_its_label() -> None:
    """The mixture's inputs lie near the mean of their class, and nearest to it."""
    x, y = data.load(DataConfig(name=DataName.gaussian_mixture, samples=90, classes=3, dim=5, sigma=0.05, imbalance=8))
    means = torch.stack([x[y == k].mean(0) for k in range(3)])
    assert torch.equal(torch.cdist(x, means).argmin(1), y)


def test_of_images_the_largest_class_has_per_class() -> None:
    words = {"data.name": "digits", "data.classes": 10, "data.per_class": 50, "data.imbalance": 10.0}
    config = replace(Config(), words).data
    x, y = data.load(config)
    assert y.bincount().tolist() == sizes_below(50, config)
    assert (y.bincount()[0], y.bincount()[9], len(x)) == (50, 5, config.samples)
    whole, labels = data.load(replace(Config(), words | {"data.imbalance": 1.0}).data)
    assert len(whole) == len(labels) == 500


def test_a_class_that_is_too_rare_is_refused() -> None:
    def draw(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(samples, 1), torch.zeros(samples, dtype=torch.int64)

    with pytest.raises(UserError, match=r"data\.imbalance: 2 samples of class 1 are needed and 0 of .*allowed"):
        enough_of_each(draw, [10, 2])


def test_without_it_a_set_is_as_it_was() -> None:
    config = DataConfig(samples=60, dim=5, classes=3, teacher_width=8)
    expected = data.teacher(60, 5, 3, width=8)
    for got, of in zip(data.load(config), expected, strict=True):
        assert torch.equal(got, of)
    shaped = dataclasses.replace(config, imbalance_shape=Imbalance.step)
    assert torch.equal(data.load(shaped)[1], expected[1])
