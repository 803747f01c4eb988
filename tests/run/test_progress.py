import dataclasses
import functools
import io
import re

import pytest
from rich.console import Console

from nc_runner.cli.mistakes import compose
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.run import progress
from nc_runner.run.estimate import Cost, together
from nc_runner.run.plan import make_plan
from nc_runner.run.progress import RunProgress, announce, duration, label
from nc_runner.training.stack import Report


def test_label_tells_keys_of_the_same_last_name_apart(small: Config) -> None:
    grid = {"model.width": [7], "data.teacher_width": [8], "data.name": ["teacher"], "model.name": ["mlp"]}
    (trial,) = make_trials(dataclasses.replace(small, grid=grid))
    assert label([trial, trial]) == "width=7 teacher_width=8 data.name=teacher model.name=mlp seed=0 +1"
    assert label([trial], names_of_words=False) == "width=7 teacher_width=8 teacher mlp seed=0"


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


def test_without_training_there_is_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_EVERY_SECONDS", 0.0)
    words = ["experiment=zero_tcv", "scale=smoke", "device=cpu", "jobs=1"]
    plan, text = make_plan(compose(words), words), io.StringIO()
    costs = dict.fromkeys(plan.stacks, Cost(1, 0.0, 1.0))
    announce(plan, costs, Console(file=text, width=200))
    assert text.getvalue().endswith("on 1 CPU worker: nothing is trained, so there is no estimate\n")
    with RunProgress(plan.stacks, costs, Console(file=text)) as shown:
        first, second = list(plan.stacks)[:2]
        shown.report(Report(first, 0, 0, 1.0, 0.5))
        assert " left" not in text.getvalue()
        shown.finish(second)
        assert " left" in text.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_has_bar_trials_loss_elapsed_and_left_in_its_width(small: Config, width: int) -> None:
    trials = make_trials(
        dataclasses.replace(small, grid={"train.weight_decay": [1e-3, 1e-2], "model.norm": ["affine"]})
    )
    console = Console(width=width, force_terminal=True, file=io.StringIO())
    shown = RunProgress({"a": trials[:1], "b": trials[1:]}, dict.fromkeys("ab", Cost(10, 2.0)), console)
    shown.report(Report("a", 0, 0, 1.0, 0.5))
    shown.report(Report("a", 5, 1, 0.7, 0.8))
    with console.capture() as captured:
        console.print(shown.bars.get_renderable())
    overall, row = re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).rstrip("\n").split("\n")
    assert re.match("affine " if width < 110 else "norm=affine ", row.removeprefix("weight_decay=0.001 "))
    assert max(len(overall), len(row)) <= width
    assert re.search(r"━.* 0/2 trials .*\d s, \d+ s left", overall)
    assert re.search(r"━.* 1/3 .*loss 0\.7000" if width < 110 else r"━.*epoch 1/3  loss 0\.7000  accuracy 0\.8000", row)
    assert ("trial-steps/s" in overall) is (width >= 110)


def test_what_is_left_is_corrected_by_what_was_seen(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, 100 s a stack by the estimate; the first half of each takes three times as long."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    trials = make_trials(dataclasses.replace(small, grid={"train.weight_decay": [1e-3, 1e-2]}))
    costs = {name: Cost(100, 60.0, 40.0) for name in "ab"}
    at_once = functools.partial(together, jobs=2)
    shown = RunProgress({"a": trials[:1], "b": trials[1:]}, costs, Console(file=io.StringIO()), at_once)
    assert shown.left() == pytest.approx(100)
    for name in "ab":
        shown.report(Report(name, 0, 0, 1.0, 0.5))
    now[0] = 150.0
    for name in "ab":
        shown.report(Report(name, 50, 1, 1.0, 0.5))
    trusted = progress._TRUSTED_SECONDS
    assert shown.left() == pytest.approx(50 * (150 + trusted) / (50 + trusted))
    shown.finish("a")
    assert 50 < shown.left() < 150  # what is done in no time at the end shortens it


def test_a_resumed_run_counts_what_it_does_itself(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    trials = make_trials(dataclasses.replace(small, grid={"train.weight_decay": [1e-3, 1e-2]}))
    costs = {name: Cost(100, 100.0) for name in "ab"}
    stacks = {"a": trials[:1], "b": trials[1:]}
    shown = RunProgress(stacks, costs, Console(file=io.StringIO()), before={"a": 100, "b": 90})
    assert shown.finished == {"a"}
    assert shown.left() == pytest.approx(10)
    now[0] = 20.0
    shown.report(Report("b", 95, 2, 1.0, 0.5))
    assert shown.left() == pytest.approx(5 * 25 / 10)


def test_what_is_left_of_a_cost() -> None:
    assert Cost(8, 6.0, 4.0).after(2) == Cost(6, 4.5, 3.0)
    assert Cost(8, 6.0, 4.0).after(9) == Cost(0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("resumed", "seconds", "said"),
    [
        (False, 4.0, "worker: about 4 s\n"),
        (True, 4.0, "about 4 s left\n"),
        (False, 0.2, "worker: a few seconds\n"),
        (True, 3.9, "worker: a few seconds left\n"),
    ],
)
def test_a_resumed_run_says_what_is_left(resumed: bool, seconds: float, said: str) -> None:
    words = ["experiment=bn_wd_sweep", "scale=smoke", "device=cpu", "jobs=1"]
    text = io.StringIO()
    announce(make_plan(compose(words), words), {"a": Cost(10, seconds)}, Console(file=text, width=200), resumed=resumed)
    assert text.getvalue().endswith(said)
