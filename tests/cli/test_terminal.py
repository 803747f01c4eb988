"""Printing is no part of a run: encodings, full devices and closed terminals change nothing on disk and no state."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-W", "error", "-m", "nc_runner"]
RUN = ["experiment=conic_hull", "scale=smoke", "jobs=1", "hydra.run.dir=run"]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
@pytest.mark.parametrize("words", [["list"], ["--help"], ["--help", "experiment=bn_wd_sweep"], RUN])
def test_an_encoding_without_our_letters_changes_nothing(encoding: str, words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    if words is RUN:
        assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "completed"


@pytest.mark.parametrize("device", ["/dev/full", "closed", "a reader that leaves"])
def test_a_dead_terminal_changes_nothing(device: str, tmp_path: Path) -> None:
    command = " ".join([*COMMAND, *RUN])
    redirected = {"/dev/full": ">/dev/full 2>&1", "closed": ">&- 2>&-", "a reader that leaves": "2>&1 | true"}[device]
    code = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirected}"], cwd=tmp_path, check=False
    ).returncode
    assert code == 0
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "completed"
    assert (tmp_path / "run" / "figures" / "figure_3_2.png").exists()
