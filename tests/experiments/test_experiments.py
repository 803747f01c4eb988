"""Every experiment there is a config for: it composes, runs at the smoke scale, draws, and draws the same again."""

from pathlib import Path

import pytest
from conftest import nc_run, smoke_overrides
from rich.console import Console

from nc_runner import experiments, report
from nc_runner.check import check
from nc_runner.commands import compose
from nc_runner.configs import SCALES, conf_dir, experiment_names
from nc_runner.folder import RunFolder
from nc_runner.papers import PAPERS
from nc_runner.trials import make_trials


@pytest.mark.parametrize("name", experiment_names())
def test_it_composes_at_every_scale_and_its_file_says_how_to_run_it(name: str) -> None:
    lines = (conf_dir() / "experiment" / f"{name}.yaml").read_text().splitlines()
    assert lines[:2] == ["# @package _global_", f"# nc-run experiment={name}"]
    for scale in SCALES:
        config = compose([f"experiment={name}", f"scale={scale}"])
        check(config)
        assert config.experiment == name
        assert make_trials(config)
    assert experiments.load(name).paper in PAPERS


@pytest.mark.parametrize("name", experiment_names())
def test_it_runs_draws_and_draws_the_same_again(name: str, tmp_path: Path) -> None:
    words = (f"experiment={name}", "scale=smoke", "jobs=1", "seeds=2", "hydra.run.dir=run", *smoke_overrides(name))
    done = nc_run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = RunFolder(tmp_path / "run")
    drawn = {path.name: path.read_bytes() for path in (folder.path / "figures").iterdir()}
    assert any(figure.endswith(".png") for figure in drawn)
    claims = folder.read_json("claims.json")
    assert len({claim["id"] for claim in claims}) == len(claims) > 0
    report.draw_and_judge(folder, report.read_results([folder]), experiments.load(name), Console(quiet=True))
    assert {path.name: path.read_bytes() for path in (folder.path / "figures").iterdir()} == drawn
    assert folder.read_json("claims.json") == claims
