import dataclasses
import io

import pytest
from rich.console import Console

from nc_runner.cli.mistakes import compose
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.run import progress
from nc_runner.run.estimate import Cost
from nc_runner.run.plan import make_plan
from nc_runner.run.progress import RunProgress, announce, duration, label
from nc_runner.training.stack import Report


def test_label_tells_keys_of_the_same_last_name_apart(small: Config) -> None:
    grid = {"model.width": [7], "data.teacher_width": [8], "data.name": ["teacher"], "model.name": ["mlp"]}
    (trial,) = make_trials(dataclasses.replace(small, grid=grid))
    assert label([trial, trial]) == "width=7 teacher_width=8 data.name=teacher model.name=mlp seed=0 +1"


@pytest.mark.parametrize(("seconds", "words"), [(3.2, "3 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h")])
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_plain_lines_tell_done_rate_and_time_left(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY_SECONDS", 0.0)
    trials = make_trials(dataclasses.replace(small, grid={"train.weight_decay": [1e-3, 1e-2]}))
    text = io.StringIO()
    with RunProgress(
        {"a": trials[:1], "b": trials[1:]}, dict.fromkeys("ab", Cost(10, 2.0)), Console(file=text)
    ) as shown:
        shown.report(Report("a", 0, 0, 1.0, 0.5))
        shown.report(Report("a", 5, 1, 0.7, 0.8))
        shown.finish("a")
    first, second, third = text.getvalue().splitlines()
    assert "0/2 trials" in first
    assert "weight_decay=0.001 seed=0: epoch 1, loss 0.7000, accuracy 0.8000" in second
    assert "left" in second
    assert "1/2 trials" in third


@pytest.mark.parametrize(
    ("measuring", "said"), [(0.6, "about 5 s\n"), (5.0, "about 9 s\n"), (6.0, "about 10 s, 60% of it measuring\n")]
)
def test_where_measuring_takes_the_time_it_is_said(measuring: float, said: str) -> None:
    words = ["experiment=bn_wd_sweep", "scale=smoke", "device=cpu", "jobs=1"]
    text = io.StringIO()
    announce(make_plan(compose(words), words), {"a": Cost(10, 4.0, measuring)}, Console(file=text, width=200))
    assert text.getvalue().endswith(said)
