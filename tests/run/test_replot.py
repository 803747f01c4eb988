"""Which folders a plot takes, and what becomes of a sweep some jobs of which have not ended well."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from nc_runner.errors import UserError
from nc_runner.record.folder import RunFolder
from nc_runner.run import replot
from nc_runner.run.replot import merge_multirun, plot, put_together, run_folders


def job(run: Path, to: Path, state: str = "completed") -> Path:
    """A copy of a finished run as a job of a sweep."""
    shutil.copytree(run, to)
    (to / "status.json").write_text(json.dumps({"state": state, "reason": "SIGTERM"}))
    return to


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """What would be drawn: the folder, and the number of its trials."""
    asked: list[tuple[Path, int]] = []
    monkeypatch.setattr(
        "nc_runner.run.judge.draw_and_judge",
        lambda folder, results, *_: asked.append((folder.path, len(results.trials))),
    )
    return asked


def test_a_sweep_with_jobs_that_did_not_end_draws_the_others_names_these_and_fails(
    tmp_path: Path, finished_run: Path, drawn: list[tuple[Path, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    job(finished_run, tmp_path / "0")
    job(finished_run, tmp_path / "deep" / "1")
    job(finished_run, tmp_path / "2", "interrupted")
    assert [f.path.name for f in replot.jobs_of(tmp_path)] == ["0", "2", "1"]
    assert run_folders(tmp_path) == [tmp_path / "0", tmp_path / "deep" / "1"]
    assert merge_multirun(tmp_path) == 1
    assert drawn == [(tmp_path, 24)]
    said = capsys.readouterr().err
    assert f"job 2 interrupted: SIGTERM; nc-run resume {tmp_path / '2'} goes on with it." in said
    assert "job 0" not in said


def test_a_sweep_whose_jobs_all_ended_well_is_no_failure(tmp_path: Path, finished_run: Path) -> None:
    job(finished_run, tmp_path / "0")
    assert merge_multirun(tmp_path) == 0


def test_a_run_of_which_no_trial_has_finished_is_refused_and_made_nothing_of(
    tmp_path: Path, finished_run: Path, drawn: list[tuple[Path, int]]
) -> None:
    early = RunFolder(job(finished_run, tmp_path / "early"))
    early.write_trials(early.read_trials().assign(status="unfinished"))
    for where in (early, tmp_path / "merged"):
        with pytest.raises(UserError, match="none of its trials has finished; nc-run resume goes on with it"):
            put_together([early], where)
    assert drawn == []
    assert not (tmp_path / "merged").exists()


def test_a_merged_folder_has_the_tables_and_its_sources_and_is_drawn_again_from_them(
    tmp_path: Path, finished_run: Path, drawn: list[tuple[Path, int]]
) -> None:
    first, second = RunFolder(finished_run), RunFolder(job(finished_run, tmp_path / "second"))
    trials, metrics = second.read_trials(), second.read_metrics()
    second.write_trials(trials.assign(id=trials["id"] + "x", seed=7))
    second.write_metrics(metrics.assign(trial=metrics["trial"] + "x"))
    put_together([first, second], tmp_path / "merged")
    merged = RunFolder(tmp_path / "merged")
    assert drawn == [(merged.path, 48)]
    assert merged.state() == "merged"
    pd.testing.assert_frame_equal(merged.read_metrics(), pd.concat([metrics, second.read_metrics()], ignore_index=True))
    assert merged.read_trials()["seed"].tolist() == [*trials["seed"], *[7] * 24]
    assert run_folders(merged.path) == [first.path, second.path]
    assert plot([str(merged.path)]) == 0
    assert drawn[1] == (merged.path, 48)
