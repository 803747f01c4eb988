"""The arrays of a file by their keys, whatever kind of file it is, each to be read some rows at a time."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nc_runner.errors import UserError

from ._arrays import Array, reading, sliced
from ._samples import as_tensor
from ._tables import hdf5, parquet


def arrays(path: Path) -> dict[str, Array]:
    """By key, in the order of the file; keys of nested groups are joined by "/".

    Raises:
        UserError: there is no such file, it is of another kind, or it cannot be read.
    """
    if path.suffix not in READERS:
        raise UserError(f"{path}: is of no kind that can be measured; allowed are {', '.join(READERS)}.")
    with reading(path):
        found = READERS[path.suffix](path)
    return {key: guarded(path, array) for key, array in found.items() if array.shape}


def guarded(path: Path, array: Array) -> Array:
    """The same, as tensors, with the sentences of ``reading`` while its rows come."""

    def batches(rows: int) -> Iterator[Tensor]:
        with reading(path):
            chunks = array.batches(rows)
        while True:
            with reading(path):
                chunk = next(chunks, None)
                if chunk is None:
                    return
                if isinstance(chunk, np.ndarray):
                    chunk = np.asarray(chunk, dtype=chunk.dtype.newbyteorder("="))
                chunk = as_tensor("it", chunk)
            yield chunk

    return Array(array.shape, array.floating, batches)


def npy(path: Path) -> dict[str, Array]:
    """The one array of a file, mapped."""
    return {"features": sliced(np.load(path, mmap_mode="r"))}


def npz(path: Path) -> dict[str, Array]:
    """The members of an archive, compressed or not, each read from its beginning on."""
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".npy")]
    return {name.removesuffix(".npy"): member(path, name) for name in members}


def member(path: Path, name: str) -> Array:
    """One of them; one whose columns are stored one after another is held whole."""
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        shape, by_columns, dtype = header(file)
    if by_columns or dtype.hasobject:
        return sliced(np.load(path)[name.removesuffix(".npy")])
    row = math.prod(shape[1:]) * dtype.itemsize

    def batches(rows: int) -> Iterator[np.ndarray]:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            header(file)
            for start in range(0, shape[0], rows):
                count = min(rows, shape[0] - start)
                read = file.read(count * row)
                if len(read) < count * row:
                    raise EOFError(f"{name} ends early")
                yield np.frombuffer(read, dtype).reshape(count, *shape[1:])

    return Array(shape, dtype.kind == "f", batches)


def header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether by columns, and dtype of what follows in a .npy file."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read(file)
    return shape, by_columns and len(shape) > 1, dtype


def safetensors(path: Path) -> dict[str, Array]:
    """The tensors of a file."""
    from safetensors import safe_open

    def one(key: str, shape: list[int], dtype: str) -> Array:
        def batches(rows: int) -> Iterator[Tensor]:
            with safe_open(path, framework="pt") as file:
                part = file.get_slice(key)
                for start in range(0, shape[0], rows):
                    yield part[start : min(start + rows, shape[0])]

        return Array(tuple(shape), dtype.startswith(("F", "BF")), batches)

    with safe_open(path, framework="pt") as file:
        parts = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (it is no dict)
        return {key: one(key, part.get_shape(), part.get_dtype()) for key, part in parts.items()}


def pt(path: Path) -> dict[str, Array]:
    """A tensor, or the tensors of a dict of them, nested or not; nothing else that a pickle may hold."""
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "global" not in str(error):  # of no class that is not allowed: of a damaged file
            raise
        raise UserError(
            f"{path}: holds Python objects beside tensors, which are not loaded; save a dict of tensors alone."
        ) from error
    flat: dict[str, Array] = {}

    def add(key: str, value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                add(f"{key}/{name}" if key else str(name), inner)
        elif isinstance(value, Tensor):
            flat[key or "features"] = sliced(value.detach())

    add("", saved)
    return flat


READERS: dict[str, Callable[[Path], dict[str, Array]]] = {
    ".npz": npz, ".npy": npy, ".safetensors": safetensors, ".pt": pt, ".pth": pt, ".parquet": parquet, ".h5": hdf5,
    ".hdf5": hdf5,
}  # fmt: skip
