"""Every experiment there is a config for: it composes, runs at the smoke scale, draws, and draws the same again."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from overlap import faults
from rich.console import Console

from nc_runner import experiments
from nc_runner.cli.mistakes import compose
from nc_runner.config.check import check
from nc_runner.config.compose import SCALES, conf_dir, experiment_names
from nc_runner.config.trials import make_trials
from nc_runner.experiments.claim import SHORT
from nc_runner.experiments.papers import PAPERS
from nc_runner.figures.drawing import Drawing
from nc_runner.record.folder import RunFolder
from nc_runner.run.judge import draw_and_judge
from nc_runner.run.results import read_results


@pytest.mark.parametrize("name", experiment_names())
def test_it_composes_at_every_scale_and_its_file_says_how_to_run_it(name: str) -> None:
    lines = (conf_dir() / "experiment" / f"{name}.yaml").read_text().splitlines()
    assert lines[:2] == ["# @package _global_", f"# nc-run experiment={name}"]
    for scale in SCALES:
        config = compose([f"experiment={name}", f"scale={scale}"])
        check(config)
        assert config.experiment == name
        assert make_trials(config)
    assert experiments.load(name).paper == experiments.wing(name)
    assert experiments.wing(name) in PAPERS


@pytest.mark.parametrize("name", experiment_names())
def test_it_runs_draws_and_draws_the_same_again_to_be_read(
    name: str, smoke_run: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes; and of what is drawn again, no word is on another, cut off, or too small."""
    write_drawing, read = RunFolder.write_drawing, []

    def written_and_read(folder: RunFolder, drawn: str, drawing: Drawing, formats: Sequence[str]) -> None:
        write_drawing(folder, drawn, drawing, formats)
        assert faults(drawing.figure, whole=True) == [], drawn
        assert not set("$\\") & set(" ".join([drawing.caption, *drawing.notes])), "LaTeX shows as it is typed"
        read.append(f"{drawn}.md")

    monkeypatch.setattr(RunFolder, "write_drawing", written_and_read)
    folder = RunFolder(shutil.copytree(smoke_run(name), tmp_path / "run"))
    drawn = {path.name: path.read_bytes() for path in (folder.path / "figures").iterdir()}
    assert any(figure.endswith(".png") for figure in drawn)
    assert {Path(figure).stem for figure in drawn if figure.endswith(".png")} == {
        Path(figure).stem for figure in drawn if figure.endswith(".md")
    }
    claims = folder.read_json("claims.json")
    draw_and_judge(folder, read_results([folder]), experiments.load(name), Console(quiet=True))
    assert {path.name: path.read_bytes() for path in (folder.path / "figures").iterdir()} == drawn
    assert folder.read_json("claims.json") == claims
    assert sorted(read) == sorted(figure for figure in drawn if figure.endswith(".md"))


@pytest.mark.parametrize("name", experiment_names())
def test_no_claim_is_without_needs_and_those_decided_have_all_met(name: str, smoke_run: Callable[[str], Path]) -> None:
    claims = RunFolder(smoke_run(name)).read_json("claims.json")
    assert len({claim["id"] for claim in claims}) == len(claims) > 0
    for claim in claims:
        assert claim["needs"], claim["id"]
        assert 0 < len(claim["short"]) <= SHORT, claim["id"]
        assert all(claim[key] for key in ("statement", "source", "expected", "measured")), claim["id"]
        met = all(need["met"] for need in claim["needs"])
        assert (claim["verdict"] == "undecided") is not met, claim["id"]
