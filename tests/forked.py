"""A Python that has imported what nc-run stands on, and becomes ``python -m nc_runner`` in forks of itself.

Each run is a process of its own, with its own arguments, folder, environment and streams; what it does not do again is
to import torch and the like, seconds of every start. nc_runner itself is imported anew by each.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

IMPORTED = (
    "hydra", "matplotlib.pyplot", "pandas", "pyarrow.parquet", "rich.progress", "safetensors.torch", "scipy.integrate",
    "scipy.stats", "torch",
)  # fmt: skip


def run(words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` of ``python -W error -m nc_runner WORDS``, with what was said as text."""
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("stdout", "stderr")]
        job = {"words": words, "cwd": str(cwd), "environment": dict(environment), "said": list(map(str, said))}
        streams = server()
        streams.stdin.write(json.dumps(job) + "\n")
        streams.stdin.flush()
        code = int(streams.stdout.readline())
        return subprocess.CompletedProcess(words, code, *(path.read_text() for path in said))


@cache
def server() -> Any:
    """The process that forks."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # a process of several threads may not fork
    )  # fmt: skip


def stop() -> None:
    """End the process that forks, if there is one."""
    if server.cache_info().currsize:
        server().communicate()
        server.cache_clear()


def serve() -> dict[str, Any]:
    """Fork for each line of stdin and answer with the exit code; in a fork, give back what it is to do."""
    for line in iter(sys.stdin.readline, ""):
        if (child := os.fork()) == 0:
            job: dict[str, Any] = json.loads(line)
            return job
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # what is imported is no fork's to collect
    sys.path[0] = ""  # of a module that is run, the current folder
    job = serve()
    for number, path in enumerate((os.devnull, *job["said"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ |= job["environment"]
    sys.argv = ["nc-run", *job["words"]]
    runpy.run_module("nc_runner", run_name="__main__", alter_sys=True)
