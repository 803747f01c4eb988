"""The one exception for what the person, not the program, has to change; and how it is printed."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterable
from typing import TextIO

USAGE_ERROR = 2

# Read at import, as `cli/main.py` later sets the variable itself, for Hydra.
FULL_ERROR = os.environ.get("HYDRA_FULL_ERROR") == "1"


class UserError(Exception):
    """One plain sentence naming the key, the value and what is allowed; the command line ends with exit code 2."""


class AbsentDataError(UserError):
    """A data set, or the split of it that is asked for, is not there; a grid over data sets goes on without it."""


def refuse(error: BaseException) -> int:
    """Print the error's one sentence; return the exit code for it."""
    if FULL_ERROR:
        traceback.print_exception(error)
    else:
        say(str(error))
    return USAGE_ERROR


def broke(error: BaseException) -> int:
    """Print what went wrong in the program itself; the exit code for it."""
    traceback.print_exception(error)
    say(f"this is a fault of the program ({type(error).__name__}), not of yours.")
    return 1


def say(sentence: str) -> None:
    """Print a sentence of the program's own on standard error."""
    print(between_words(f"nc-run: {sentence}", sys.stderr), file=sys.stderr)


def between_words(text: str, stream: TextIO, hanging: int = 0) -> str:
    """The text with its lines broken between words, later ones ``hanging`` in, where the stream is a terminal."""
    if not stream.isatty():
        return text  # for grep, and for whoever reads it by program
    width = shutil.get_terminal_size().columns
    lines = (
        textwrap.fill(line, width, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
    return "\n".join(lines)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """The end of a sentence on a mistyped word: the nearest allowed words, or all of them where none is near."""
    names = list(allowed)
    near = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    listed = ", ".join(names)
    if not near:
        return f"allowed are {listed}."
    question = f"did you mean {' or '.join(near)}?"
    return f"{question} (Allowed: {listed}.)" if len(names) <= 12 else question
