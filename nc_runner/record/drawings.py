"""A figure as files, the same bytes whenever it is drawn."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nc_runner.errors import UserError
from nc_runner.record.files import write_atomically, write_text

if TYPE_CHECKING:
    from nc_runner.figures.drawing import Drawing

# None names the time or the program's version.
UNDATED: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def write_drawing(folder: Path, name: str, drawing: Drawing, formats: Sequence[str]) -> None:
    """Write a figure in each format, and its caption and notes, into a folder that is made where there is none.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); allowed is where a folder can be.") from error
    with at_no_time():
        for suffix in formats:
            save = functools.partial(drawing.figure.savefig, metadata=UNDATED[suffix])
            write_atomically(folder / f"{name}.{suffix}", save)
    write_text(folder / f"{name}.md", drawing.markdown(name))


@contextlib.contextmanager
def at_no_time() -> Iterator[None]:
    """While inside, embedded fonts are dated 1970: fontTools writes into a subset when it was made."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
