"""Every experiment on tables with little or nothing in them: it draws, it judges, and it decides nothing on nothing.

The tables are those of a smoke run, with values taken out of them. What NaN decides where a claim is otherwise decided,
each wing tests on tables made for it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from nc_runner import experiments
from nc_runner.config.compose import experiment_names
from nc_runner.experiments.base import Results, Verdict
from nc_runner.figures.drawing import Drawing
from nc_runner.record.folder import RunFolder
from nc_runner.run.judge import draw
from nc_runner.run.results import read_results
from nc_runner.run.undefined import judged, with_values

Tables = Callable[[Results], Results]
Rows = Callable[[pd.DataFrame], pd.Series]


def changed(results: Results, rows: pd.Series, value: object) -> Results:
    """``rows`` of the tidy table get another value, and with them the columns of trials.csv made of these metrics."""
    return with_values(results, results.metrics["value"].mask(rows, value))


def everything(results: Results, value: float) -> Results:
    return changed(results, pd.Series(True, results.metrics.index), value)


def first_trial(results: Results, value: float) -> Results:
    return changed(results, results.metrics["trial"] == results.trials["id"].iloc[0], value)


def with_status(results: Results, status: str) -> Results:
    return dataclasses.replace(results, trials=results.trials.assign(status=status))


def one_finished(results: Results) -> Results:
    first = results.trials["id"].iloc[0]
    status = results.trials["status"].where(results.trials["id"] == first, "unfinished")
    metrics = results.metrics[results.metrics["trial"] == first]
    return dataclasses.replace(results, trials=results.trials.assign(status=status), metrics=metrics)


def probes(results: Results, which: str) -> Results:
    epochs = results.metrics.groupby("trial")["epoch"]
    kept = results.metrics["epoch"] == epochs.transform(which)
    return dataclasses.replace(results, metrics=results.metrics[kept])


DEGENERATE: dict[str, Tables] = {
    "all diverged": lambda r: with_status(everything(r, math.nan), "diverged"),
    "all diverged after their probes": lambda r: with_status(r, "diverged"),
    "all underfit": lambda r: with_status(r, "underfit"),
    "one finished": lambda r: one_finished(with_status(r, "interpolated")),
    "last probe": lambda r: probes(with_status(r, "interpolated"), "max"),
    "first probe": lambda r: probes(with_status(r, "interpolated"), "min"),
    "NaN": lambda r: everything(with_status(r, "interpolated"), math.nan),
    "inf": lambda r: everything(with_status(r, "interpolated"), math.inf),
    "zero": lambda r: everything(with_status(r, "interpolated"), 0.0),
    "one trial NaN": lambda r: first_trial(with_status(r, "interpolated"), math.nan),
}

NOTHING_MEASURED = {"all diverged", "all diverged after their probes", "NaN", "inf"}


@cache
def read(folder: Path) -> Results:
    """The tables of a run, read once for all that is made of them."""
    return read_results([RunFolder(folder)])


@pytest.fixture
def results(name: str, smoke_run: Callable[[str], Path]) -> Results:
    return read(smoke_run(name))


class Nowhere:
    """A run folder that keeps nothing; what it is given has been drawn once, for its caption."""

    def write_drawing(self, name: str, drawing: Drawing, formats: Sequence[str]) -> None:
        assert drawing.figure.texts
        assert formats

    def write_movie(self, name: str, frames: list[Image.Image]) -> None:
        assert frames


@pytest.mark.parametrize("tables", DEGENERATE)
@pytest.mark.parametrize("name", experiment_names())
def test_it_draws_and_judges_what_is_left(name: str, tables: str, results: Results) -> None:
    left = DEGENERATE[tables](results)
    claims = judged(experiments.load(name), left)
    assert claims
    if tables in NOTHING_MEASURED:
        assert {claim.verdict for claim in claims} == {Verdict.undecided}, claims
    draw(Nowhere(), left, experiments.load(name))  # type: ignore[arg-type]
