"""Run folders read back, those of older versions too."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nc_runner.errors import UserError
from nc_runner.experiments.base import Results
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


def changed_copy(run: Path, to: Path, rate: float | None = None) -> RunFolder:
    """A copy of a finished run, of another step size where one is given: the ids of its trials are others then."""
    folder = RunFolder(shutil.copytree(run, to))
    if rate is not None:
        config = to / ".hydra" / "config.yaml"
        text = config.read_text()
        assert "learning_rate: " in text
        config.write_text(re.sub(r"learning_rate: .*", f"learning_rate: {rate}", text))
        trials, metrics = folder.read_trials(), folder.read_metrics()
        folder.write_trials(trials.assign(id=trials["id"] + str(rate)))
        folder.write_metrics(metrics.assign(trial=metrics["trial"] + str(rate)))
    return folder


def counted(results: Results) -> int:
    """How many values there are; none of them twice, and all of trials that are there."""
    assert not results.trials["id"].duplicated().any()
    assert not results.metrics.duplicated(["trial", "epoch", "layer", "metric"]).any()
    assert set(results.metrics["trial"]) == set(results.trials["id"])
    return len(results.metrics)


def test_a_trial_in_several_folders_counts_once(tmp_path: Path, finished_run: Path) -> None:
    whole, copy = RunFolder(finished_run), changed_copy(finished_run, tmp_path / "copy")
    metrics = copy.read_metrics()
    copy.write_metrics(metrics.assign(value=-1.0))
    together = read_results([whole, copy, whole])
    assert counted(together) == len(whole.read_metrics())
    pd.testing.assert_frame_equal(together.metrics, whole.read_metrics())  # the first folder's
    pd.testing.assert_frame_equal(together.trials, whole.read_trials())


def test_of_two_of_one_trial_the_finished_one_counts(tmp_path: Path, finished_run: Path) -> None:
    """As of a run that was interrupted, and the same command once more."""
    whole, early = RunFolder(finished_run), changed_copy(finished_run, tmp_path / "early")
    trials, metrics = early.read_trials(), early.read_metrics()
    late = trials["id"].iloc[::2]
    early.write_trials(trials.assign(status=trials["status"].mask(trials["id"].isin(late), "unfinished")))
    early.write_metrics(metrics[~metrics["trial"].isin(late) | (metrics["epoch"] == 1)])
    for folders in ([early, whole], [whole, early]):
        together = read_results(folders)
        assert counted(together) == len(metrics)
        assert "unfinished" not in set(together.trials["status"])


def test_runs_that_differ_in_a_key_are_told_apart_by_its_column(tmp_path: Path, finished_run: Path) -> None:
    first = RunFolder(finished_run)
    rates = [read_config(first).train.learning_rate, 0.25, 0.5]
    folders = [first, *(changed_copy(finished_run, tmp_path / str(rate), rate) for rate in rates[1:])]
    # The ends agree, so that comparing those alone would find no difference.
    folders.append(changed_copy(finished_run, tmp_path / "last"))
    together = read_results(folders)
    assert together.trials["train.learning_rate"].tolist() == [rate for rate in rates for _ in range(24)]
    assert counted(together) == 3 * len(first.read_metrics())


def test_two_data_sets_under_the_same_ids_are_refused(tmp_path: Path, finished_run: Path) -> None:
    """As versions before 0.2 wrote them, which took a folder's name for its content."""
    other = changed_copy(finished_run, tmp_path / "other")
    known = other.read_json("provenance.json")
    assert known["data_sha256"]
    other.write_json("provenance.json", known | {"data_sha256": dict.fromkeys(known["data_sha256"], "f00")})
    with pytest.raises(UserError, match="have the same trials of other data"):
        read_results([RunFolder(finished_run), other])
