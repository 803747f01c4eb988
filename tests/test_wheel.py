"""An installed wheel runs from an empty folder: its conf is inside, its outputs go to where it is called from."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_wheel_runs_from_an_empty_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(installed)
    empty.mkdir()
    command = [sys.executable, "-m", "nc_runner", "experiment=conic_hull", "scale=smoke"]
    # The path goes before the checkout's, so it is the wheel that runs.
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = "import nc_runner.config.compose; print(nc_runner.config.compose.conf_dir())"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == installed / "nc_runner" / "conf"
    subprocess.run(command, cwd=empty, env=environment, check=True, capture_output=True)
    (run,) = (empty / "outputs" / "conic_hull").iterdir()
    assert (run / "claims.json").exists()
