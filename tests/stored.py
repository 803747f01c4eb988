"""One set of features in files of every kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from nc_runner.measure import files

Arrays = dict[str, np.ndarray]

CLASSES, WIDTH, SAMPLES = 4, 6, 200
BESIDE = ["--labels", "labels.npy", "--weight", "weight.npy", "--bias", "bias.npy"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is in a folder of its own, and every file comes in several batches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "NUMBERS", 70 * WIDTH)


def drawn() -> Arrays:
    """Features about means away from the origin, labels, and a classifier that is not collapsed."""
    draw = np.random.default_rng(5)
    labels = np.arange(SAMPLES) % CLASSES
    means = draw.normal(size=(CLASSES, WIDTH)) + 3
    return {
        "features": (means[labels] + draw.normal(size=(SAMPLES, WIDTH))).astype(np.float32),
        "labels": labels,
        "weight": draw.normal(size=(CLASSES, WIDTH)).astype(np.float32),
        "bias": draw.normal(size=CLASSES).astype(np.float32),
    }


def npy(path: Path, arrays: Arrays) -> None:
    np.save(path, arrays["features"])
    for key in ("labels", "weight", "bias"):
        np.save(path.with_name(f"{key}.npy"), arrays[key])


def tensors(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}


def parquet(path: Path, arrays: Arrays) -> None:
    columns = {}
    for key, array in arrays.items():
        if key in ("weight", "bias"):
            np.save(path.with_name(f"{key}.npy"), array)
        else:
            columns[key] = pa.array(list(array))
    pq.write_table(pa.table(columns), path, row_group_size=64)


def hdf5(path: Path, arrays: Arrays) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[key] = array


WRITERS: dict[str, Callable[[Path, Arrays], None]] = {
    ".npz": lambda path, arrays: np.savez(path, **arrays),
    ".npy": npy,
    ".safetensors": lambda path, arrays: save_file(tensors(arrays), path),
    ".pt": lambda path, arrays: torch.save(tensors(arrays), path),
    ".parquet": parquet,
    ".h5": hdf5,
}
