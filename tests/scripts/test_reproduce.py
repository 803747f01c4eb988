"""scripts/reproduce on rows of a second or two, in a checkout under tmp that has a README alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import reproduce
from conftest import saved_step, wait_until
from PIL import Image
from results import write_result
from rows import ROWS, experiment_of, name_of, words_of

from nc_runner.cli.mistakes import compose
from nc_runner.config.compose import check_scale, experiment_names
from nc_runner.config.trials import make_trials
from nc_runner.record.folder import RunFolder
from nc_runner.run.results import read_config

ROW = "conic_hull scale=smoke"
LONG = (
    "bn_wd_sweep scale=smoke model.norm=none train.weight_decay=1e-3 train.epochs=1500 probes=5 "
    "checkpoint.every_seconds=0.1"
)


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("<!-- experiments -->\n<!-- end -->\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def result(top: Path, row: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((top / "docs" / "results" / f"{name_of(row)}.json").read_text())
    return content


def test_every_experiment_has_a_row_and_every_row_composes() -> None:
    assert {experiment_of(row) for row in ROWS} == set(experiment_names())
    assert len({name_of(row) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        config = compose(words_of(row))
        check_scale(config)
        assert config.scale.name in ("paper", "cpu")
        assert make_trials(config)


def test_a_row_is_run_once_and_judged_again(top: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert reproduce.main(["conic_hull", "jobs=1"], (ROW, LONG), top) == 0
    run = RunFolder(top / "outputs" / "reproduce" / "conic_hull")
    found = result(top, ROW)
    assert found["claims"] == run.read_json("claims.json") != []
    assert found["command"] == "nc-run experiment=conic_hull scale=smoke"
    assert found["seconds"] == run.read_status()["seconds"]
    assert found["workers"] == 1
    assert sum(found["trials"].values()) == len(run.read_trials())
    assert not {"argv", "platform"} & set(found)
    assert str(top) not in json.dumps(found)
    (figure,) = found["figures"]
    assert "samples" in figure["caption"]
    assert len(figure["notes"]) > 1
    assert (top / "docs" / "figures" / figure["file"]).stat().st_size < 300_000
    readme, gallery = (top / "README.md").read_text(), (top / "docs" / "gallery.md").read_text()
    assert "| `conic_hull` | pan2023 |" in readme
    assert readme.count("not run yet") == 1
    assert f"figures/{figure['file']}" in gallery

    def times() -> list[int]:
        return [(run.path / name).stat().st_mtime_ns for name in ("provenance.json", "metrics.parquet", "status.json")]

    before = times()
    (run.path / "claims.json").write_text("[]")
    shutil.rmtree(top / "docs")
    (top / "docs").mkdir()
    assert reproduce.main(["conic_hull"], (ROW, LONG), top) == 0
    assert times() == before
    assert result(top, ROW) == found
    assert "conic_hull: is complete" in capfd.readouterr().out


def test_stopped_it_saves_and_goes_on(top: Path) -> None:
    command = f"import reproduce, sys; from pathlib import Path; sys.exit(reproduce.main([], {(ROW, LONG)}, Path()))"
    path = os.pathsep.join(sys.path)
    child = subprocess.Popen([sys.executable, "-c", command], env={**os.environ, "PYTHONPATH": path}, cwd=top)
    run = RunFolder(top / "outputs" / "reproduce" / name_of(LONG))
    wait_until(lambda: saved_step(run.path) > 0, child)
    child.send_signal(signal.SIGTERM)
    assert child.wait() == 143
    assert (run.state(), run.read_status()["reason"]) == ("interrupted", "SIGTERM")
    assert result(top, ROW)["trials"]
    assert not (top / "docs" / "results" / f"{name_of(LONG)}.json").exists()
    seconds = run.read_status()["seconds"]
    assert reproduce.main([], (ROW, LONG), top) == 0
    assert run.state() == "completed"
    assert result(top, LONG)["seconds"] > seconds
    assert not (run.path.parent / f"{run.path.name}_2").exists()


def test_what_cannot_be_run_is_said_and_the_others_go_on(
    top: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NC_DATA_ROOT", str(top))
    shutil.copytree(finished_run, top / "outputs" / "reproduce" / "bn_wd_sweep")
    rows = ("bn_wd_sweep scale=quick", "linear_head_mlp scale=smoke", ROW)
    assert reproduce.main([], rows, top) == 1
    said = capfd.readouterr()
    assert "1 of 3 complete" in said.out
    assert "bn_wd_sweep: outputs/reproduce/bn_wd_sweep is of another command, nc-run experiment=bn_wd_sweep" in said.err
    assert "move it away" in said.err
    assert "mnist" in said.err
    assert "linear_head_mlp: nc-run ended with exit code 2" in said.err
    assert not (top / "outputs" / "reproduce" / "linear_head_mlp").exists()
    assert result(top, ROW)["claims"]


def test_a_folder_is_the_row_s_where_command_and_config_are(finished_run: Path, tmp_path: Path) -> None:
    row = "bn_wd_sweep scale=smoke"
    assert reproduce.other_than(RunFolder(finished_run), row) == ""
    assert "is of another command" in reproduce.other_than(RunFolder(finished_run), "bn_wd_sweep scale=quick")
    assert reproduce.other_than(RunFolder(tmp_path), row) == "is no run folder"
    shutil.copytree(finished_run, tmp_path / "run")
    config = tmp_path / "run" / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("momentum: 0.9", "momentum: 0.8"))
    said = "is of another config (train.momentum was 0.8, is 0.9)"
    assert reproduce.other_than(RunFolder(tmp_path / "run"), row) == said


def test_figures_that_are_no_longer_drawn_are_removed(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    run, figures = RunFolder(tmp_path / "run"), tmp_path / "figures"
    Image.new("L", (4, 4)).save(run.path / "figures" / "movie.gif")
    Image.effect_noise((1500, 1500), 90).save(run.path / "figures" / "noise.png")
    write_result(run, "bn_wd_sweep scale=smoke", tmp_path)
    assert (figures / "bn_wd_sweep_movie.gif").read_bytes() == (run.path / "figures" / "movie.gif").read_bytes()
    assert len(Image.open(figures / "bn_wd_sweep_noise.png").getcolors()) == 16  # of 256 that would be too large
    assert len(Image.open(figures / "bn_wd_sweep_figure_3_1.png").getcolors()) > 64
    (figures / "bn_wd_converged_mine.png").touch()
    for name in ("movie.gif", "noise.png"):
        (run.path / "figures" / name).unlink()
    write_result(run, "bn_wd_sweep scale=smoke", tmp_path)
    kept = {f"bn_wd_sweep_{path.name}" for path in (run.path / "figures").glob("*.png")}
    assert {path.name for path in figures.iterdir()} == kept | {"bn_wd_converged_mine.png"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("conic_hul", "conic_hul: is no experiment of the table; did you mean conic_hull?"),
        ("train.epochs=3", "train.epochs=3: would change what is run; allowed are jobs=, device="),
    ],
)
def test_other_words_are_refused_in_one_sentence(
    top: Path, capfd: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    assert reproduce.main(["conic_hull", word], (ROW, LONG), top) == 2
    err = capfd.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (top / "outputs").exists()


def test_a_second_one_waits_for_no_one(top: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runs = top / "outputs" / "reproduce"
    runs.mkdir(parents=True)
    with RunFolder(runs).locked():
        assert reproduce.main([], (ROW,), top) == 2
    assert "is at work in this folder" in capfd.readouterr().err


def test_documents_alone_are_made_without_a_run(top: Path, finished_run: Path) -> None:
    row = "bn_wd_sweep scale=smoke"
    assert reproduce.main(["--documents"], (row,), top) == 2
    write_result(RunFolder(finished_run), row, top / "docs")
    assert reproduce.main(["--documents"], (row,), top) == 0
    assert "## bn_wd_sweep" in (top / "docs" / "gallery.md").read_text()
    assert not (top / "outputs").exists()


def test_quick_runs_are_held_to_what_the_scale_promises(
    top: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = ("conic_hull", "conic_hull data.samples=5", LONG)
    assert f"at most {reproduce.QUICK} seconds" in compose(["experiment=conic_hull", "scale=quick"]).scale.promise
    assert reproduce.main(["--quick", "conic_hull", "jobs=1"], rows, top) == 0
    run = RunFolder(top / "outputs" / "quick" / "conic_hull")
    assert read_config(run).scale.name == "quick"
    assert not (top / "docs" / "results").exists()
    monkeypatch.setattr(reproduce, "QUICK", 0.999 * run.read_status()["seconds"])
    assert reproduce.main(["conic_hull", "--quick"], rows, top) == 1
    assert "conic_hull: scale=quick took" in capfd.readouterr().err
    monkeypatch.setattr(reproduce, "QUICK", 1.001 * run.read_status()["seconds"])
    assert reproduce.main(["conic_hull", "--quick"], rows, top) == 0
