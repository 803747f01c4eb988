"""Run folders read back, those of older versions too."""

import json
import shutil
from pathlib import Path

import pytest

from nc_runner.errors import UserError
from nc_runner.record.folder import RunFolder
from nc_runner.run.results import read_config, read_overrides, read_results


def test_config_and_overrides_are_what_was_run(finished_run: Path) -> None:
    config = read_config(RunFolder(finished_run))
    assert (config.experiment, config.scale.name, config.train.epochs) == ("bn_wd_sweep", "smoke", 3)
    assert read_overrides(RunFolder(finished_run)) == ["experiment=bn_wd_sweep", "scale=smoke", "jobs=1"]


def test_a_run_of_an_old_version_is_read_by_its_provenance(tmp_path: Path, finished_run: Path) -> None:
    """Before 0.2 the saved config held ``${at_scale:...}``, which nothing resolves any more."""
    old = RunFolder(tmp_path / "old")
    shutil.copytree(finished_run, old.path)
    saved = old.path / ".hydra" / "config.yaml"
    saved.write_text(saved.read_text().replace("epochs: 3\n", "epochs: ${at_scale:{paper:300,smoke:3}}\n"))
    assert "at_scale" in saved.read_text()
    assert read_config(old) == read_config(RunFolder(finished_run))
    assert len(read_results([old]).trials) == 24


def test_an_unreadable_config_is_named(tmp_path: Path, finished_run: Path) -> None:
    broken = RunFolder(tmp_path / "broken")
    shutil.copytree(finished_run, broken.path)
    (broken.path / ".hydra" / "config.yaml").write_text("train: [")
    with pytest.raises(UserError, match=r"config\.yaml: cannot be read"):
        read_config(broken)
    with pytest.raises(UserError, match=r"is not a run folder"):
        read_config(RunFolder(tmp_path))


def test_runs_of_two_experiments_are_not_put_together(tmp_path: Path, finished_run: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished_run, other)
    config = other / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("experiment: bn_wd_sweep", "experiment: conic_hull"))
    assert json.loads((other / "status.json").read_text())["state"] == "completed"
    with pytest.raises(UserError, match=r"different experiments \(bn_wd_sweep, conic_hull\)"):
        read_results([RunFolder(finished_run), RunFolder(other)])
