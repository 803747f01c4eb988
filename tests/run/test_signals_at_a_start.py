"""A signal to the whole group at evenly spaced moments of a short run, from the interpreter's start to the figures.

Moments are counted in what Python does and not in time: imports, opened files and renamed ones.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nc_runner.record.folder import RunFolder

# Imported by each interpreter that starts with its folder on the path. In the process WHO the event number AT, or the
# first file opened whose path has FILE in it, sends the signal to all; the number of events is left in COUNT.
EVENTS = """
import os, signal, sys
who = "worker" if "spawn_main" in " ".join(sys.orig_argv) else "parent" if os.getpid() == os.getpgid(0) else "other"
seen = 0

def hook(event, args):
    global seen
    if event in ("import", "open", "os.rename"):
        seen += 1
        file = os.environ.get("FILE")
        if seen == int(os.environ["AT"]) or (file and event == "open" and file in str(args[0])):
            os.environ.pop("FILE", None)
            os.killpg(os.getpgid(0), int(os.environ["NUMBER"]))

def count():
    number = seen
    with open(os.environ["COUNT"], "w") as file:
        file.write(str(number))

if who == os.environ["WHO"]:
    sys.addaudithook(hook)
    if who == "parent" and "COUNT" in os.environ:
        import atexit
        atexit.register(count)
"""
MOMENTS = 10
FIRST = 40  # until then Python itself takes Ctrl-C for a mistake in sitecustomize, and goes on
WORDS = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=2", "model.norm=none", "grid={model.width:[8,9]}")


def heeding() -> None:
    """A job in the background of a shell, as these tests may be, ignores SIGINT, and its children would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def short_run(folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code and the words of a run that got a signal; it has ended when no process of it holds its output."""
    (folder / "sitecustomize.py").write_text(EVENTS)
    run = subprocess.Popen(
        [sys.executable, "-m", "nc_runner", *WORDS, "seeds=2", "hydra.run.dir=run"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=heeding,
        env={**os.environ, "PYTHONPATH": str(folder), "AT": "0", "NUMBER": "0", "WHO": "parent", **environment},
    )  # fmt: skip
    try:
        said, _ = run.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        raise
    return run.returncode, said


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many events a short run has."""
    folder = tmp_path_factory.mktemp("counted")
    code, said = short_run(folder, COUNT=str(folder / "count"))
    assert code == 0, said
    return int((folder / "count").read_text())


def ended_well(folder: Path, code: int, said: str, number: signal.Signals) -> None:
    assert code in (128 + number, -number), said  # a shell calls both 128 + number
    if (folder / "run").exists():  # else it had not begun
        assert "nc-run resume" in said
        assert RunFolder(folder / "run").read_status().get("state") in ("interrupted", "completed"), said
        assert "Traceback" not in said


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_ends_the_run(tmp_path: Path, number: signal.Signals, moment: int, events: int) -> None:
    at = FIRST + moment * (events - FIRST) // MOMENTS
    code, said = short_run(tmp_path, AT=str(at), NUMBER=str(int(number)))
    ended_well(tmp_path, code, said, number)


@pytest.mark.parametrize("at", [20, 500, 1000])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_worker_imports_ends_the_run(tmp_path: Path, number: signal.Signals, at: int) -> None:
    code, said = short_run(tmp_path, AT=str(at), NUMBER=str(int(number)), WHO="worker")
    ended_well(tmp_path, code, said, number)
    assert "nc-run resume" in said


@pytest.mark.parametrize(("file", "begun"), [("/.hydra/", False), ("/nc-run.log", True), ("/provenance.json", True)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_around_the_first_files_leaves_no_folder_without_a_state(
    tmp_path: Path, number: signal.Signals, file: str, begun: bool
) -> None:
    code, said = short_run(tmp_path, FILE=f"run{file}", NUMBER=str(int(number)))
    ended_well(tmp_path, code, said, number)
    assert (tmp_path / "run").exists() is begun
