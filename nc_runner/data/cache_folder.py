"""The folder for what this machine keeps between runs and can make again."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

from nc_runner.errors import say


def cache_folder() -> Path:
    """NC_CACHE, or the platform's cache folder, where it can be written, or a temporary folder, which is said once.

    The temporary folder is gone with this process. Until then NC_CACHE names it, so that child processes share it.
    """
    if given := os.environ.get("NC_CACHE"):
        return Path(given).expanduser()
    folder = platformdirs.user_cache_path("nc-run", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = "Permission denied"
    except OSError as error:
        reason = str(error.strerror)
    temporary = tempfile.mkdtemp(prefix="nc-run-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    os.environ["NC_CACHE"] = temporary
    say(
        f"the cache folder {folder} cannot be written ({reason}); what is kept there lasts for this run only; NC_CACHE "
        "may name another folder."
    )
    return Path(temporary)
