"""Drawing as a run does it, with what holds of every figure of this wing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import matplotlib.pyplot as plt
import pytest

from nc_runner.experiments.base import Results
from nc_runner.figures import style_path
from nc_runner.figures.drawing import CAPTION_LINES, Drawing
from nc_runner.figures.fit import fit

Figures = Callable[[Results], Mapping[str, Drawing]]


@pytest.fixture
def draw() -> Iterator[Callable[[Figures, Results], dict[str, Drawing]]]:
    """Draws an experiment's figures with their captions, in the project's style."""

    def drawn(figures: Figures, results: Results) -> dict[str, Drawing]:
        with plt.style.context(style_path()):
            drawings = dict(figures(results))
            for name, drawing in drawings.items():
                assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES, name
                assert "$" not in " ".join([drawing.caption, *drawing.notes]), name
        return drawings

    yield drawn
    plt.close("all")
