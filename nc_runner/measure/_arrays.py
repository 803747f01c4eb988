"""An array of a file, of which some rows are read at a time; and what is said of a file that cannot be read."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from safetensors import SafetensorError
from torch import Tensor

from nc_runner.errors import UserError

# What the libraries raise of a file that is cut short, damaged, or not of the kind that its name says.
DAMAGED = (
    EOFError, KeyError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError, pickle.UnpicklingError,
    zipfile.BadZipFile, zlib.error, pa.ArrowException, SafetensorError,
)  # fmt: skip


@dataclass(frozen=True)
class Array:
    """One array of a file, of which nothing is read yet.

    Attributes:
        shape: its axes; the first is the one that is read along.
        floating: whether its numbers are of a floating dtype.
        batches: from the first row on, so many at a time.
    """

    shape: tuple[int, ...]
    floating: bool
    batches: Callable[[int], Iterator[Any]]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """While inside, whatever a library raises of the file is one sentence."""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except DAMAGED as error:
        said = str(error).strip().splitlines()
        reason = said[0].rstrip(".:") if said else type(error).__name__
        raise UserError(
            f"{path}: cannot be read as {path.suffix} ({reason}); it may be cut short or damaged."
        ) from error


def sliced(array: Any) -> Array:
    """Of what is on disk or in memory and gives some rows of itself."""
    floating = array.is_floating_point() if isinstance(array, Tensor) else array.dtype.kind == "f"
    return Array(
        tuple(array.shape),
        floating,
        lambda rows: (array[start : start + rows] for start in range(0, len(array), rows)),
    )
