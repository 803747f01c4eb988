"""Printing is no part of a run: what cannot be shown is replaced, and a terminal that is gone changes nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Unfailing:
    """A text stream that never raises: letters it has no code for become "?", and after a failed write it is mute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        """Write, or do not."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            self._silence()
        return len(text)

    def flush(self) -> None:
        """Hand on what is written, or drop it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._silence()

    def _silence(self) -> None:
        """From now on all goes nowhere, what is left in buffers too, or Python would fail on it at its end."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def make_unfailing() -> None:
    """Let standard output and standard error of this process never fail."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before we began
            stream = open(os.devnull, "w")  # noqa: SIM115 (for the life of the process)
        if not isinstance(stream, Unfailing):
            setattr(sys, name, Unfailing(stream))


@contextlib.contextmanager
def noting(text: str) -> Iterator[None]:
    """Say on a terminal what is being done while it is, on a line that is cleared then."""

    def write(line: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()

    write(text)
    try:
        yield
    finally:
        write("")
