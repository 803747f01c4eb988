"""The figure over any varied key: every trial with a finite loss is in it, and one that does not fit shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from nc_runner.experiments.base import Results
from nc_runner.record.folder import RunFolder
from nc_runner.run.over_key import over_key
from nc_runner.run.results import read_results


def with_statuses(run: Path, statuses: dict[float, str]) -> Results:
    """The run's results with a status by weight decay, to be drawn over it."""
    results = read_results([RunFolder(run)])
    results = replace(results, trials=results.trials.assign(status=results.trials["train.weight_decay"].map(statuses)))
    results.config.figures.x, results.config.figures.metrics = "train.weight_decay", ["accuracy"]
    return results


def test_a_point_has_a_cross_where_some_trial_does_not_fit(finished_run: Path) -> None:
    decays = sorted(read_results([RunFolder(finished_run)]).trials["train.weight_decay"].unique())
    statuses = dict.fromkeys(decays, "interpolated") | {decays[1]: "underfit", decays[2]: "diverged"}
    results = with_statuses(finished_run, statuses)
    drawing = over_key(results, [])
    (ax,) = drawing.figure.axes
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    lines = [line for line in ax.lines if line.get_marker() != "x"]
    assert len(crosses) == len(lines) == results.trials["model.norm"].nunique()
    trials = results.trials[results.trials["train.weight_decay"] == decays[1]]
    means = [of["accuracy"].mean() for _, of in trials.groupby("model.norm")]
    for cross, line, mean in zip(crosses, lines, means, strict=True):
        assert np.asarray(cross.get_xdata()).tolist() == [decays[1]]
        assert np.asarray(cross.get_ydata()).tolist() == pytest.approx([mean])
        assert cross.get_color() == line.get_color()
        assert decays[2] not in np.asarray(line.get_xdata())
    each = pd.Series(statuses).value_counts() * len(trials)
    kept = each["interpolated"] + each["underfit"]
    assert f" Crosses: {each['underfit']} of {kept} do not fit." in drawing.caption
    assert f" {each['diverged']} without a finite loss are left out." in drawing.caption
    plt.close(drawing.figure)


def test_where_all_fit_nothing_is_said_of_it(finished_run: Path) -> None:
    decays = read_results([RunFolder(finished_run)]).trials["train.weight_decay"].unique()
    drawing = over_key(with_statuses(finished_run, dict.fromkeys(decays, "interpolated")), [])
    assert drawing.caption.endswith("one seed.")
    plt.close(drawing.figure)
