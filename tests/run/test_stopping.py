"""Requests to stop: one ends a run and what is around it, whenever it comes; a worker's death is told as that."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import saved_step, wait_until

from nc_runner.run.stopping import REQUESTS, Requests, Stopped, requests_to_stop

LONG = ("experiment=bn_wd_sweep", "scale=smoke", "train.epochs=100000", "checkpoint.every_seconds=0.1")


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nc_runner", *words]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def state(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "status.json").read_text())
    return content


@pytest.mark.parametrize("number", REQUESTS)
def test_a_request_raises_but_where_it_is_noted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with requests_to_stop() as requests:
        with pytest.raises(Stopped) as stopped, requests.noted():  # noqa: PT012 (where it is raised is what is tested)
            os.kill(os.getpid(), number)
            assert requests.first == number  # noted, and nothing raised here
        assert (stopped.value.name, stopped.value.exit_code) == (number.name, 128 + number)
        with pytest.raises(Stopped):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_second_request_does_not_wait() -> None:
    requests = Requests()
    with pytest.raises(Stopped) as stopped, requests.noted():  # noqa: PT012 (where it is raised is what is tested)
        requests.receive(signal.SIGTERM)
        requests.receive(signal.SIGINT)
        pytest.fail("the second request was only noted")
    assert stopped.value.number == signal.SIGTERM


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", REQUESTS)
def test_a_signal_to_the_whole_group_saves_and_exits(tmp_path: Path, number: signal.Signals, jobs: int) -> None:
    """As a terminal and a scheduler send it: workers get it too, and must leave it to the parent."""
    run, folder = start(*LONG, f"jobs={jobs}", "hydra.run.dir=run", cwd=tmp_path), tmp_path / "run"
    wait_until(lambda: saved_step(folder) > 0, run)
    os.killpg(run.pid, number)
    said, _ = run.communicate()
    assert run.returncode == 128 + number, said
    assert "nc-run resume" in said
    assert "Traceback" not in said
    assert (state(folder)["state"], state(folder)["reason"]) == ("interrupted", number.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["provenance.json", "status.json"])
def test_a_signal_while_workers_start_ends_the_run(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    run, folder = start(*LONG, "jobs=2", "hydra.run.dir=run", cwd=tmp_path), tmp_path / "run"
    wait_until((folder / moment).exists, run)
    os.killpg(run.pid, number)
    said, _ = run.communicate()
    assert run.returncode == 128 + number, said
    assert state(folder)["state"] == "interrupted"


def test_a_request_that_came_before_the_run_is_heeded() -> None:
    with requests_to_stop() as early:
        early.first = signal.SIGTERM  # its exception was lost, as in a destructor
        with requests_to_stop() as requests, pytest.raises(Stopped):
            requests.heed()
    with requests_to_stop() as later:
        assert later.first is None


def test_a_worker_that_is_killed_fails_its_stack_by_name_and_no_other(tmp_path: Path) -> None:
    words = ("experiment=bn_wd_sweep", "scale=smoke", "train.epochs=300", "model.norm=none", "jobs=2")
    grid = "grid={train.weight_decay:[1e-3]}"
    run, folder = start(*words, "seeds=3", "model.width=200", grid, "hydra.run.dir=run", cwd=tmp_path), tmp_path / "run"
    wait_until(lambda: bool(workers(run.pid)), run)
    os.kill(workers(run.pid)[0], signal.SIGKILL)
    said, _ = run.communicate()
    assert run.returncode == 1, said
    reason = str(state(folder)["reason"])
    assert state(folder)["state"] == "failed"
    assert "its worker process died by SIGKILL (perhaps for want of memory: try jobs=1)" in reason
    assert "weight_decay=0.001 seed=" in reason
    assert state(folder)["trials_done"] == 2
    resumed = start("resume", "run", cwd=tmp_path)
    said, _ = resumed.communicate()
    assert resumed.returncode == 0, said
    assert state(folder)["state"] == "completed"


def workers(parent: int) -> list[int]:
    """The processes of ``spawn_main`` whose parent this is."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (process / "stat").read_text(), (process / "cmdline").read_text()
        except OSError:
            continue
        if "spawn_main" in command and int(status.rpartition(")")[2].split()[1]) == parent:
            found.append(int(process.name))
    return found


def test_a_request_stops_the_whole_sweep(tmp_path: Path) -> None:
    run = start("-m", *LONG, "jobs=1", "seeds=1,2,3", "hydra.sweep.dir=sweep", cwd=tmp_path)
    wait_until(lambda: saved_step(tmp_path / "sweep" / "0") > 0, run)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate()
    assert run.returncode == 130, said
    assert state(tmp_path / "sweep" / "0")["state"] == "interrupted"
    assert not (tmp_path / "sweep" / "1").exists()
    assert "nc-run resume" in said
