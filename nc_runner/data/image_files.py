"""Images that lie in a local folder: a folder a class, or parquet files as the Hugging Face hub lays them out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nc_runner.data.labelled import Encoded, Labelled
from nc_runner.errors import AbsentDataError, UserError

TRAIN = {"train", "training"}
TEST = {"test", "testing"}
SPLITS = TRAIN | TEST | {"val", "valid", "validation", "dev", "eval"}
LABEL_COLUMNS = ("label", "labels", "fine_label", "class")  # the first of these that is there


def class_folders(folder: Path, split: Collection[str] = TRAIN) -> Labelled | None:
    """A folder of class folders, as torchvision's ImageFolder reads it; None where it is something else.

    Every image below a class folder is of that class, whatever its name is. Where all folders are named like splits and
    hold the class folders themselves, the training split is read, or another ``split`` by its names: None where there
    is none.

    Raises:
        AbsentDataError: there are splits, and none for training.
    """
    folders = visible_folders(folder)
    if not folders or list(folder.glob("metadata.*")) or list(folder.glob("*.parquet")):
        return None
    if {path.name.lower() for path in folders} <= SPLITS and any(visible_folders(path) for path in folders):
        training = [path for path in folders if path.name.lower() in TRAIN]
        if split is not TRAIN:
            return _class_folders_of(folders, split, [path.name for of in training for path in visible_folders(of)])
        if not training:
            raise AbsentDataError(
                f"data.path={folder}: has the splits {', '.join(path.name for path in folders)} and none named train; "
                "allowed is a folder of class folders, or one with a train folder that holds them."
            )
        folders = visible_folders(training[0])
    elif split is not TRAIN:
        return None
    return _labelled(folders)


def _class_folders_of(splits: list[Path], names: Collection[str], classes: list[str]) -> Labelled | None:
    """The class folders of a split, by the numbers that the training split gives them, or by its own without one."""
    found = [path for path in splits if path.name.lower() in names]
    if not found:
        return None
    classes = classes or [path.name for path in visible_folders(found[0])]
    if others := [path.name for path in visible_folders(found[0]) if path.name not in classes]:
        raise UserError(
            f"data.test=true: {found[0]} has the class {others[0]}, which the training split lacks; allowed are the "
            "same classes."
        )
    return _labelled([found[0] / name for name in classes if (found[0] / name).is_dir()], classes)


def _labelled(folders: list[Path], classes: list[str] | None = None) -> Labelled | None:
    """The images below class folders, each of the number of its folder, among ``classes`` where they are given."""
    names = classes or [folder.name for folder in folders]
    files = [(path, names.index(of_class.name)) for of_class in folders for path in image_files(of_class)]
    if not files:
        return None

    def encoded(rows: np.ndarray) -> Iterator[Encoded]:
        for row in rows:
            path, _ = files[row]
            yield Encoded(str(path), path.read_bytes())

    passed_over = [
        f"{path} (no image)" for of_class in folders for path in visible_files(of_class) if not is_image(path)
    ]
    return Labelled([k for _, k in files], encoded, passed_over)


def visible_folders(folder: Path) -> list[Path]:
    """Its folders by name, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def visible_files(folder: Path) -> list[Path]:
    """The files below a folder by name, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def image_files(folder: Path) -> list[Path]:
    """Those with the ending of an image that Pillow knows."""
    return [path for path in visible_files(folder) if is_image(path)]


def is_image(path: Path) -> bool:
    """Whether a file's name ends as that of an image."""
    return path.suffix.lower() in Image.registered_extensions()


def parquet_files(folder: Path, name: str, columns: str | None, split: Collection[str] = TRAIN) -> Labelled | None:
    """Parquet files with a column of encoded images and one of labels; None where there are none.

    Where file names speak of splits, those of the training split are read; else all. Of another ``split``, by its
    names, only files that speak of it; None where there are none.

    Raises:
        AbsentDataError: there are splits, and none for training.
        UserError: no one such column; an unreadable file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(path for path in folder.rglob("*.parquet") if not path.name.startswith("."))
    if not files:
        return None
    spoken = {path: set(re.split(r"[^a-z]+", path.stem.lower())) for path in files}
    if split is not TRAIN:
        files = [path for path in files if spoken[path] & set(split)]
        if not files:
            return None
    elif any(words & SPLITS for words in spoken.values()):
        training = [path for path in files if spoken[path] & TRAIN]
        if not training:
            instead = ", or data.split=test" if any(words & TEST for words in spoken.values()) else ""
            raise AbsentDataError(
                f"{name}: {folder} has {', '.join(path.name for path in files)} and no file of a training split; "
                f"allowed is a folder with train-*.parquet{instead}."
            )
        files = training
    try:
        schema = pq.read_schema(files[0])
        image, label = chosen_columns(
            schema.names, [field.name for field in schema if _holds_images(field.type)], columns, f"{name}: {folder}"
        )
        table = pa.concat_tables([pq.read_table(path, columns=[image, label]) for path in files])
        labels = table[label].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{name}: {files[0]} and its like cannot be read ({str(error).splitlines()[0]}).") from error

    def encoded(rows: np.ndarray) -> Iterator[Encoded]:
        for row, value in zip(rows, table[image].take(rows).to_pylist(), strict=True):
            yield Encoded(f"row {row} of {folder}", value["bytes"] if isinstance(value, dict) else value)

    return Labelled(labels, encoded, [])


def _holds_images(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return "bytes" in [kind.field(i).name for i in range(kind.num_fields)]
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def chosen_columns(names: Iterable[str], images: list[str], wanted: str | None, what: str) -> tuple[str, str]:
    """The names of the image column and of the label column: those asked for, or the only ones.

    Raises:
        UserError: there is no one such column.
    """
    there = list(names)
    if wanted is not None:
        image, _, label = wanted.partition(":")
        if image not in there or label not in there:
            raise UserError(
                f"data.columns={wanted}: {what} has the columns {', '.join(there)}; allowed is two of them, as "
                f"data.columns=IMAGE:LABEL."
            )
        return image, label
    labels = [name for name in LABEL_COLUMNS if name in there]
    if len(images) == 1 and labels:
        return images[0], labels[0]
    found = f"of images {', '.join(images) or 'none'}, of labels {labels[0] if labels else 'none named label'}"
    raise UserError(
        f"{what} has the columns {', '.join(there)} ({found}); allowed is one column of images and one of labels, "
        "named label, or data.columns=IMAGE:LABEL."
    )
