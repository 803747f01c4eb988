"""The command line as a person uses it: each mistake ends in one plain sentence and exit code 2, and writes nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Cli

from nc_runner.cli.commands import resume
from nc_runner.errors import UserError

MISTAKES = {
    "unknown experiment": (["experiment=nope"], ["experiment=nope", "bn_wd_sweep"]),
    "mistyped experiment": (["experiment=bn_wd_swep"], ["experiment=bn_wd_swep", "did you mean bn_wd_sweep?"]),
    "mistyped scale": (["experiment=bn_wd_sweep", "scale=quik"], ["scale=quik", "did you mean quick?"]),
    "mistyped choice": (["experiment=bn_wd_sweep", "model.norm=afine"], ["model.norm=afine", "did you mean affine"]),
    "mistyped command": (["plto", "x"], ["plto", "did you mean plot?"]),
    "experiment as a command": (["bn_wd_sweep"], ["nc-run experiment=bn_wd_sweep"]),
    "mistyped group": (["experiment=bn_wd_sweep", "scal=quick"], ["scal", "did you mean scale"]),
    "help of nothing": (["nope", "--help"], ["nope", "allowed are"]),
    "other kind of network": (
        ["experiment=linear_head_depth", "scale=smoke", "model=resnet20", "model.norm=affine", "data=digits"],
        ["experiment=linear_head_depth_resnet"],
    ),
    "list of something": (["list", "pan2023"], ["list: pan2023", "--json"]),
    "no experiment": (["scale=smoke"], ["experiment", "bn_wd_sweep"]),
    "unknown scale": (["experiment=bn_wd_sweep", "scale=huge"], ["scale=huge", "quick"]),
    "unknown key": (["experiment=bn_wd_sweep", "train.weigth_decay=1"], ["train.weigth_decay", "train.weight_decay"]),
    "unknown added key": (["experiment=bn_wd_sweep", "+train.colour=1"], ["train.colour"]),
    "negative weight decay": (
        ["experiment=bn_wd_sweep", "train.weight_decay=-0.1"],
        ["train.weight_decay=-0.1", "at least 0"],
    ),
    "batch of 0": (["experiment=bn_wd_sweep", "train.batch_size=0"], ["train.batch_size=0", "at least 1"]),
    "wrong type": (["experiment=bn_wd_sweep", "train.epochs=many"], ["train.epochs=many", "a whole number"]),
    "wrong choice": (
        ["experiment=bn_wd_sweep", "model.norm=sideways"],
        ["model.norm=sideways", "affine, plain, layer, none"],
    ),
    "no seeds": (["experiment=bn_wd_sweep", "seeds=[]"], ["seeds=[]", "list of distinct"]),
    "not key=value": (["experiment=bn_wd_sweep", "quick"], ["quick"]),
    "unknown word": (["xyz"], ["xyz", "list, plot, claims, measure, resume, cache, cite, new"]),
    "plot of nothing": (["plot"], ["plot", "folder"]),
    "plot of no folder": (["plot", "nowhere"], ["nowhere"]),
    "plot of no run": (["plot", "."], ["not a run folder"]),
    "resume of no run": (["resume", "."], ["not a run folder"]),
    "resume of two": (["resume", "a", "b"], ["resume", "one FOLDER"]),
    "cite of no experiment": (["cite", "nope"], ["nope", "bn_wd_sweep"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(cli: Cli, tmp_path: Path, mistake: str) -> None:
    words, mentioned = MISTAKES[mistake]
    done = cli(*words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in mentioned), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu(cli: Cli, tmp_path: Path) -> None:
    done = cli("experiment=bn_wd_sweep", "device=cuda")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "device=cuda" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_outputs_folder_that_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file stands where the folder should be")
    done = cli("experiment=bn_wd_sweep", "scale=smoke")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "cannot be written" in done.stderr


def test_full_error_shows_the_traceback(cli: Cli) -> None:
    done = cli("experiment=bn_wd_sweep", "seeds=[]", HYDRA_FULL_ERROR="1")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_plot_of_a_truncated_run(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(finished_run, broken)
    metrics = broken / "metrics.parquet"
    metrics.write_bytes(metrics.read_bytes()[:-100])
    done = cli("plot", "broken")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "metrics.parquet" in done.stderr


def test_resume_of_a_completed_run(cli: Cli, finished_run: Path) -> None:
    done = cli("resume", str(finished_run))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "completed" in done.stderr


def test_resume_names_the_keys_that_changed(cli: Cli, tmp_path: Path, finished_run: Path) -> None:
    edited = tmp_path / "edited"
    shutil.copytree(finished_run, edited)
    (edited / "status.json").write_text(json.dumps({"state": "interrupted"}))
    config = edited / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("momentum: 0.9", "momentum: 0.8"))
    done = cli("resume", "edited")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "train.momentum (was 0.9, is 0.8)" in done.stderr


def interrupted(finished_run: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The copy of a run that was stopped, and its provenance."""
    begun = tmp_path / "begun"
    shutil.copytree(finished_run, begun)
    (begun / "status.json").write_text(json.dumps({"state": "interrupted"}))
    return begun, json.loads((begun / "provenance.json").read_text())


def test_resume_takes_a_run_of_a_version_with_fewer_keys(
    tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not there then had the default of now."""
    begun, provenance = interrupted(finished_run, tmp_path)
    del provenance["config"]["train.optimizer"]
    (begun / "provenance.json").write_text(json.dumps(provenance))
    monkeypatch.setattr("nc_runner.run.run.run", lambda plan, folder: 7)
    assert resume([str(begun)]) == 7
    provenance["config"]["train.optimizer"] = "adam"
    (begun / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(UserError, match=r"train\.optimizer \(was adam, is sgd\)"):
        resume([str(begun)])


def test_resume_refuses_checkpoints_of_other_stacks(
    tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU trains all trials of a kind together, a CPU a few: their checkpoints are of other tensors."""
    begun, provenance = interrupted(finished_run, tmp_path)
    (begun / "provenance.json").write_text(json.dumps({**provenance, "device": "a GPU"}))
    monkeypatch.setattr("nc_runner.run.run.run", lambda plan, folder: 7)
    assert resume([str(begun)]) == 7  # these small stacks are the same on both
    monkeypatch.setattr("nc_runner.config.stacks.CPU_STACK_CHANNELS", 1)
    with pytest.raises(UserError, match="was begun with device=cuda, where other trials train together"):
        resume([str(begun)])


def test_resume_says_where_the_machine_differs() -> None:
    import torch

    from nc_runner.record.provenance import elsewhere, processor_name

    cpu = torch.device("cpu")
    same = {"device": "cpu", "processor": processor_name(), "versions": {"torch": torch.__version__}}
    assert elsewhere(same, cpu) == []
    assert elsewhere({**same, "device": "a GPU"}, cpu) == ["device was a GPU and is cpu"]


def test_hydra_shows_the_job_s_config(cli: Cli) -> None:
    done = cli("experiment=bn_wd_sweep", "scale=quick", "--cfg", "job", "--resolve")
    assert done.returncode == 0, done.stderr
    assert "samples: 2000" in done.stdout


def test_import_is_light(cli: Cli) -> None:
    """Help answers without torch: nobody waits seconds to read how a command is called."""
    import subprocess
    import sys

    code = "import sys, nc_runner, nc_runner.cli.main, nc_runner.cli.commands; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
