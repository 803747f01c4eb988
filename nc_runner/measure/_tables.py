"""What can be measured of tables and of HDF5 files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nc_runner.errors import UserError

from ._arrays import Array


def parquet(path: Path) -> dict[str, Array]:
    """The columns of a table: numbers, and lists of as many numbers in every row."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema, samples = file.schema_arrow, file.metadata.num_rows
        found = {}
        for name, kind in zip(schema.names, schema.types, strict=True):
            lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
            number = kind.value_type if lists else kind
            if not (pa.types.is_floating(number) or pa.types.is_integer(number)):
                continue
            shape: tuple[int, ...] = (samples,)
            if lists and samples:
                (first,) = next(file.iter_batches(1, columns=[name])).column(0).to_pylist()
                shape = (samples, len(first or ()))
            found[name] = Array(shape, pa.types.is_floating(number), column(path, name, shape))
    return found


def column(path: Path, name: str, shape: tuple[int, ...]) -> Callable[[int], Iterator[np.ndarray]]:
    """What reads a column of a table."""
    import pyarrow.parquet as pq

    def batches(rows: int) -> Iterator[np.ndarray]:
        with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            for batch in file.iter_batches(rows, columns=[name]):
                read = batch.column(0)
                if read.null_count or (
                    len(shape) > 1 and set(pc.list_value_length(read).unique().to_pylist()) != {shape[1]}
                ):
                    raise UserError(f"{path}: {name} has an empty row, or one longer than another; each needs as many.")
                values = read.flatten() if len(shape) > 1 else read
                if values.null_count:
                    raise UserError(f"{path}: {name} has empty places; each needs a number.")
                yield values.to_numpy(zero_copy_only=False).reshape(-1, *shape[1:])

    return batches


def hdf5(path: Path) -> dict[str, Array]:
    """The data sets of a file, those of its groups too."""
    try:
        import h5py
    except ImportError:
        raise UserError(f"{path}: reading it needs h5py; pip install 'nc-runner[hdf5]' brings it.") from None

    def one(name: str, shape: tuple[int, ...], kind: str) -> Array:
        def batches(rows: int) -> Iterator[np.ndarray]:
            with h5py.File(path) as file:
                for start in range(0, shape[0], rows):
                    yield file[name][start : start + rows]

        return Array(shape, kind == "f", batches)

    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.shape is not None:
            found[name] = one(name, item.shape, item.dtype.kind)

    with h5py.File(path) as file:
        file.visititems(visit)
    return found
