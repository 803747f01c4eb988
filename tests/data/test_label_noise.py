"""Wrong labels: how many, which, the same ones whatever is asked when; measures can know them."""

import dataclasses

import pytest
import torch

from nc_runner import data
from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data.label_noise import with_noise

Y = torch.arange(4000) % 5


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_exactly_the_share_is_wrong_and_every_other_class_alike(share: float) -> None:
    noisy = with_noise(Y, 5, share, 7)
    wrong = noisy != Y
    assert int(wrong.sum()) == round(share * 4000)
    assert noisy.dtype is torch.int64
    if share:
        shifts = ((noisy - Y)[wrong] % 5).bincount(minlength=5)
        assert shifts[0] == 0
        n = int(wrong.sum())
        assert (shifts[1:].double() / n - 0.25).abs().max() < 5 * (0.25 * 0.75 / n) ** 0.5


def test_a_draw_is_its_seed_s_and_a_smaller_share_is_within_a_larger() -> None:
    few, many = with_noise(Y, 5, 0.1, 7), with_noise(Y, 5, 0.3, 7)
    assert torch.equal(few, with_noise(Y, 5, 0.1, 7))
    wrong = few != Y
    assert torch.equal(few[wrong], many[wrong])
    assert not torch.equal(few, with_noise(Y, 5, 0.1, 8))


@pytest.mark.parametrize("name", [DataName.teacher, DataName.conic_hull, DataName.gaussian_mixture, DataName.digits])
def test_labels_alone_change_and_the_noisy_samples_are_known(name: DataName) -> None:
    digits = name is DataName.digits
    clean = DataConfig(
        name=name, samples=200 if digits else 120, classes=10 if digits else 3, per_class=20 if digits else None, dim=5
    )
    config = dataclasses.replace(clean, label_noise=0.25)
    (x, y), (noisy_x, noisy_y) = data.load(clean), data.load(config)
    assert torch.equal(x, noisy_x)
    assert torch.equal(data.noisy(config), y != noisy_y)
    assert int(data.noisy(config).sum()) == len(y) // 4
    assert not data.noisy(clean).any()
    assert data.checksum(config) != data.checksum(clean)
    key = "label_seed" if name is DataName.conic_hull else "input_seed"
    other = dataclasses.replace(config, **{key: 5})
    assert not torch.equal(data.noisy(config), data.noisy(other))
