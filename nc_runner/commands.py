"""The plain words of the command line: help, list, cite, resume (plot has a module of its own)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from nc_runner.errors import UserError
from nc_runner.replot import existing_folder, plot

USAGE = """\
[bold]nc-run[/] reproduces figures of papers on neural collapse and judges their claims.

  nc-run experiment=bn_wd_sweep                    one figure, whole grid
  nc-run experiment=bn_wd_sweep scale=quick        the same in a minute
  nc-run experiment=bn_wd_sweep seeds=5            any key below
  nc-run -m experiment=bn_wd_sweep seeds=1,2       Hydra multirun, a job a value
  nc-run plot FOLDER ...                           draw and judge again, merged
  nc-run resume FOLDER                             go on with an interrupted run
  nc-run list                                      the experiments and their cost
  nc-run cite EXPERIMENT                           BibTeX
"""


def show_help(overrides: list[str]) -> int:
    """How to use the program, the experiments, and every key with its value here and its meaning."""
    from rich.console import Console
    from rich.table import Table

    from nc_runner.configs import SCALES, experiment_names
    from nc_runner.dotted import flatten, schema

    console = Console()
    console.print(USAGE, highlight=False, soft_wrap=True)
    console.print(f"experiments: {', '.join(experiment_names())}\nscales:      {', '.join(SCALES)}\n", highlight=False)
    config = compose(overrides)
    values = flatten(config)
    table = Table(
        "key", "value here", "meaning", title=f"Keys of {config.experiment or 'every experiment'}", title_justify="left"
    )
    for name, item in schema().items():
        table.add_row(name, str(values[name]), item.metadata["meaning"])
    console.print(table)
    console.print(
        "Put experiment=NAME before --help to see its values. --hydra-help tells of Hydra's own flags.", highlight=False
    )
    return 0


def list_experiments(words: list[str]) -> int:
    """Every experiment, the figure it reproduces, and what it costs."""
    from rich.console import Console
    from rich.table import Table

    from nc_runner import experiments
    from nc_runner.configs import experiment_names

    table = Table("experiment", "paper", "figure", "what it shows", "two cores, scale=paper")
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max(map(len, experiment_names()))
    for name in experiment_names():
        record = experiments.load(name)
        table.add_row(name, record.paper, record.figure, record.summary, record.cost)
    Console().print(table)
    return 0


def cite(words: list[str]) -> int:
    """BibTeX of an experiment's paper."""
    from nc_runner import experiments
    from nc_runner.papers import PAPERS

    print(PAPERS[experiments.load(_one(words, "cite", "EXPERIMENT")).paper])
    return 0


def resume(words: list[str]) -> int:
    """Go on with a run that was interrupted, killed or failed."""
    from omegaconf import OmegaConf

    from nc_runner.configs import load_saved, rescaled
    from nc_runner.dotted import flatten
    from nc_runner.folder import RunFolder
    from nc_runner.jobs import overridden_keys
    from nc_runner.provenance import elsewhere
    from nc_runner.report import read_config
    from nc_runner.run import choose_device, run

    path = existing_folder(_one(words, "resume", "FOLDER"))
    folder = RunFolder(path)
    config = read_config(folder)
    status = folder.read_json("status.json")
    if status["state"] == "completed":
        raise UserError(f"{path}: this run is completed, there is nothing to resume; nc-run plot draws it again.")
    if (path / "provenance.json").exists():
        started = folder.read_json("provenance.json")
        started_with, now_says = started["config"], flatten(config)
        keys = [key for key in now_says if started_with.get(key) != now_says[key]]
        if keys:
            changes = ", ".join(f"{key} (was {started_with.get(key)}, is {now_says[key]})" for key in keys)
            raise UserError(
                f"{path}: its config no longer matches what it was started with: {changes}; start a new run instead."
            )
        for changed in elsewhere(started, choose_device(config.device)):
            print(f"nc-run: {changed}; what follows will not be the same bits as an undisturbed run.", file=sys.stderr)
    overrides = OmegaConf.to_container(OmegaConf.load(path / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    node = load_saved(path / ".hydra" / "config.yaml")
    return run(config, folder, overridden=overridden_keys(overrides), at_scale=lambda scale: rescaled(node, scale))


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "plot": plot,
    "resume": resume,
    "list": list_experiments,
    "cite": cite,
    "help": show_help,
}


def compose(overrides: list[str]) -> Any:
    """The typed config that these overrides mean."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from nc_runner.configs import composed
    from nc_runner.dotted import to_config
    from nc_runner.mistakes import plain_sentence

    try:
        return to_config(composed(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(plain_sentence(error)) from error


def _one(words: list[str], command: str, what: str) -> str:
    if len(words) != 1:
        raise UserError(f"{command}: {len(words)} words were given; allowed is one {what}.")
    return words[0]
