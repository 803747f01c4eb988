"""``nc-run plot``: figures and claims from what is saved, of one run, of a multirun, or of several put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nc_runner.errors import UserError
from nc_runner.run.plot_words import parted, with_options

if TYPE_CHECKING:
    from nc_runner.record.folder import RunFolder


def plot(words: list[str]) -> int:
    """Figures and claims again from saved tables; several folders merge into a new one."""
    from nc_runner.record.folder import RunFolder
    from nc_runner.record.provenance import now
    from nc_runner.run.results import read_config

    named, options = parted(words)
    if not named:
        raise UserError("plot: no folder was named; allowed is one run or multirun folder, or several.")
    out = Path(str(options.pop("out"))) if "out" in options else None
    given = [existing_folder(word) for word in named]
    folders = [RunFolder(path) for word in given for path in run_folders(word)]
    if len(given) == 1:
        put_together(folders, RunFolder(given[0]), options, out)
    else:
        stamp = now().split("+")[0].replace("T", "_").replace(":", "-")
        merged = Path("outputs") / str(read_config(folders[0]).experiment) / f"{stamp}_merged"
        put_together(folders, merged, options, out, asked=True)
    return 0


def put_together(
    folders: list[RunFolder],
    where: RunFolder | Path,
    options: Mapping[str, Any] | None = None,
    out: Path | None = None,
    *,
    asked: bool = False,
) -> None:
    """Draw and judge the runs of these folders as one, into a folder that is there or one to be made.

    Args:
        options: of the figures, over those that the first run was made with.
        out: a folder for the figures alone; nothing else is written then.
        asked: whether keys that no figure shows part the trials only where ``by`` names them.

    Raises:
        UserError: they do not go together, nothing in them has finished, or another version made them.
    """
    from rich.console import Console

    from nc_runner import experiments
    from nc_runner.record.folder import RunFolder
    from nc_runner.run.alike import refuse_unlike, unlike
    from nc_runner.run.draw import draw
    from nc_runner.run.judge import draw_and_judge
    from nc_runner.run.over_key import asked_for
    from nc_runner.run.results import read_results

    results = with_options(read_results(folders), options or {})
    if (results.trials["status"] == "unfinished").all():
        raise UserError(f"{folders[0].path}: none of its trials has finished; nc-run resume goes on with it.")
    if not asked:  # a run or a sweep varies what it varies on purpose
        by = results.config.figures.by
        results.config.figures.by = [*by, *(key for key in unlike(results) if not by)]
    if options or asked:
        refuse_unlike(results)
    experiment = experiments.load(results.config.experiment)
    if options and results.config.figures.x is not None:
        asked_for(results, experiment.headline)
    try:
        if out is not None:
            draw(folders[0], results, experiment, out)
            Console().print(f"Figures: {out}", soft_wrap=True, markup=False)
            return
        target = where if isinstance(where, RunFolder) else RunFolder.claim(where, "plot")
        if isinstance(where, Path):
            target.write_json("status.json", {"state": "merged", "sources": [str(f.path.resolve()) for f in folders]})
        if len(folders) > 1:
            target.write_trials(results.trials)
            target.write_metrics(results.metrics)
        draw_and_judge(target, results, experiment, Console())
    except KeyError as error:
        missing = f"{folders[0].path}: has no column or metric {error}, so another version of the experiment made it"
        raise UserError(f"{missing}; run the experiment again.") from error


def merge_multirun(folder: Path) -> int:
    """Put the completed jobs of a multirun together, each experiment by itself; name the others. The exit code."""
    from rich.console import Console

    from nc_runner.run.results import read_config

    of_experiment: dict[str, list[RunFolder]] = {}
    others: list[RunFolder] = []
    for job in jobs_of(folder):
        if job.state() == "completed":
            of_experiment.setdefault(str(read_config(job).experiment), []).append(job)
        else:
            others.append(job)
    for name, jobs in of_experiment.items():
        Console().rule(f"{name}: {len(jobs)} job{'s together' * (len(jobs) > 1)}")
        if len(of_experiment) == 1:
            plot([str(folder)])
        else:
            put_together(jobs, folder / f"{name}_merged")
    for job in others:
        reason = job.read_status().get("reason")
        Console(stderr=True).print(
            f"job {job.path.relative_to(folder)} {job.state()}: {reason}; nc-run resume {job.path} goes on with it.",
            soft_wrap=True, markup=False,
        )  # fmt: skip
    return 1 if others else 0


def jobs_of(folder: Path) -> list[RunFolder]:
    """The runs in a multirun's folder, however deep ``hydra.sweep.subdir`` puts them."""
    from nc_runner.record.folder import RunFolder

    found = [path.parent for path in folder.rglob(".hydra") if path.parent != folder]
    return [RunFolder(path) for path in sorted(found, key=lambda p: (len(p.parts), len(p.name), p))]


def run_folders(path: Path) -> list[Path]:
    """The folder itself if it is a run, else the completed runs of a multirun, or the sources of a merged plot.

    Raises:
        UserError: none of these.
    """
    from nc_runner.record.folder import RunFolder

    if (path / ".hydra").is_dir():
        return [path]
    jobs = jobs_of(path)
    if completed := [job.path for job in jobs if job.state() == "completed"]:
        return completed
    if jobs:
        raise UserError(f"{path}: none of its {len(jobs)} runs is completed; nc-run resume goes on with one.")
    if "sources" in (status := RunFolder(path).read_status()):
        return [existing_folder(source) for source in status["sources"]]
    raise UserError(
        f"{path}: is not a run folder; allowed are folders that nc-run made, such as outputs/EXPERIMENT/DATE_TIME."
    )


def existing_folder(word: str) -> Path:
    """The folder a person named.

    Raises:
        UserError: there is none.
    """
    path = Path(word)
    if not path.is_dir():
        raise UserError(
            f"{word}: is no folder; allowed are folders that nc-run made, such as outputs/EXPERIMENT/DATE_TIME."
        )
    return path
