"""Files that are whole or not there, and folders that belong to one run.

Every file is written to a temporary name in the same folder, flushed, fsynced and renamed, so that whoever reads it,
whenever the machine stopped, finds a whole file: the old one or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nc_runner.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def make(path: Path) -> Path:
    """Make a new folder at ``path``, or ``path_2``, ``path_3``, ... where it exists: two runs never share one.

    Raises:
        UserError: a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            candidate = path if attempt == 1 else path.with_name(f"{path.name}_{attempt}")
            try:
                candidate.mkdir()
            except FileExistsError:
                continue
            if not os.access(candidate, os.W_OK):
                raise PermissionError(13, "Permission denied")
            return candidate
    except OSError as error:
        raise UserError(
            f"hydra.run.dir={path}: cannot be written ({error.strerror}); allowed is a path where a folder can be made."
        ) from error
    raise UserError(f"hydra.run.dir={path}: exists with every suffix up to 9999; allowed is a new folder.")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then flush, fsync and rename it."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and a few texts as one safetensors file."""
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, metadata=metadata))
