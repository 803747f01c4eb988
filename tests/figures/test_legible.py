"""Every experiment's figures at a journal's two widths: no word on another, cut off, or too small.

As designed they are looked at where they are drawn again, in tests/experiments/test_experiments.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from overlap import faults

from nc_runner import experiments
from nc_runner.config.compose import experiment_names
from nc_runner.config.figures import FiguresConfig
from nc_runner.record.folder import RunFolder
from nc_runner.run.draw import drawing_in, finish
from nc_runner.run.results import read_results
from nc_runner.run.undefined import drawable


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("width", [3.3, 6.75])
@pytest.mark.parametrize("name", experiment_names())
def test_every_word_can_be_read(name: str, width: float, smoke_run: Callable[[str], Path]) -> None:
    results = drawable(read_results([RunFolder(smoke_run(name))]))
    look = FiguresConfig(width=width)
    with drawing_in(look):
        for drawn, drawing in experiments.load(name).figures(results).items():
            finish(drawing, look)
            assert faults(drawing.figure, whole=True) == [], drawn
            assert drawing.figure.get_figwidth() == width
