"""One module an experiment: what to measure, what to draw, what the paper claims.

A module here whose name is that of a file in ``conf/experiment/`` and which holds an ``EXPERIMENT`` record is an
experiment; nothing else lists them.
"""

from __future__ import annotations

import importlib

from nc_runner.configs import experiment_names
from nc_runner.errors import UserError
from nc_runner.experiments.base import Experiment


def load(name: str | None) -> Experiment:
    """The experiment of that name.

    Raises:
        UserError: no such experiment.
    """
    if name not in experiment_names():
        stated = f"experiment={name}: there is no such experiment" if name else "experiment: none was named"
        raise UserError(f"{stated}; allowed are {', '.join(experiment_names())}.")
    experiment = importlib.import_module(f"nc_runner.experiments.{name}").EXPERIMENT
    assert isinstance(experiment, Experiment)
    return experiment
