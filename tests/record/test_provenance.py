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


def test_a_checkout_is_dirty_where_what_runs_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where a run before has written docs: those of its numbers decide none of the next's."""

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e", *words], check=True)

    for name in ("nc_runner", "conf", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("as committed")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    monkeypatch.setattr(nc_runner, "__file__", str(tmp_path / "nc_runner" / "__init__.py"))
    (tmp_path / "docs" / "file").write_text("changed")
    state = provenance.git_state()
    assert state is not None
    assert state["dirty"] is False
    for name in ("nc_runner", "conf"):
        (tmp_path / name / "new").touch()
        assert provenance.git_state() == state | {"dirty": True}
        (tmp_path / name / "new").unlink()
