"""nc-run: figures of papers on neural collapse, each from one command.

``nc_runner.metrics`` and ``nc_runner.theory`` are useful on their own: plain tensors in, tensors out.
``nc_runner.open_run(FOLDER)`` reads a run back. Importing this package imports neither torch nor Hydra.
"""

from typing import Any

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """``open_run``, imported when it is asked for, as it needs torch and pandas."""
    if name == "open_run":
        from nc_runner.run.opened import open_run

        return open_run
    raise AttributeError(f"module 'nc_runner' has no attribute {name!r}")
