"""``nc-run new``: what it writes installs and runs as it is; what it cannot write is told in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import nc_run

import nc_runner
from nc_runner.cli.new import new, written
from nc_runner.errors import UserError

ROOT = Path(nc_runner.__file__).parent.parent
REFUSED = {
    "2x": "allowed are letters, digits and _",
    "a-b": "allowed are letters, digits and _",
    "a/b": "allowed are letters, digits and _",
    "naïve": "allowed are letters, digits and _",
    "x_": "allowed are letters, digits and _",
    "": "allowed are letters, digits and _",
    "class": "allowed are letters, digits and _",
    "null": "allowed are letters, digits and _",
    "conic_hull": "there is an experiment of that name",
    "torch": "there is a Python module of that name",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^new {name}: .*{REFUSED[name]}"):
        new([name])
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match=r"^new mine: \./mine is there already; allowed is a new folder\.$"):
        new(["mine"])
    assert not list((tmp_path / "mine").iterdir())
    with pytest.raises(UserError, match=r"^new: 2 words were given; allowed is one NAME\.$"):
        new(["a", "b"])


def test_nothing_is_left_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write = Path.write_text

    def full(path: Path, text: str, **how: str) -> int:
        if path.name == "experiment.py":
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match=r"^new mine: mine/src/mine/experiment\.py cannot be written \(No space"):
        new(["mine"])
    assert not list(tmp_path.iterdir())


def test_the_name_is_everywhere_in_place_of_the_example_s() -> None:
    files = written("my_sweep")
    assert set(map(str, files)) == {
        "pyproject.toml",
        "src/my_sweep/__init__.py",
        "src/my_sweep/experiment.py",
        "src/my_sweep/conf/experiment/my_sweep.yaml",
        "src/my_sweep/conf/sizes/my_sweep/cpu.yaml",
        "src/my_sweep/conf/sizes/my_sweep/quick.yaml",
        "src/my_sweep/conf/sizes/my_sweep/smoke.yaml",
        "tests/test_my_sweep.py",
    }
    assert not [path for path, text in files.items() if "width_sweep" in text]
    assert 'my_sweep = "my_sweep.experiment:EXPERIMENT"' in files[Path("pyproject.toml")]


def test_what_it_writes_installs_is_listed_and_passes_its_tests_which_run_it(tmp_path: Path) -> None:
    done = nc_run("new", "my_sweep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nc-run experiment=my_sweep scale=smoke" in done.stdout
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(tmp_path / "my_sweep")], check=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path / "site")])}
    pytest_there = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(
        [*pytest_there, f"--basetemp={tmp_path / 'tested'}", "my_sweep"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout
    listed = nc_run("list", cwd=tmp_path, PYTHONPATH=environment["PYTHONPATH"])
    assert listed.stderr == ""
    assert [
        line.split()[0] for line in listed.stdout.splitlines() if "NC1 of the last layer against the width" in line
    ] == ["my_sweep"]
