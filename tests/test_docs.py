"""docs/adding-an-experiment.md, followed to the letter in a copy of the checkout; and the README's length."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = [
    "conf/experiment/width_sweep.yaml",
    "conf/sizes/width_sweep/cpu.yaml",
    "conf/sizes/width_sweep/quick.yaml",
    "conf/sizes/width_sweep/smoke.yaml",
    "nc_runner/experiments/pan2023/width_sweep.py",
]


def test_the_guide_s_experiment_runs(tmp_path: Path) -> None:
    for folder in ("nc_runner", "conf"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    guide = (ROOT / "docs" / "adding-an-experiment.md").read_text()
    files = re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == FILES
    for name, text in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-W", "error", "-m", "nc_runner"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "160"}
    for words in (["list"], ["experiment=width_sweep", "scale=smoke", "jobs=1", "hydra.run.dir=run"]):
        done = subprocess.run(
            [*command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "NC1" in done.stdout
    assert (tmp_path / "run" / "figures" / "nc1_against_width.png").exists()
    notes = (tmp_path / "run" / "figures" / "nc1_against_width.md").read_text()
    assert "the ratio of their traces" in notes
    assert "Changed from scale=paper" in notes


def test_the_readme_is_short() -> None:
    """Without its table, which has a row an experiment."""
    text = re.sub(r"<!-- experiments -->.*<!-- end -->", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(text.splitlines()) <= 96
