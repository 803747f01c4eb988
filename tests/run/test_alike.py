"""A figure and its claims are of trials that differ in nothing but its axes: else they are parted, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Cli
from omegaconf import OmegaConf
from rich.console import Console

from nc_runner import experiments
from nc_runner.errors import UserError
from nc_runner.record.folder import RunFolder
from nc_runner.run.alike import parts, refuse_unlike, unlike
from nc_runner.run.judge import draw_and_judge
from nc_runner.run.replot import plot
from nc_runner.run.results import read_config, read_results

WIDE = {"scale.name": "quick", "model.width": 200, "train.epochs": 150, "data.samples": 2000}


def changed(run: Path, to: Path, name: str, keys: dict[str, object] | None = None) -> RunFolder:
    """A copy of a run made with other values of these dotted keys, and other trials."""
    folder = RunFolder(shutil.copytree(run, to / name))
    path = to / name / ".hydra" / "config.yaml"
    config = OmegaConf.load(path)
    for key, value in (keys or {}).items():
        assert OmegaConf.select(config, key) not in (None, value)
        OmegaConf.update(config, key, value)
    OmegaConf.save(config, path)
    trials, metrics = folder.read_trials(), folder.read_metrics()
    folder.write_trials(trials.assign(id=trials["id"] + name, status="interpolated"))
    folder.write_metrics(metrics.assign(trial=metrics["trial"] + name))
    return folder


@pytest.fixture
def three(finished_run: Path, tmp_path: Path) -> list[RunFolder]:
    """Two small runs of 3 epochs, and one of width 200 for 150 epochs on other samples."""
    first = changed(finished_run, tmp_path, "first")
    second = changed(finished_run, tmp_path, "second")
    trials, metrics = second.read_trials(), second.read_metrics()
    second.write_trials(trials.assign(seed=trials["seed"] + 7))
    second.write_metrics(metrics)
    return [first, second, changed(finished_run, tmp_path, "third", WIDE)]


def captions(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in folder.glob("*.md")}


def test_unlike_runs_are_refused_by_the_keys_and_with_what_to_type(three: list[RunFolder], tmp_path: Path) -> None:
    words = [str(folder.path) for folder in three]
    with pytest.raises(UserError) as refused:
        plot([*words, f"out={tmp_path / 'figures'}"])
    said = str(refused.value)
    for word in ("model.width (", ", 200)", "train.epochs (3, 150)", "data.samples (", "by=", "one by one"):
        assert word in said
    assert not (tmp_path / "figures").exists()


def test_by_a_key_each_value_has_its_own_figures_with_a_caption_that_is_true(
    three: list[RunFolder], tmp_path: Path
) -> None:
    out = tmp_path / "figures"
    assert plot([*(str(folder.path) for folder in three), "by=model.width", f"out={out}", "format=pdf"]) == 0
    small = read_config(three[0])
    found = captions(out)
    narrow, wide = (found[f"figure_3_1_width_{width}"] for width in (small.model.width, 200))
    assert "figure_3_1" not in found
    for text, config in ((narrow, small), (wide, read_config(three[2]))):
        assert f"Of model.width = {config.model.width}." in text
        assert f"width {config.model.width}" in text
        assert f"{config.train.epochs} epochs" in text
        assert f"N = {config.data.samples:,}" in text
    assert "2 seeds" in narrow
    assert "one seed" in wide
    assert "width 200" not in narrow
    assert "150 epochs" not in narrow


def test_claims_are_of_the_trials_that_are_drawn(three: list[RunFolder], tmp_path: Path) -> None:
    results = read_results(three)
    target = RunFolder.claim(tmp_path / "together", "plot")
    draw_and_judge(target, results, experiments.load("bn_wd_sweep"), Console(quiet=True))
    claims = target.read_json("claims.json")
    found = parts(results)
    assert [part.results.trials["seed"].nunique() for part in found] == [2, 1]
    assert [part.results.config.scale.name for part in found] == ["smoke", "quick"]
    assert {claim["of"] for claim in claims} == {part.said for part in found}
    assert len(claims) == 2 * len({claim["id"] for claim in claims})
    drawn = {path.stem for path in (target.path / "figures").glob("*.png")}
    assert all(any(name.endswith(part.suffix) for name in drawn) for part in found)


def test_one_run_that_varies_a_key_no_figure_shows_is_parted_by_it(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "experiment=bn_wd_sweep", "scale=smoke", "jobs=1", "grid={model.width:[8,12]}", "hydra.run.dir=run",
        "figures.x=model.width", "figures.format=[svg]", "figures.caption=false", "figures.width=3.3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = tmp_path / "run" / "figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert {"figure_3_1_width_8", "figure_3_1_width_12", "over_width"} <= names
    assert "width 8." in (figures / "figure_3_1_width_8.md").read_text()
    assert {claim["of"] for claim in json.loads((tmp_path / "run" / "claims.json").read_text())} == {
        "model.width = 8", "model.width = 12",
    }  # fmt: skip
    assert not list(figures.glob("*.png"))


def test_the_experiment_s_own_axes_and_the_seed_part_nothing(finished_run: Path, tmp_path: Path) -> None:
    results = read_results([RunFolder(finished_run)])
    assert results.varied == ["model.norm", "train.weight_decay"]
    assert unlike(results) == []
    refuse_unlike(results)
    (part,) = parts(results)
    assert (part.said, part.suffix) == ("", "")
    assert part.results.config == results.config


def test_of_a_key_that_all_trials_share_the_config_says_what_they_have(finished_run: Path) -> None:
    results = read_results([RunFolder(finished_run)])
    plain = results.only(results.trials["model.norm"] == "plain")
    (part,) = parts(plain)
    assert part.results.config.model.norm.name == "plain"
