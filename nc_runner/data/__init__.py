"""Where samples come from. Every source returns x float32 [N, ...] and y int64 [N]."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from nc_runner.config.choices import IMAGE_DATA, DataName
from nc_runner.config.class_sizes import sizes_of
from nc_runner.config.keys import flatten
from nc_runner.config.schema import DataConfig
from nc_runner.data.images import Images, image_set, images, test_images
from nc_runner.data.imbalance import enough_of_each, first_of_each
from nc_runner.data.label_noise import with_noise
from nc_runner.data.mixture import gaussian_mixture
from nc_runner.data.synthetic import balanced, conic_hull, conic_hull_test, teacher, teacher_test
from nc_runner.errors import UserError

__all__ = [
    "balanced",
    "checksum",
    "checksums",
    "conic_hull",
    "gaussian_mixture",
    "images",
    "left_out",
    "load",
    "load_test",
    "noisy",
    "teacher",
]


def load(config: DataConfig) -> tuple[Tensor, Tensor]:
    """The training set a config describes: x float32 [N, dim], of images [N, C, H, W], and y int64 [N].

    Raises:
        UserError: an image data set is not there, or is not what the config says; a class without a sample.
    """
    x, y = _as_drawn(config)
    if config.label_noise:
        y = with_noise(y, config.classes, config.label_noise, _data_seed(config))
    return x, y


def noisy(config: DataConfig) -> Tensor:
    """Which samples of :func:`load` have a wrong label, bool [N].

    Raises:
        UserError: as :func:`load`.
    """
    if not config.label_noise:
        return torch.zeros(config.samples, dtype=torch.bool)
    return load(config)[1] != _as_drawn(config)[1]


def _data_seed(config: DataConfig) -> int:
    return config.label_seed if config.name is DataName.conic_hull else config.input_seed


def _as_drawn(config: DataConfig) -> tuple[Tensor, Tensor]:
    """The training set with the labels it came with."""
    if config.name in IMAGE_DATA:
        found = _images_of(config)
        return found.x, found.y
    x, y = _pool(config)
    if config.imbalance > 1:
        rows = first_of_each(y, sizes_of(config.samples, config))
        return x[rows], y[rows]
    if len(missing := (y.bincount(minlength=config.classes) == 0).nonzero()):
        raise UserError(
            f"data.samples={config.samples}: none of them is of class {int(missing[0])} of "
            f"data.classes={config.classes}; allowed are sets with a sample of each class."
        )
    return x, y


def _pool(config: DataConfig) -> tuple[Tensor, Tensor]:
    """A draw that has enough samples of each class: of unequal ones more than are asked for."""
    if config.imbalance == 1:
        return _drawn(config)
    sizes = sizes_of(config.samples, config)
    return enough_of_each(lambda samples: _drawn(dataclasses.replace(config, samples=samples)), sizes)


def _drawn(config: DataConfig) -> tuple[Tensor, Tensor]:
    if config.name is DataName.conic_hull:
        return conic_hull(config.samples, config.dim, config.classes, label_seed=config.label_seed)
    if config.name is DataName.balanced:
        return balanced(config.samples, config.dim, config.classes, input_seed=config.input_seed)
    if config.name is DataName.gaussian_mixture:
        return gaussian_mixture(
            config.samples,
            config.dim,
            config.classes,
            sigma=config.sigma,
            means=config.means,
            seed=config.input_seed,
        )
    return teacher(
        config.samples,
        config.dim,
        config.classes,
        input_seed=config.input_seed,
        label_seed=config.label_seed,
        depth=config.teacher_depth,
        width=config.teacher_width,
    )


def load_test(config: DataConfig) -> tuple[Tensor, Tensor]:
    """Held-out samples of the kind of :func:`load`, their labels without noise and their classes as they come.

    Of synthetic sets as many again, drawn by a stream of random numbers of its own and labelled by the same rule; of
    images the test split, or those that ``data.per_class`` leaves.

    Raises:
        UserError: there are none.
    """
    samples, dim, classes = config.samples, config.dim, config.classes
    if config.name in IMAGE_DATA:
        return test_images(config, _images_of(config))
    if config.name is DataName.gaussian_mixture:
        return gaussian_mixture(
            samples, dim, classes, sigma=config.sigma, means=config.means, seed=config.input_seed, test=True
        )
    if config.name is DataName.conic_hull:
        return conic_hull_test(samples, dim, classes, label_seed=config.label_seed)
    if config.name is DataName.balanced:
        raise UserError("data.test=true: the labels of data.name=balanced do not depend on the inputs; allowed is "
                        "false.")  # fmt: skip
    return teacher_test(
        _pool(config)[0],
        samples,
        classes,
        input_seed=config.input_seed,
        label_seed=config.label_seed,
        depth=config.teacher_depth,
        width=config.teacher_width,
    )


def _images_of(config: DataConfig) -> Images:
    """The set of images, whatever is asked about its labels and beside it."""
    return _images(*dataclasses.astuple(dataclasses.replace(config, label_noise=0.0, test=False)))


@lru_cache(maxsize=2)
def _images(*fields: object) -> Images:
    """Decoded once a process, for all its stacks; a grid has two data sets at most in turn."""
    return image_set(DataConfig(*fields))  # type: ignore[arg-type]


def checksum(config: DataConfig) -> str:
    """SHA-256 of the inputs' and labels' bytes.

    Raises:
        UserError: as :func:`load`.
    """
    if config.name in IMAGE_DATA:
        return _images_checksum(*dataclasses.astuple(config))
    return _of_bytes(load(config))


@lru_cache(maxsize=1024)
def _images_checksum(*fields: object) -> str:
    return _of_bytes(load(DataConfig(*fields)))  # type: ignore[arg-type]


def left_out(config: DataConfig) -> list[str]:
    """Files or rows of a set of images that are no part of it, each with the reason; of others none."""
    return _images_of(config).left_out if config.name in IMAGE_DATA else []


def _of_bytes(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def checksums(sets: Iterable[DataConfig]) -> dict[str, str]:
    """SHA-256 of the inputs' and labels' bytes of each data set, by its keys on one line.

    Raises:
        UserError: as :func:`load`.
    """
    found: dict[str, str] = {}
    for config in sets:
        line = " ".join(f"{key}={v}" for key, v in flatten(config).items() if key != "root" and v is not None)
        if line not in found:
            found[line] = checksum(config)
    return found
