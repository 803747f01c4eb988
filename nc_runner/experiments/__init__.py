"""A folder a paper, in it an experiment a file or a folder; and how one is found by its name.

An experiment is what ``conf/experiment/`` has a file for; its ``EXPERIMENT`` record is in the module or package of the
same name in one of the papers' folders. Nothing else lists them. Other packages name theirs by entry points
(:mod:`nc_runner.config.outside`); where one has the name of ours, ours it is.
"""

from __future__ import annotations

import traceback
from importlib.metadata import EntryPoint
from pathlib import Path

from nc_runner.config.compose import experiment_names, known_names
from nc_runner.config.outside import GROUP, conf_folder, entries
from nc_runner.errors import UserError, did_you_mean
from nc_runner.experiments.base import Experiment
from nc_runner.experiments.papers import PAPERS, Paper


def load(name: str | None) -> Experiment:
    """The experiment of that name.

    Raises:
        UserError: no such experiment, or it is broken.
    """
    names = known_names()
    if name not in names:
        stated = f"experiment={name}: there is no such experiment" if name else "experiment: none was named"
        raise UserError(f"{stated}; {did_you_mean(name or '', names)}")
    if name in experiment_names():
        entry = EntryPoint(name, f"{__name__}.{wing(name)}.{name}:EXPERIMENT", GROUP)
    else:
        conf_folder(name)
        entry = entries()[name]
    try:
        experiment = entry.load()
    except (Exception, SystemExit) as error:  # of one's own module, half written
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise UserError(
            f"experiment={name}: {entry.value} cannot be imported ({type(error).__name__}: {error}, {last.filename}, "
            f"line {last.lineno})."
        ) from error
    if not isinstance(experiment, Experiment):
        raise UserError(f"experiment={name}: {entry.value} is no Experiment.")
    return experiment


def paper_of(experiment: Experiment) -> Paper:
    """The paper that an experiment is of; where there is none, as its record names it, without a title."""
    return PAPERS.get(experiment.paper) or experiment.reference or Paper(experiment.paper, "", "")


def wing(name: str) -> str:
    """The paper's folder that an experiment lies in.

    Raises:
        UserError: there is a config of that name, but no module.
    """
    here = Path(__file__).parent
    paths = [*here.glob(f"*/{name}.py"), *here.glob(f"*/{name}/__init__.py")]
    found = [path.relative_to(here).parts[0] for path in paths]
    if not found:
        raise UserError(
            f"experiment={name}: conf/experiment/{name}.yaml is there, but no module; write "
            f"nc_runner/experiments/PAPER/{name}.py with an EXPERIMENT record."
        )
    return found[0]
