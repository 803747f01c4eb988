"""Whole runs at the smoke scale: what is in the folder, plot again, merge, multirun, interrupt."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import Cli, saved_step, wait_until
from safetensors.torch import load_file

from nc_runner.record.folder import RunFolder
from nc_runner.run.run import telling

SMOKE = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=1")


def test_the_folder_has_everything(finished_run: Path) -> None:
    status = json.loads((finished_run / "status.json").read_text())
    assert (status["state"], status["trials"], status["trials_done"]) == ("completed", 24, 24)
    assert status["seconds"] > 0
    assert status["killed"] is False
    provenance = json.loads((finished_run / "provenance.json").read_text())
    assert {"git", "versions", "device", "threads_per_worker", "seeds", "argv", "started", "data_sha256"} <= set(
        provenance
    )
    trials = pd.read_csv(finished_run / "trials.csv", keep_default_na=False)
    assert len(trials) == 24
    assert {"id", "status", "seed", "model.norm", "train.weight_decay", "loss", "accuracy"} <= set(trials.columns)
    metrics = pd.read_parquet(finished_run / "metrics.parquet")
    assert list(metrics.columns) == ["trial", "epoch", "layer", "metric", "value"]
    assert set(metrics["trial"]) == set(trials["id"])
    claims = json.loads((finished_run / "claims.json").read_text())
    told = {"id", "paper", "kind", "short", "statement", "source", "expected", "measured", "number", "needs", "verdict"}
    assert all(set(c) == told for c in claims)
    assert {c["verdict"] for c in claims} <= {"reproduced", "not reproduced", "undecided"}
    for name in ("figure_3_1", "figure_3_1_centred", "layer_peeled_optimum"):
        assert (finished_run / "figures" / f"{name}.png").stat().st_size > 10_000
        assert (finished_run / "figures" / f"{name}.pdf").read_bytes()[:4] == b"%PDF"
    assert {p.stem for p in (finished_run / "weights").iterdir()} == set(trials["id"])
    assert not (finished_run / "checkpoints").exists()
    assert (finished_run / "nc-run.log").stat().st_size > 0
    assert (finished_run / ".hydra" / "overrides.yaml").exists()
    assert not list(finished_run.rglob("*.tmp*"))


def test_the_same_command_gives_the_same_bits_in_workers(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    done = cli(*SMOKE[:2], "jobs=2", "save.features=true", "hydra.run.dir=again")
    assert done.returncode == 0, done.stderr
    for name in ("metrics.parquet", "trials.csv", "claims.json"):
        assert (tmp_path / "again" / name).read_bytes() == (finished_run / name).read_bytes()
    for path in (finished_run / "weights").iterdir():
        first, again = load_file(path), load_file(tmp_path / "again" / "weights" / path.name)
        assert all(first[name].equal(again[name]) for name in first)
        assert again["features.5"].shape == (400, 32)
        assert again["labels"].shape == (400,)


def test_plot_draws_the_same_again_without_training(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    for path in [*(copy / "figures").iterdir(), copy / "claims.json"]:
        path.unlink()
    shutil.rmtree(copy / "weights")
    done = cli("plot", "copy")
    assert done.returncode == 0, done.stderr
    for path in (finished_run / "figures").iterdir():
        assert (copy / "figures" / path.name).read_bytes() == path.read_bytes()
    assert (copy / "claims.json").read_bytes() == (finished_run / "claims.json").read_bytes()
    assert not (copy / "weights").exists()


def test_plot_merges_folders(cli: Cli, tmp_path: Path) -> None:
    for seed in (0, 1):
        done = cli(*SMOKE, f"seeds=[{seed}]", "model.norm=affine", f"hydra.run.dir=run{seed}")
        assert done.returncode == 0, done.stderr
    done = cli("plot", "run0", "run1", "run1")
    assert done.returncode == 0, done.stderr
    (merged,) = (tmp_path / "outputs" / "bn_wd_sweep").iterdir()
    trials = pd.read_csv(merged / "trials.csv")
    assert len(trials) == 16  # a folder named twice counts once
    metrics = pd.read_parquet(merged / "metrics.parquet")
    assert not metrics.duplicated(["trial", "epoch", "layer", "metric"]).any()
    assert len(metrics) == sum(len(pd.read_parquet(tmp_path / f"run{seed}" / "metrics.parquet")) for seed in (0, 1))
    assert set(trials["seed"]) == {0, 1}
    assert (merged / "figures" / "figure_3_1.png").exists()
    assert cli("plot", str(merged)).returncode == 0


def test_two_runs_started_in_the_same_second_get_two_folders(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nc_runner",
        *SMOKE,
        "model.norm=none",
        "train.weight_decay=0",
        "hydra.run.dir=same",
    ]
    runs = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["same", "same_2"]
    assert all((p / "claims.json").exists() for p in tmp_path.iterdir())


def test_a_multirun_with_a_failing_job_plots_the_rest_and_names_it(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *SMOKE, "model.norm=affine", "train.weight_decay=1e-3,-1,1e-2", "hydra.sweep.dir=sweep")
    assert done.returncode != 0
    assert "job 1 failed: train.weight_decay=-1" in done.stderr
    trials = pd.read_csv(tmp_path / "sweep" / "trials.csv")
    assert sorted(trials["train.weight_decay"]) == [1e-3, 1e-2]
    assert (tmp_path / "sweep" / "figures" / "figure_3_1.png").exists()
    assert cli("plot", "sweep").returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_signal_saves_and_exits(tmp_path: Path, number: signal.Signals, code: int, jobs: int) -> None:
    command = [
        sys.executable,
        "-m",
        "nc_runner",
        *SMOKE[:2],
        f"jobs={jobs}",
        "train.epochs=100000",
        "checkpoint.every_seconds=0.1",
        "hydra.run.dir=run",
    ]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    folder = tmp_path / "run"
    wait_until(lambda: saved_step(folder) > 0, run)
    run.send_signal(number)
    said, _ = run.communicate()
    assert run.returncode == code
    assert "nc-run resume" in said
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
    assert saved_step(folder) > 0


def test_seconds_are_those_of_its_parts_without_the_pause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 103.0, 107.0, 5000.0, 5003.0, 6000.0, 6001.0, 7000.0, 7002.0])
    monkeypatch.setattr("nc_runner.run.run.time.monotonic", lambda: next(clock))
    folder = RunFolder(tmp_path)

    def told(*states: str) -> tuple[float, bool]:
        tell = telling(folder)
        for state in states:
            tell(state=state)
        status = folder.read_status()
        return status["seconds"], status["killed"]

    assert told("running", "interrupted") == (7.0, False)
    assert told("running") == (10.0, False)
    assert told("failed") == (11.0, True)  # the part before was killed, after it had told of 3 seconds
    assert told("completed") == (13.0, True)
