"""Where a run's numbers come from: the code, the machine, the versions, the data."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from nc_runner.config import Config, DataConfig
from nc_runner.data import load
from nc_runner.dotted import flatten

_PACKAGES = ("nc-runner", "torch", "numpy", "pandas", "pyarrow", "hydra-core", "omegaconf", "matplotlib", "safetensors")


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(config: Config, data: Iterable[DataConfig], *, device: torch.device, jobs: int) -> dict[str, Any]:
    """The content of provenance.json at the start of a run."""
    return {
        "started": now(),
        "argv": sys.argv,
        "git": git_state(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": processor_name(),
        "device": device_name(device),
        "workers": jobs,
        "threads_per_worker": 1,
        "seeds": config.seed_list,
        "data_sha256": {describe(d): data_checksum(d) for d in data},
        "config": flatten(config),
    }


def device_name(device: torch.device) -> str:
    """The GPU's name, or cpu."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def elsewhere(started: dict[str, Any], device: torch.device) -> list[str]:
    """In words, what of this process differs from a run's provenance and changes sums."""
    here = {"device": device_name(device), "processor": processor_name(), "torch": torch.__version__}
    there = {"device": started["device"], "processor": started["processor"], "torch": started["versions"]["torch"]}
    return [f"{name} was {there[name]} and is {here[name]}" for name in here if there[name] != here[name]]


def describe(data: DataConfig) -> str:
    """A data set's keys on one line."""
    return " ".join(f"{key}={value}" for key, value in flatten(data).items() if key != "root" and value is not None)


def data_checksum(data: DataConfig) -> str:
    """SHA-256 of the inputs' and labels' bytes."""
    digest = hashlib.sha256()
    for tensor in load(data):
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def git_state() -> dict[str, Any] | None:
    """Commit and dirtiness of the checkout this package runs from; None where it runs from no checkout of its own."""
    top = Path(__file__).parent.parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(top), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != top.resolve():
            return None
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
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
