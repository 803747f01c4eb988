"""Where images come from: scikit-learn, a file of arrays, a folder in the Hugging Face hub's layout, or the hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nc_runner.config.choices import DataName, Split
from nc_runner.config.schema import DataConfig
from nc_runner.data.array_files import ENDING, array_file
from nc_runner.data.hub import not_installed, through_datasets
from nc_runner.data.image_files import TEST, TRAIN, class_folders, parquet_files
from nc_runner.data.labelled import Encoded, Labelled
from nc_runner.errors import AbsentDataError, UserError

ON_THE_HUB = {
    DataName.mnist: "ylecun/mnist",
    DataName.fashion_mnist: "zalando-datasets/fashion_mnist",
    DataName.kmnist: "tanganke/kmnist",
    DataName.cifar10: "uoft-cs/cifar10",
}
HUB = "hub:"
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def describe(config: DataConfig) -> str:
    """What a person calls the data set."""
    return config.path if config.name is DataName.images and config.path else config.name.name


def training_set(config: DataConfig) -> Labelled:
    """The training set a config names: the split of it that ``data.split`` says.

    Raises:
        AbsentDataError: there is no such data set, or it has no such split.
        UserError: a library is missing, or it has no images with labels.
    """
    found = digits(config) if config.name is DataName.digits else from_folder_or_hub(config, config.split)
    if found is None:
        raise AbsentDataError(f"data.split=test: {describe(config)} has no test split; allowed is train.")
    return found


def test_set(config: DataConfig) -> Labelled | None:
    """The test split of the data set a config names; None where it has none.

    Raises:
        UserError: as :func:`training_set`.
    """
    return None if config.name is DataName.digits else from_folder_or_hub(config, Split.test)


def digits(config: DataConfig) -> Labelled:
    """scikit-learn's 1797 grey digits of 8 x 8 pixels, with values from 0 to 16."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise not_installed(config, "scikit-learn") from error
    pixels, labels = load_digits().images, load_digits().target
    return Labelled(labels, lambda rows: [Encoded(f"digit {row}", pixels[row]) for row in rows])


def from_folder_or_hub(config: DataConfig, split: Split) -> Labelled | None:
    """A split of what lies in a file of arrays, in class folders or parquet files; else what ``datasets`` reads.

    None where a file or a folder has no test split.
    """
    source = location(config)
    folder, name = Path(source), f"data.name={config.name.name}"
    names = TEST if split is Split.test else TRAIN
    if folder.suffix == ENDING:
        return array_file(folder, config.columns, names)
    if folder.is_dir():
        try:
            if found := class_folders(folder, names) or parquet_files(folder, name, config.columns, names):
                return found
            if split is Split.test:
                return None
        except OSError as error:
            raise UserError(
                f"{name}: {folder} cannot be read ({error.strerror}); allowed is a folder that can."
            ) from error
    return through_datasets(config, source, split.name)


def settled_path(path: str | None) -> str | None:
    """A ``data.path`` that means the same from any folder: a whole path, or ``hub:OWNER/NAME``.

    Raises:
        UserError: it is no folder and no file of arrays that is there, and not of a hub name's form.
    """
    if path is None or path.startswith(HUB):
        if path is not None and not HUB_NAME.fullmatch(path.removeprefix(HUB)):
            raise UserError(f"data.path={path}: is no name on the Hugging Face hub; allowed is hub:OWNER/NAME.")
        return path
    folder = Path(path).expanduser()
    is_arrays = folder.suffix == ENDING
    if folder.is_file() if is_arrays else folder.is_dir():
        return str(folder.resolve())
    if HUB_NAME.fullmatch(path) and not folder.exists() and not is_arrays:
        return HUB + path
    raise UserError(
        f"data.path={path}: there is no such {'file' if is_arrays else 'folder'}; allowed is a folder of images, a "
        f"{ENDING} file of arrays, or hub:OWNER/NAME, a data set on the Hugging Face hub."
    )


def settled_root(root: str | None) -> str | None:
    """A ``data.root`` that means the same from any folder."""
    return None if root is None else str(Path(root).expanduser().resolve())


def location(config: DataConfig) -> str:
    """The folder, or the name on the hub.

    Raises:
        AbsentDataError: ``data.root`` or NC_DATA_ROOT does not hold the data set.
        UserError: ``data.path`` is a folder that is not there.
    """
    if config.path is not None:
        return str(settled_path(config.path)).removeprefix(HUB)
    key, root = "data.root", config.root
    if root is None:
        key, root = "NC_DATA_ROOT", os.environ.get("NC_DATA_ROOT")
    if not root:
        return ON_THE_HUB[config.name]
    folder = Path(root).expanduser() / config.name.name
    if not folder.is_dir():
        raise AbsentDataError(
            f"{key}={root}: has no folder {config.name.name}; allowed is a folder that has one, with parquet files as "
            f"on the Hugging Face hub, or no value, which takes {ON_THE_HUB[config.name]} from the hub."
        )
    return str(folder)
