"""The one exception that means: the person, not the program, has to change something; and how it is said."""

from __future__ import annotations

import os
import sys
import traceback

USAGE_ERROR = 2

# Read once: running through Hydra sets the variable for itself.
FULL_ERROR = os.environ.get("HYDRA_FULL_ERROR") == "1"


class UserError(Exception):
    """One plain sentence naming the key, the value and what is allowed; the command line ends with exit code 2."""


def refuse(error: BaseException) -> int:
    """Print what a person has to change, in one sentence; the exit code for it."""
    if FULL_ERROR:
        traceback.print_exception(error)
    else:
        print(f"nc-run: {error}", file=sys.stderr)
    return USAGE_ERROR
