"""``nc-run plot``: figures and claims from what is saved, of one run, of a multirun, or of several put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nc_runner.errors import UserError

if TYPE_CHECKING:
    from nc_runner.record.folder import RunFolder


def plot(words: list[str]) -> int:
    """Figures and claims again from saved tables; several folders merge into a new one."""
    from rich.console import Console

    from nc_runner import experiments
    from nc_runner.record.files import make
    from nc_runner.record.folder import RunFolder
    from nc_runner.record.provenance import now
    from nc_runner.run.judge import draw_and_judge
    from nc_runner.run.results import read_results

    if not words:
        raise UserError("plot: no folder was named; allowed is one run or multirun folder, or several.")
    given = [existing_folder(word) for word in words]
    folders = [RunFolder(path) for word in given for path in run_folders(word)]
    results = read_results(folders)
    if len(given) == 1:
        target = RunFolder(given[0])
    else:
        stamp = now().split("+")[0].replace("T", "_").replace(":", "-")
        target = RunFolder(make(Path("outputs") / str(results.config.experiment) / f"{stamp}_merged"))
        target.write_json("status.json", {"state": "merged", "sources": [str(f.path.resolve()) for f in folders]})
        target.write_metrics(results.metrics)
    if len(folders) > 1:
        target.write_trials(results.trials)
    try:
        draw_and_judge(target, results, experiments.load(results.config.experiment), Console())
    except KeyError as error:
        missing = f"{given[0]}: has no column or metric {error}, so another version of the experiment made it"
        raise UserError(f"{missing}; run the experiment again.") from error
    return 0


def merge_multirun(folder: Path) -> int:
    """Plot the completed jobs of a multirun in its folder; name the others. The exit code."""
    from rich.console import Console

    from nc_runner.record.folder import RunFolder

    completed: list[tuple[RunFolder, dict[str, Any]]] = []
    failed: list[tuple[RunFolder, dict[str, Any]]] = []
    for path in sorted(folder.glob("*/.hydra"), key=lambda p: (len(p.parent.name), p.parent.name)):
        job = RunFolder(path.parent)
        status = job.read_json("status.json") if (job.path / "status.json").exists() else {"state": "failed"}
        (completed if status["state"] == "completed" else failed).append((job, status))
    if completed:
        Console().rule(f"{len(completed)} jobs together")
        plot([str(folder)])
    for job, status in failed:
        Console(stderr=True).print(
            f"job {job.path.name} {status['state']}: {status.get('reason')}", soft_wrap=True, markup=False
        )
    return 1 if failed else 0


def run_folders(path: Path) -> list[Path]:
    """The folder itself if it is a run, else the completed runs of a multirun, or the sources of a merged plot.

    Raises:
        UserError: none of these.
    """
    from nc_runner.record.folder import RunFolder

    if (path / ".hydra").is_dir():
        return [path]
    jobs = sorted((p.parent for p in path.glob("*/.hydra")), key=lambda p: (len(p.name), p.name))
    completed = [
        j
        for j in jobs
        if (j / "status.json").exists() and RunFolder(j).read_json("status.json")["state"] == "completed"
    ]
    if completed:
        return completed
    if jobs:
        raise UserError(f"{path}: none of its {len(jobs)} runs is completed; nc-run resume goes on with one.")
    if (path / "status.json").exists() and "sources" in (status := RunFolder(path).read_json("status.json")):
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
