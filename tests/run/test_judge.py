"""The end of a run as a person reads it: a line a claim, the answer, the figure to open, what to type next."""

import dataclasses
import io
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from rich.console import Console

from nc_runner import experiments
from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results
from nc_runner.experiments.claim import Claim, Need
from nc_runner.record.folder import RunFolder
from nc_runner.run import run as running
from nc_runner.run.judge import next_commands, print_answer, print_claims
from nc_runner.run.plan import make_plan
from nc_runner.run.results import read_results
from nc_runner.run.run import run

SEEDS, TIME = Need("seeds", "3 or more", "1", met=False), Need("decay times", "10 or more", "0.9", met=False)
MET = Need("interpolates", "all", "all", met=True)
CLAIMS = [
    Claim("a", "A holds.", "rule", "measured", True, "A holds", number="0.93", needs=[MET]),
    Claim("b", "B holds.", "rule", "measured", False, "B holds, at length", needs=[MET]),
    Claim("c", "C holds.", "rule", "measured", True, "C holds", number="12 of 12", needs=[SEEDS, MET, TIME]),
    Claim("d", "D holds.", "rule", "measured", True, "D holds", needs=[SEEDS]),
]
MADE = Path("outputs/x")


def printed(width: int, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    print_claims(CLAIMS, Console(file=file, width=width))
    file.seek(0)
    return file.read().splitlines()


def test_a_line_a_claim_and_one_for_what_lacks() -> None:
    assert printed(80) == [
        "✓ A holds             0.93",
        "✗ B holds, at length",
        "? C holds             12 of 12",
        "  lacks seeds (1), decay times (0.9)",
        "? D holds",
        "  lacks seeds (1)",
    ]
    assert printed(80, "ascii")[:3] == [
        "+ A holds             0.93",
        "- B holds, at length",
        "? C holds             12 of 12",
    ]
    assert max(map(len, printed(24))) <= 30  # what lacks is cut, claims are not
    assert printed(24)[3].startswith("  lacks seeds (1)")


def test_the_last_lines_are_the_answer(finished_run: Path, tmp_path: Path) -> None:
    """The figure is the paper's, whatever else is there."""
    finished_run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    (finished_run / "figures" / "another.png").touch()
    results, text = read_results([RunFolder(finished_run)]), io.StringIO()
    experiment = experiments.load("bn_wd_sweep")
    print_answer(RunFolder(finished_run), results, experiment, CLAIMS, Console(file=text, width=80))
    blank, answer, figure, claims, paper = text.getvalue().split("\n", 4)
    assert blank == ""
    assert answer == "Claims: 1 reproduced, 1 not reproduced, 2 undecided (for want of: seeds, decay times)"
    assert figure == f"Figure: {finished_run}/figures/figure_3_1.png"
    assert claims.startswith(f"Next:   nc-run claims {finished_run} ")
    assert paper.startswith("Next:   nc-run experiment=bn_wd_sweep  (the paper's sizes, ")


@pytest.mark.parametrize(
    ("name", "scale", "larger"),
    [
        ("bn_wd_sweep", "paper", None),
        ("linear_head_mlp", "cpu", None),
        ("bn_wd_sweep", "quick", "nc-run experiment=bn_wd_sweep"),
        (
            "linear_head_depth",
            "quick",
            "nc-run experiment=linear_head_depth scale=cpu",
        ),  # a day and more at the paper's
    ],
)
def test_after_a_small_run_the_larger_one_is_offered(
    finished_run: Path, name: str, scale: str, larger: str | None
) -> None:
    config = compose([f"experiment={name}", f"scale={scale}"])
    results = dataclasses.replace(read_results([RunFolder(finished_run)]), config=config)
    commands = [command for command, _ in next_commands(RunFolder(MADE), results, experiments.load(name))]
    assert commands == [f"nc-run claims {MADE}", *([larger] if larger else [])]


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["data=conic_hull", "scale=smoke", "jobs=1"], "data=conic_hull"),
        (["scale=quick", "device=cpu", "hydra.run.dir=there"], None),
        (["scale=quick", "data=images", "data.path=my photos", "data.classes=3"], "data=images 'data.path=my photos' "
         "data.classes=3"),
        (["scale=quick", "++grid={model.width: [50, 100]}", "seeds=1"], "'grid={model.width: [50, 100]}' seeds=1"),
    ],
)  # fmt: skip
def test_the_larger_one_has_the_same_words(tmp_path: Path, words: list[str], typed: str | None) -> None:
    """The time that the experiment takes is that of its own words, and not said of others."""
    folder = RunFolder.claim(tmp_path / "run", "hydra.run.dir")
    config = compose(["experiment=depth_minimization", "scale=quick"])
    folder.write_config(OmegaConf.structured(config), OmegaConf.create({}), ["experiment=depth_minimization", *words])
    results = Results(config, pd.DataFrame(), pd.DataFrame())
    _, (command, meaning) = next_commands(folder, results, experiments.load("depth_minimization"))
    assert command == " ".join(["nc-run experiment=depth_minimization", *([typed] if typed else [])])
    assert meaning == "the same at scale=paper" if typed else meaning.startswith("the paper's sizes, ")


def test_where_drawing_fails_the_measurements_are_saved_and_it_says_how_to_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of a figure")

    words = ["experiment=bn_wd_sweep", "scale=smoke", "grid={train.weight_decay:[1e-3]}", "model.norm=none", "jobs=1"]
    folder, text = RunFolder.claim(tmp_path / "run", "hydra.run.dir"), io.StringIO()
    folder.write_config(OmegaConf.structured(compose(words)), OmegaConf.create({}), words)
    monkeypatch.setattr(running, "draw_and_judge", broken)
    assert run(make_plan(compose(words), words), folder, Console(file=text, width=400)) == 1
    said = text.getvalue()
    assert "all measurements are saved" in said
    assert f"nc-run plot {folder.path}" in said
    assert "nc-run resume" not in said
    status = json.loads((folder.path / "status.json").read_text())
    assert (status["state"], status["trials_done"]) == ("failed", 1)
    assert "ZeroDivisionError: of a figure" in status["reason"]
    assert marks(folder) == ["started", "failed"]
    assert "Traceback" in (folder.path / "nc-run.log").read_text()

    monkeypatch.undo()
    assert run(make_plan(compose(words), words), folder, Console(file=io.StringIO())) == 0
    assert marks(folder) == ["started", "failed", "resumed", "completed"]


def marks(folder: RunFolder) -> list[str]:
    """What the log says became of the run."""
    log = (folder.path / "nc-run.log").read_text()
    return re.findall(r": (started|resumed|failed|completed)$", log, re.MULTILINE)
