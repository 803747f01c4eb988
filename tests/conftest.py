"""What several tests need: small configs, the command line as a person calls it, one finished run to look at."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forked
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from safetensors import safe_open

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import IMAGE_DATA
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.trials import make_trials

mpl.use("Agg")
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton looks at it when first imported

Cli = Callable[..., subprocess.CompletedProcess[str]]


def nc_run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``nc-run WORDS`` in a folder of its own, as a person would call it; forked where the environment is this one."""
    surroundings = {**os.environ, "COLUMNS": "160", **environment}
    if not environment:
        return forked.run(words, cwd, surroundings)
    command = [sys.executable, "-W", "error", "-m", "nc_runner", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=surroundings)


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    """Wait for something that a running process does, however long it takes; fail where it ends without."""
    while not happened():
        try:
            code = process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        assert happened(), f"the process ended with {code} before it happened"


def saved_step(folder: Path) -> int:
    """The largest step of a run folder's checkpoints; -1 where there is none."""
    steps = []
    for path in (folder / "checkpoints").glob("[!.]*.safetensors"):
        with contextlib.suppress(FileNotFoundError), safe_open(path, framework="pt") as file:
            steps.append(json.loads(file.metadata()["record"])["step"])
    return max(steps, default=-1)


@pytest.fixture(scope="session", autouse=True)
def _surroundings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept between runs is kept under tmp; datasets, which reads these when first imported, asks no network.

    A machine's own folder of images is seen by the tests that ask for real ones alone, so that no other needs one.
    """
    folders = {"NC_CACHE": "cache", "HF_HOME": "huggingface"}
    os.environ |= {name: str(tmp_path_factory.mktemp(folder)) for name, folder in folders.items()}
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.pop("NC_DATA_ROOT", None)


@pytest.fixture(scope="session", autouse=True)
def _forked() -> Iterator[None]:
    """The process that forks ends with the session."""
    yield
    forked.stop()


@pytest.fixture(autouse=True)
def _denormals() -> Iterator[None]:
    """A test that trains in this process flushes denormals; others, and Hypothesis itself, count on them."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    """A figure left open by a test that failed is no other test's warning."""
    yield
    plt.close("all")


def smoke_overrides(experiment: str) -> list[str]:
    """What a smoke run of an experiment needs on a machine without data: images are then scikit-learn's digits."""
    trials = make_trials(compose([f"experiment={experiment}", "scale=smoke"]))
    return ["data=digits"] if any(trial.config.data.name in IMAGE_DATA for trial in trials) else []


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command line in an empty folder."""
    return lambda *words, **environment: nc_run(*words, cwd=tmp_path, **environment)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a completed smoke run, not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = nc_run("experiment=bn_wd_sweep", "scale=smoke", "jobs=1", f"hydra.run.dir={folder}", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a smoke run of an experiment with two seeds, not to be changed; trained once a session."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "smoke"

    def folder_of(name: str) -> Path:
        (shared / name).mkdir(parents=True, exist_ok=True)
        with (shared / name / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed: another worker may be training it
            folder = shared / name / "run"
            if not folder.exists():
                words = (f"experiment={name}", "scale=smoke", "jobs=1", "seeds=2", "hydra.run.dir=run")
                done = nc_run(*words, *smoke_overrides(name), cwd=shared / name)
                assert done.returncode == 0, done.stderr
                assert done.stderr == ""
        return folder

    return folder_of


@pytest.fixture
def small() -> Config:
    """A network that trains in milliseconds."""
    return Config(
        experiment="bn_wd_sweep",
        data=DataConfig(samples=60, dim=5, classes=3, teacher_width=8),
        model=ModelConfig(depth=3, width=7),
        train=TrainConfig(epochs=3, batch_size=16, learning_rate=0.05),
    )
