"""Files that are whole or not there, and folders that belong to one run.

Every file is written to a temporary name in the same folder, flushed, fsynced and renamed, so that whoever reads it,
whenever the machine stopped, finds a whole file: the old one or the new one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from nc_runner.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def make(path: Path, key: str) -> Path:
    """Make a new folder at ``path``, or ``path_2``, ``path_3``, ... where it exists: two runs never share one.

    Args:
        key: what named the path, for what is said of it.

    Raises:
        UserError: the current folder or one above it, which are never new; a folder that cannot be written.
    """
    here = Path.cwd()
    if path.resolve() in (here, *here.parents):
        raise UserError(f"{key}={path}: is the current folder or one above it; allowed is a new one, as outputs/mine.")
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
            f"{key}={path}: cannot be written ({error.strerror}); allowed is where a folder can be made."
        ) from error
    raise UserError(f"{key}={path}: exists with every suffix up to 9999; allowed is a new folder.")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then flush, fsync and rename it.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path}: cannot be written ({reason}); allowed is a folder that can be, on a disk with space left."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_text(path: Path, text: str) -> None:
    """Write a text, in UTF-8 whatever the machine's encoding."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and a few texts as one safetensors file."""
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, metadata=metadata))
