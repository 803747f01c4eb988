"""Every experiment's figures at a journal's two widths and as designed: no word on another, cut off, or too small."""

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


@pytest.mark.parametrize("width", [3.3, 6.75, None])
@pytest.mark.parametrize("name", experiment_names())
def test_every_word_can_be_read(name: str, width: float | None, smoke_run: Callable[[str], Path]) -> None:
    results = drawable(read_results([RunFolder(smoke_run(name))]))
    look = FiguresConfig(width=width)
    with drawing_in(look):
        for drawn, drawing in experiments.load(name).figures(results).items():
            finish(drawing, look)
            assert faults(drawing.figure, whole=True) == [], drawn
            assert not set("$\\") & set(" ".join([drawing.caption, *drawing.notes])), "LaTeX shows as it is typed"
            if width is not None:
                assert drawing.figure.get_figwidth() == width
