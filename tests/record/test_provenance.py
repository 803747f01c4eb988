"""Provenance says what it knows, and never ends a run."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nc_runner
from nc_runner.record import provenance

ROOT = Path(nc_runner.__file__).parent.parent


def test_a_package_without_metadata_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert provenance.version_of("torch") is None
    assert provenance.version_of("nc-runner") == nc_runner.__version__


def test_a_checkout_that_is_not_installed_runs_to_its_end(tmp_path: Path) -> None:
    """As on a bare machine: the package on the path, without the metadata that an installation makes."""
    hidden = (
        "import importlib.metadata as m, runpy, sys\n"
        "known = m.version\n"
        "def version(name):\n"
        "    if name in ('nc-runner', 'matplotlib'):\n"
        "        raise m.PackageNotFoundError(name)\n"
        "    return known(name)\n"
        "m.version = version\n"
        "sys.argv = ['nc-run', 'experiment=conic_hull', 'scale=smoke', 'jobs=1', 'hydra.run.dir=run']\n"
        "runpy.run_module('nc_runner', run_name='__main__')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    versions = json.loads((tmp_path / "run" / "provenance.json").read_text())["versions"]
    assert versions["nc-runner"] == nc_runner.__version__
    assert versions["matplotlib"] is None
    assert versions["torch"]
