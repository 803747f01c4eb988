"""The plain words of the command line: help, list, cite, plot, resume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nc_runner.errors import UserError


def show_help(overrides: list[str]) -> int:
    """How to use the program, the experiments, and every key with its value here and its meaning."""
    from rich.console import Console
    from rich.table import Table

    from nc_runner.config import flatten, schema
    from nc_runner.configs import SCALES, experiment_names

    console = Console()
    console.print(
        "[bold]nc-run[/] reproduces the figures of four papers on neural collapse and judges their claims.\n\n"
        "  nc-run experiment=bn_wd_sweep                          one figure, whole grid\n"
        "  nc-run experiment=bn_wd_sweep scale=quick              the same in a minute\n"
        "  nc-run experiment=bn_wd_sweep seeds=5 model.width=300  any key below\n"
        "  nc-run -m experiment=bn_wd_sweep train.epochs=100,300  Hydra multirun, one job a value\n"
        "  nc-run plot FOLDER [FOLDER ...]                        figures and claims again, no training\n"
        "  nc-run resume FOLDER                                   go on with an interrupted run\n"
        "  nc-run list | cite EXPERIMENT                          experiments | BibTeX\n",
        highlight=False,
    )
    console.print(f"experiments: {', '.join(experiment_names())}\nscales:      {', '.join(SCALES)}\n", highlight=False)
    config = compose(overrides)
    values = flatten(config)
    table = Table("key", "value here", "meaning", title=f"Keys of {config.experiment or 'every experiment'}", title_justify="left")
    for name, item in schema().items():
        table.add_row(name, str(values[name]), item.metadata["meaning"])
    console.print(table)
    console.print("Put experiment=NAME before --help to see its values. --hydra-help tells of Hydra's own flags.", highlight=False)
    return 0


def list_experiments(words: list[str]) -> int:
    """Every experiment, the figure it reproduces, and what it costs."""
    from rich.console import Console
    from rich.table import Table

    from nc_runner import experiments
    from nc_runner.configs import experiment_names

    table = Table("experiment", "paper", "figure", "what it shows", "two cores, scale=paper")
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


def plot(words: list[str]) -> int:
    """Figures and claims again from saved tables; several folders merge into a new one."""
    from rich.console import Console

    from nc_runner import experiments, report
    from nc_runner.folder import RunFolder, make
    from nc_runner.provenance import now

    if not words:
        raise UserError("plot: no folder was named; allowed is one run or multirun folder, or several.")
    given = [_existing(word) for word in words]
    folders = [RunFolder(path) for word in given for path in run_folders(word)]
    results = report.read_results(folders)
    if len(given) == 1:
        target = RunFolder(given[0])
    else:
        stamp = now().split("+")[0].replace("T", "_").replace(":", "-")
        target = RunFolder(make(Path("outputs") / str(results.config.experiment) / f"{stamp}_merged"))
        target.write_json("status.json", {"state": "merged", "sources": [str(f.path.resolve()) for f in folders]})
        target.write_metrics(results.metrics)
    if len(folders) > 1:
        target.write_trials(results.trials)
    report.draw_and_judge(target, results, experiments.load(results.config.experiment), Console())
    return 0


def resume(words: list[str]) -> int:
    """Go on with a run that was interrupted, killed or failed."""
    from omegaconf import OmegaConf

    from nc_runner.config import flatten
    from nc_runner.configs import load_saved, rescaled
    from nc_runner.folder import RunFolder
    from nc_runner.jobs import overridden_keys
    from nc_runner.report import read_config
    from nc_runner.run import run

    path = _existing(_one(words, "resume", "FOLDER"))
    folder = RunFolder(path)
    config = read_config(folder)
    status = folder.read_json("status.json")
    if status["state"] == "completed":
        raise UserError(f"{path}: this run is completed, there is nothing to resume; nc-run plot draws it again.")
    if (path / "provenance.json").exists():
        started_with, now_says = folder.read_json("provenance.json")["config"], flatten(config)
        keys = [key for key in now_says if started_with.get(key) != now_says[key]]
        if keys:
            changes = ", ".join(f"{key} (was {started_with.get(key)}, is {now_says[key]})" for key in keys)
            raise UserError(f"{path}: its config no longer matches what it was started with: {changes}; start a new run instead.")
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


def merge_multirun(folder: Path) -> int:
    """Plot the completed jobs of a multirun in its folder; name the others. The exit code."""
    from rich.console import Console

    from nc_runner.folder import RunFolder

    completed, failed = [], []
    for path in sorted(folder.glob("*/.hydra"), key=lambda p: (len(p.parent.name), p.parent.name)):
        job = RunFolder(path.parent)
        status = job.read_json("status.json") if (job.path / "status.json").exists() else {"state": "failed"}
        (completed if status["state"] == "completed" else failed).append((job, status))
    if completed:
        Console().rule(f"{len(completed)} jobs together")
        plot([str(folder)])
    for job, status in failed:
        Console(stderr=True).print(f"job {job.path.name} {status['state']}: {status.get('reason')}", soft_wrap=True, markup=False)
    return 1 if failed else 0


def run_folders(path: Path) -> list[Path]:
    """The folder itself if it is a run, else the completed runs of a multirun, or the sources of a merged plot.

    Raises:
        UserError: none of these.
    """
    from nc_runner.folder import RunFolder

    if (path / ".hydra").is_dir():
        return [path]
    jobs = sorted((p.parent for p in path.glob("*/.hydra")), key=lambda p: (len(p.name), p.name))
    completed = [j for j in jobs if (j / "status.json").exists() and RunFolder(j).read_json("status.json")["state"] == "completed"]
    if completed:
        return completed
    if jobs:
        raise UserError(f"{path}: none of its {len(jobs)} runs is completed; nc-run resume goes on with one.")
    if (path / "status.json").exists() and "sources" in (status := RunFolder(path).read_json("status.json")):
        return [_existing(source) for source in status["sources"]]
    raise UserError(f"{path}: is not a run folder; allowed are folders that nc-run made, such as outputs/EXPERIMENT/DATE_TIME.")


def compose(overrides: list[str]) -> Any:
    """The typed config that these overrides mean."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from nc_runner.config import to_config
    from nc_runner.configs import conf_dir, register
    from nc_runner.mistakes import plain_sentence

    register()
    try:
        with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
            return to_config(hydra_compose("config", overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(plain_sentence(error)) from error


def _one(words: list[str], command: str, what: str) -> str:
    if len(words) != 1:
        raise UserError(f"{command}: {len(words)} words were given; allowed is one {what}.")
    return words[0]


def _existing(word: str) -> Path:
    path = Path(word)
    if not path.is_dir():
        raise UserError(f"{word}: is no folder; allowed are folders that nc-run made, such as outputs/EXPERIMENT/DATE_TIME.")
    return path
