"""Whose folder is whose: what has finished stays as it was, whatever comes after; data are known by their content."""

import json
import os
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import Cli
from PIL import Image

IMAGES = (
    "experiment=linear_head_depth", "scale=smoke", "jobs=1", "data=images", "data.classes=3", "data.per_class=6",
    "train.epochs=1", "grid={train.weight_decay:[1e-3]}", "model.depth=6", "model.linear_layers=1",
)  # fmt: skip
QUICK = ("scale=smoke", "jobs=1", "model.norm=none", "grid={train.weight_decay:[1e-3]}", "train.epochs=1")
BN = ("experiment=bn_wd_sweep", *QUICK)


def pictures(folder: Path, offset: int = 0) -> Path:
    for k in range(3):
        (folder / f"class {k}").mkdir(parents=True)
        for i in range(6):
            Image.new("L", (6, 6), 40 * k + 5 * i + offset).save(folder / f"class {k}" / f"{i}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_sets_of_one_name_are_two(cli: Cli, tmp_path: Path) -> None:
    for name, offset in (("A", 0), ("B", 3)):
        pictures(tmp_path / name / "pics", offset)
        (tmp_path / name / "pics" / "class 0" / "0.png").unlink()
        Image.new("L", (6, 6), 99 + offset * 20).save(tmp_path / name / "pics" / "class 0" / "0.png")
        assert cli(*IMAGES, f"data.path={name}/pics", f"hydra.run.dir=run{name}").returncode == 0
    refused = cli("plot", "runA", "runB")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "by=data.path" in refused.stderr
    assert not (tmp_path / "outputs").exists()
    assert cli("plot", "runA", "runB", "by=data.path").returncode == 0
    (merged,) = (tmp_path / "outputs" / "linear_head_depth").iterdir()
    trials = pd.read_csv(merged / "trials.csv")
    assert len(trials) == trials["id"].nunique() == 2
    config = (tmp_path / "runA" / ".hydra" / "config.yaml").read_text()
    assert f"path: {tmp_path}/A/pics" in config


def test_resume_refuses_other_data(cli: Cli, tmp_path: Path) -> None:
    pictures(tmp_path / "pics")
    assert cli(*IMAGES, "data.path=pics", "hydra.run.dir=run").returncode == 0
    (tmp_path / "run" / "status.json").write_text(json.dumps({"state": "interrupted"}))
    Image.new("L", (6, 6), 250).save(tmp_path / "pics" / "class 1" / "2.png")
    done = cli("resume", "run")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "its data are not those it was started with" in done.stderr


def test_a_folder_that_is_not_there_is_no_cache_s(cli: Cli, tmp_path: Path) -> None:
    pictures(tmp_path / "pics")
    assert cli(*IMAGES, "data.path=pics", "hydra.run.dir=run").returncode == 0
    shutil.rmtree(tmp_path / "pics")
    done = cli(*IMAGES, "data.path=pics")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "there is no such folder" in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_bad_data_set_leaves_a_finished_run_as_it_was(cli: Cli, tmp_path: Path) -> None:
    pictures(tmp_path / "pics")
    assert cli(*IMAGES, "data.path=pics", "hydra.run.dir=run").returncode == 0
    before = contents(tmp_path / "run")
    bad = tmp_path / "pics" / "class 1" / "2.png"
    bad.write_bytes(bad.read_bytes()[:40])
    done = cli(*IMAGES, "data.path=pics", "hydra.run.dir=run")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "2.png" in done.stderr
    assert contents(tmp_path / "run") == before
    assert not (tmp_path / "run_2").exists()


def test_a_fault_of_the_program_leaves_a_finished_run_as_it_was(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    """Whatever is raised before a folder is claimed, Hydra goes on to write nothing."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    before = contents(run)
    (tmp_path / "broken").mkdir()
    hook = "import nc_runner.run.plan as p\ndef fault(*_):\n    raise RuntimeError('a fault')\np.make_plan = fault\n"
    (tmp_path / "broken" / "sitecustomize.py").write_text(hook)
    done = cli(*BN, "hydra.run.dir=run", PYTHONPATH=os.pathsep.join([str(tmp_path / "broken"), *sys.path]))
    assert done.returncode == 1
    assert "RuntimeError: a fault" in done.stderr
    assert contents(run) == before


@pytest.mark.parametrize("folder", [".", "..", "/"])
@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir"])
def test_the_current_folder_is_refused(cli: Cli, tmp_path: Path, folder: str, key: str) -> None:
    done = cli(*(["-m"] if "sweep" in key else []), *BN, f"{key}={folder}")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert f"{key}={folder}" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("subdir", ["null", "elsewhere"])
def test_hydra_s_own_folder_may_be_anything(cli: Cli, tmp_path: Path, subdir: str) -> None:
    assert cli(*BN, f"hydra.output_subdir={subdir}", "hydra.run.dir=run").returncode == 0
    assert (tmp_path / "run" / ".hydra" / "config.yaml").exists()
    assert (tmp_path / "run" / "figures" / "figure_3_1.png").exists()


def test_two_jobs_with_one_folder_are_both_kept(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *BN, "seeds=[3],[4]", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=same/deep")
    assert done.returncode == 0, done.stderr
    trials = pd.read_csv(tmp_path / "sweep" / "trials.csv")
    assert sorted(trials["seed"]) == [3, 4]
    assert {p.name for p in (tmp_path / "sweep" / "same").iterdir()} == {"deep", "deep_2"}


def test_each_experiment_of_a_multirun_is_merged_by_itself(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", "experiment=conic_hull,bn_wd_sweep", "scale=smoke", "jobs=1", "train.weight_decay=1e-3")
    assert done.returncode == 0, done.stderr
    (sweep,) = (tmp_path / "outputs" / "multirun").iterdir()
    for name, figure in (("conic_hull", "figure_3_2"), ("bn_wd_sweep", "figure_3_1")):
        assert (sweep / f"{name}_merged" / "figures" / f"{figure}.png").exists()
    assert not (tmp_path / "outputs" / "None").exists()


def test_a_state_without_a_process_is_not_running(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    (tmp_path / "sweep").mkdir()
    shutil.copytree(finished_run, tmp_path / "sweep" / "0")
    (tmp_path / "sweep" / "0" / "status.json").write_text(json.dumps({"state": "running"}))
    done = cli("plot", "sweep")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "none of its 1 runs is completed" in done.stderr
