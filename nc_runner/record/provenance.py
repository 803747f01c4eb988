"""Where a run's numbers come from: the code, the machine, the versions, the data."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import nc_runner
from nc_runner.config import outside
from nc_runner.config.keys import flatten
from nc_runner.config.schema import Config
from nc_runner.models.layers import product_in_use

_PACKAGES = ("nc-runner", "torch", "numpy", "pandas", "pyarrow", "hydra-core", "omegaconf", "matplotlib", "safetensors")
CODE = ("nc_runner", "conf")  # of a checkout: what decides a run's numbers


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(
    config: Config, data: dict[str, str], left_out: list[str], *, device: torch.device, jobs: int
) -> dict[str, Any]:
    """The content of provenance.json at the start of a run.

    Args:
        data: the checksums of its data sets.
        left_out: files or rows that are there and no part of them.
    """
    return {
        "started": now(),
        "argv": sys.argv,
        "git": git_state(),
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in _PACKAGES} | outside.distribution(config.experiment),
        "platform": platform.platform(),
        "processor": processor_name(),
        "device": device_name(device),
        "workers": jobs,
        "threads_per_worker": 1,
        "matrix_product": product_in_use(),
        "seeds": config.seed_list,
        "data_sha256": data,
        "data_left_out": left_out,
        "config": flatten(config),
    }


def version_of(distribution: str) -> str | None:
    """The version installed; of nc-runner itself, that of the code that runs. None where it is not known."""
    if distribution == "nc-runner":
        return nc_runner.__version__
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # on the path, not installed
        return None


def device_name(device: torch.device) -> str:
    """The GPU's name, or cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def elsewhere(started: dict[str, Any], device: torch.device) -> list[str]:
    """In words, what of this process differs from a run's provenance and changes sums."""
    packages = [name for name in ("nc-runner", "torch", "numpy") if name in started["versions"]]
    here = {"device": device_name(device), "processor": processor_name(), **{p: version_of(p) for p in packages}}
    there = {"device": started["device"], "processor": started["processor"], **started["versions"]}
    return [f"{name} was {there[name]} and is {here[name]}" for name in here if there[name] != here[name]]


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout this package runs from, and whether its code or ``conf`` differ from it.

    None where it runs from no checkout of its own.
    """
    top = Path(nc_runner.__file__).parent.parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(top), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != top.resolve():
            return None
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", *CODE))}
    except (OSError, subprocess.CalledProcessError):
        return None


def processor_name() -> str:
    """The processor's model, as Linux names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
