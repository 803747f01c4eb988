"""Time or weight decay as drawn: the lines, and what each panel says of its own times and growth."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from experiments.pan2023.made import WD, timed

from nc_runner.experiments.pan2023.conjectures import INTRA, NC3
from nc_runner.experiments.pan2023.dataset_complexity.measure import RATIO
from nc_runner.experiments.pan2023.decay_times.figures import figures
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]


def g_of(epochs: float, decay: float) -> float:
    return 1.25 - 0.65 * math.exp(-29.8 * epochs * decay / 6)


def test_where_g_falls_at_equal_times_all_of_its_growth_is_time(draw: Draw) -> None:
    table = timed(lambda p, m: m.update({INTRA: m[INTRA] + 0.02 * (p["train.epochs"] > 300)}), seeds=1, spread=0)
    for ax in draw(figures, table)["time_or_weight_decay"].figure.axes[:2]:
        assert ax.get_title().endswith("\nall of the growth is time (at 27 decay times)")


def test_lines_are_g_after_equal_epochs_and_at_equal_times(draw: Draw) -> None:
    axes = draw(figures, timed(seeds=1, spread=0))["time_or_weight_decay"].figure.axes
    for ax in axes[:2]:
        assert ax.get_title().endswith("\n100% of the growth is time (at 27 decay times)")
        lines = {line.get_label(): line for line in ax.get_lines()}
        for label, epochs in (("after 300 epochs each", [300] * 3), ("after equal decay times", [3000, 900, 300])):
            assert lines[label].get_xdata().tolist() == [3e-4, 1e-3, 3e-3]
            np.testing.assert_allclose(
                lines[label].get_ydata(), [g_of(*at) for at in zip(epochs, (3e-4, 1e-3, 3e-3), strict=True)]
            )
    for ax in axes[2:]:
        lines = {line.get_label(): line for line in ax.get_lines()}
        np.testing.assert_allclose(lines["λ = 0.0003"].get_xdata(), [2.68, 3.0, 10.0, 26.8], rtol=5e-3)
        np.testing.assert_allclose(
            lines["λ = 0.0003"].get_ydata(), [g_of(epochs, 3e-4) for epochs in (300, 336, 1119, 3000)]
        )
        np.testing.assert_allclose(lines["after 300 epochs each"].get_xdata(), [2.68, 8.94, 26.8], rtol=5e-3)


def test_each_panel_says_what_its_own_times_and_growth_are(draw: Draw) -> None:
    """Where most fits after ten decay times only, on one of two data sets, and where g falls with weight decay."""

    def short(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        if point["data.name"] == "teacher" and point["train.epochs"] == 3000:
            point["status"] = "underfit"
        if point["data.name"] == "conic_hull" and point["train.epochs"] == 300:
            metrics[INTRA] = 0.5 - 50 * point[WD]

    drawing = draw(figures, timed(short, seeds=1, spread=0))["time_or_weight_decay"]
    teacher, hull = (ax.get_title() for ax in drawing.figure.axes[:2])
    assert teacher.endswith("of the growth is time (at 10 decay times)")
    assert hull.endswith("\nno growth after 300 epochs each")
    assert "the teacher's data: 10; conic hull data: 27." in drawing.notes[0]


def test_nc1_and_nc3_are_drawn_over_decay_times(draw: Draw) -> None:
    table = timed(seeds=1, spread=0)
    nc1, _, nc3, _ = draw(figures, table)["time_or_weight_decay_nc1_nc3"].figure.axes
    final = table.final().query("status == 'interpolated' and `data.name` == 'teacher'")
    of = final[final[WD] == 1e-3].sort_values("epochs")
    for ax, metric in ((nc1, RATIO), (nc3, NC3)):
        line = next(line for line in ax.get_lines() if line.get_label() == "λ = 0.001")
        assert line.get_ydata().tolist() == of[metric].tolist()


def test_axes_without_a_trial_that_fits_say_so(draw: Draw) -> None:
    nothing = timed(lambda point, metrics: point.update(status="underfit"))
    for drawing in draw(figures, nothing).values():
        for ax in drawing.figure.axes:
            assert "reaches\ntraining accuracy 0.999" in ax.texts[0].get_text()
    part = timed()
    early = dataclasses.replace(part, trials=part.trials[part.trials["epochs"] == 336])
    titles = [ax.get_title() for ax in draw(figures, early)["time_or_weight_decay"].figure.axes[:2]]
    assert all("not comparable at equal decay times" in title for title in titles)
    assert isinstance(early.trials, pd.DataFrame)
