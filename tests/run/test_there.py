"""A grid over data sets runs with those that are there, and says which are not."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from data.image_cache.made import png
from rich.console import Console

from nc_runner.cli.mistakes import compose
from nc_runner.errors import AbsentDataError
from nc_runner.run.plan import make_plan
from nc_runner.run.progress import announce

WORDS = ["experiment=unregularized_collapse", "scale=smoke", "device=cpu", "model.name=vgg13"]


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """With the training images of MNIST and the test images of KMNIST."""
    monkeypatch.setenv("NC_CACHE", str(tmp_path / "cache"))
    for name, split, brightness in (("mnist", "train", 10), ("kmnist", "test", 90)):
        (tmp_path / "data" / name).mkdir(parents=True)
        rows = [(png(brightness + 12 * k + i), k) for k in range(10) for i in range(8)]
        table = pd.DataFrame(rows, columns=["image", "label"])
        table.to_parquet(tmp_path / "data" / name / f"{split}-00000-of-00001.parquet")
    return [*WORDS, f"data.root={tmp_path / 'data'}"]


def test_what_is_there_runs_and_what_is_not_is_said(words: list[str]) -> None:
    plan = make_plan(compose(words), words)
    assert [(t.varied["data.name"], t.varied["data.split"]) for t in plan.trials] == [
        ("mnist", "train"),
        ("kmnist", "test"),
    ]
    assert len({t.id for t in plan.trials}) == len(set(plan.data.values())) == 2
    assert " split=test " in next(line for line in plan.data if "kmnist" in line)
    assert [reason.split(";")[0].split("has ")[1] for reason in plan.absent] == [
        "no folder cifar10",
        "no folder fashion_mnist",
    ]
    assert plan.stacks_at("smoke") == plan.stacks
    text = io.StringIO()
    announce(plan, {}, Console(file=text, width=400))
    assert [line for line in text.getvalue().splitlines() if line.startswith("Without ")] == [
        f"Without {reason}" for reason in plan.absent
    ]


def test_a_set_that_the_command_line_names_has_to_be_there(words: list[str]) -> None:
    for name in ("data=cifar10", "data.name=cifar10"):
        with pytest.raises(AbsentDataError, match=r"has no folder cifar10"):
            make_plan(compose([*words, name]), [*words, name])
    name = "data.name=kmnist"  # its training images are not
    with pytest.raises(AbsentDataError, match=r"no file of a training split"):
        make_plan(compose([*words, name]), [*words, name])
    named = [*words, name, "data.split=test"]
    assert [t.config.data.name.name for t in make_plan(compose(named), named).trials] == ["kmnist"]


def test_with_none_there_the_run_is_refused(words: list[str], tmp_path: Path) -> None:
    empty = [*words, f"data.root={tmp_path}"]
    with pytest.raises(AbsentDataError, match=r"has no folder mnist"):
        make_plan(compose(empty), empty)
