"""Arrays in a ``.npz`` file: inputs and labels by name, as Keras and MedMNIST name them or as one says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from nc_runner.data.image_files import SPLITS, TEST, TRAIN
from nc_runner.data.labelled import Encoded, Labelled
from nc_runner.errors import AbsentDataError, UserError

ENDING = ".npz"
INPUTS = {"x", "image", "images", "input", "inputs", "feature", "features", "data"}
LABELS = {"y", "label", "labels", "target", "targets"}
CHANNELS = (1, 3)


def array_file(path: Path, columns: str | None, split: Collection[str] = TRAIN) -> Labelled | None:
    """Inputs and labels of a file; None where it has none of a split other than training.

    Inputs are vectors [N, D], which are images of one row of pixels, grey images [N, H, W], or [N, H, W, C] or
    [N, C, H, W] with C of 1 or 3. Labels are [N] or [N, 1].

    Args:
        columns: INPUTS:LABELS, the names of the two arrays.
        split: the words that a name of an array has where the file has several splits: ``x_train``.

    Raises:
        AbsentDataError: it has several splits, and none for training.
        UserError: the file cannot be read, has no two such arrays, or they do not go together.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:  # which of a damaged one leaves it open
            names = chosen_names(file.files, columns, split, path)
            if names is None:
                return None
            x, y = (file[name] for name in names)
    except UserError:
        raise
    except Exception as error:  # of numpy, zipfile and zlib: a dozen classes
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UserError(f"data.path={path}: cannot be read ({reason}); allowed is a .npz file of arrays.") from error
    images = as_images(x, f"data.path={path}: {names[0]}")
    if y.shape not in ((len(x),), (len(x), 1)):
        hint = ", such as its argmax" if y.ndim == 2 and y.shape[0] == len(x) else ""
        raise UserError(
            f"data.path={path}: {names[1]} has the shape {list(y.shape)}; allowed is [{len(x)}], a label for each of "
            f"{names[0]}{hint}."
        )
    return Labelled(y.reshape(-1).tolist(), lambda rows: rows_of(images, rows, path))


def rows_of(images: np.ndarray, rows: np.ndarray, path: Path) -> Iterable[Encoded]:
    """Some images, each with the row that it is."""
    return (Encoded(f"row {row} of {path}", images[row]) for row in rows)


def chosen_names(
    there: Collection[str], columns: str | None, split: Collection[str], path: Path
) -> tuple[str, str] | None:
    """The names of the inputs and of the labels: those asked for, or the only ones; None as :func:`array_file`.

    Raises:
        AbsentDataError: as there.
        UserError: there are no such two.
    """
    listed = ", ".join(there)
    if columns is not None:
        inputs, _, labels = columns.partition(":")
        if split is not TRAIN:
            return None
        if inputs not in there or labels not in there:
            raise UserError(
                f"data.columns={columns}: {path} has the arrays {listed}; allowed is two of them, as "
                "data.columns=INPUTS:LABELS."
            )
        return inputs, labels
    words = {name: set(re.split(r"[^a-z]+", name.lower())) for name in there}
    if any(of & SPLITS for of in words.values()):
        wanted = [name for name in there if words[name] & set(split)]
    else:
        wanted = list(there) if split is TRAIN else []
    if not wanted:
        if split is not TRAIN:
            return None
        instead = ", or data.split=test" if any(of & TEST for of in words.values()) else ""
        raise AbsentDataError(
            f"data.path={path}: has the arrays {listed} and none of a training split; allowed is one with x_train and "
            f"y_train{instead}."
        )
    inputs_there = [name for name in wanted if words[name] & INPUTS]
    labels_there = [name for name in wanted if words[name] & LABELS and name not in inputs_there]
    if len(inputs_there) != 1 or len(labels_there) != 1:
        raise UserError(
            f"data.path={path}: has the arrays {listed}; allowed is one of inputs and one of labels, as x and y or "
            "x_train and y_train, or data.columns=INPUTS:LABELS."
        )
    return inputs_there[0], labels_there[0]


def as_images(x: np.ndarray, what: str) -> np.ndarray:
    """Inputs as images [N, H, W] or [N, H, W, 3], uint8 or float32.

    Raises:
        UserError: another shape, or no finite numbers.
    """
    if x.dtype.kind not in "biuf":
        raise UserError(f"{what} holds {x.dtype}; allowed are numbers.")
    shape = list(x.shape)
    if x.ndim == 2:
        x = x[:, None, :]
    if x.ndim == 4 and x.shape[1] in CHANNELS and x.shape[3] not in CHANNELS:
        x = np.moveaxis(x, 1, 3)
    elif x.ndim == 4 and (x.shape[1] in CHANNELS or x.shape[3] not in CHANNELS):
        x = x[:0]  # of either order, or of none
    if x.ndim not in (3, 4) or x.size == 0:
        raise UserError(
            f"{what} has the shape {shape}; allowed is [N, D], [N, H, W], or [N, H, W, C] or [N, C, H, W] with C of 1 "
            "or 3."
        )
    x = x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if bad.any():
        raise UserError(
            f"{what} has {bad.sum()} rows with NaN or inf, the first of them row {bad.argmax()}; allowed are finite "
            "numbers."
        )
    return x if x.dtype == np.uint8 else x.astype(np.float32)
