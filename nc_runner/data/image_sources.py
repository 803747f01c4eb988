"""Where images come from: scikit-learn, a folder in the Hugging Face hub's layout, or the hub itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.errors import UserError

ON_THE_HUB = {
    DataName.mnist: "ylecun/mnist",
    DataName.fashion_mnist: "zalando-datasets/fashion_mnist",
    DataName.kmnist: "tanganke/kmnist",
    DataName.cifar10: "uoft-cs/cifar10",
}
LABEL_COLUMNS = ("label", "labels", "fine_label", "class")  # the first of these, else the only column of class labels


class Labelled(NamedTuple):
    """A training set not yet decoded."""

    labels: Any
    """[all], numbers or names."""
    images: Callable[[np.ndarray], Iterable[Any]]
    """From rows int64 [N] to their images, PIL images or arrays [H, W]."""


def describe(config: DataConfig) -> str:
    """What a person calls the data set."""
    return config.path if config.name is DataName.images and config.path else config.name.name


def training_set(config: DataConfig) -> Labelled:
    """The training set a config names.

    Raises:
        UserError: a library is missing, there is no such data set, or it has no images with labels.
    """
    return digits(config) if config.name is DataName.digits else through_datasets(config)


def digits(config: DataConfig) -> Labelled:
    """scikit-learn's 1797 grey digits of 8 x 8 pixels, with values from 0 to 16."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise not_installed(config, "scikit-learn") from error
    pixels, labels = load_digits().images, load_digits().target
    return Labelled(labels, lambda rows: list(pixels[rows]))


def through_datasets(config: DataConfig) -> Labelled:
    """What ``datasets.load_dataset`` reads."""
    try:
        import datasets
    except ImportError as error:
        raise not_installed(config, "datasets") from error
    source = location(config)
    is_local = Path(source).is_dir()
    try:
        with quiet(datasets, progress_too=is_local):
            table = datasets.load_dataset(source, split="train")
    except Exception as error:  # of datasets, of the hub's client, of the network: dozens of classes
        raise UserError(unreadable(config, source, is_local, error)) from error
    image, label = columns(table.features, config, datasets)
    return Labelled(table[label][:], lambda rows: table.select(rows)[image])


@contextmanager
def quiet(datasets: Any, *, progress_too: bool) -> Iterator[None]:
    """Without the hub's retries on the terminal, and without progress bars where nothing is downloaded."""
    hub = logging.getLogger("huggingface_hub")
    level, progress_bars = hub.level, datasets.is_progress_bar_enabled()
    hub.setLevel(logging.ERROR)
    if progress_too:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        hub.setLevel(level)
        if progress_bars:
            datasets.enable_progress_bars()


def location(config: DataConfig) -> str:
    """The folder, or the name on the hub.

    Raises:
        UserError: ``data.path`` is a folder that is not there, or ``data.root`` or NC_DATA_ROOT does not hold the data
            set.
    """
    if config.path is not None:
        folder = Path(config.path).expanduser()
        if not folder.exists() and (config.path.startswith(("/", ".", "~")) or config.path.count("/") > 1):
            raise UserError(
                f"data.path={config.path}: there is no such folder; allowed is a folder of images, or a name on the "
                "Hugging Face hub."
            )
        return str(folder) if folder.exists() else config.path
    key, root = "data.root", config.root
    if root is None:
        key, root = "NC_DATA_ROOT", os.environ.get("NC_DATA_ROOT")
    if not root:
        return ON_THE_HUB[config.name]
    folder = Path(root).expanduser() / config.name.name
    if not folder.is_dir():
        raise UserError(
            f"{key}={root}: has no folder {config.name.name}; allowed is a folder that has one, with parquet files as "
            f"on the Hugging Face hub, or no value, which takes {ON_THE_HUB[config.name]} from the hub."
        )
    return str(folder)


def columns(features: Any, config: DataConfig, datasets: Any) -> tuple[str, str]:
    """The names of the image column and of the label column.

    Raises:
        UserError: there is not exactly one column of images, or there are no labels.
    """
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [name for name in LABEL_COLUMNS if name in features]
    labels = labels or [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if len(images) != 1 or not labels:
        raise UserError(
            f"data.name={config.name.name}: {describe(config)} has the columns {', '.join(features)}; allowed is one "
            "column of images and one of labels, named label."
        )
    return images[0], labels[0]


def unreadable(config: DataConfig, source: str, is_local: bool, error: Exception) -> str:
    """One sentence on a data set that could not be loaded."""
    reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
    if is_local:
        return (
            f"data.name={config.name.name}: {source} could not be read ({reason}); allowed is a folder of images with "
            "a train split."
        )
    instead = (
        "data.root or NC_DATA_ROOT, a folder that holds its parquet files"
        if config.path is None
        else "data.path, a folder of images"
    )
    return (
        f"data.name={config.name.name}: {source} could not be loaded from the Hugging Face hub ({reason}); allowed are "
        f"a name on the hub and a connection to it, or {instead}."
    )


def not_installed(config: DataConfig, library: str) -> UserError:
    """One sentence on a missing library."""
    return UserError(
        f"data.name={config.name.name}: needs {library}, which is not installed; pip install 'nc-runner[images]' "
        "installs it."
    )
