"""Runs the commands of the README's table, and makes the table and the gallery from what came out.

    scripts/reproduce [EXPERIMENT ...] [jobs=N] [device=cpu|cuda]
    scripts/reproduce --quick [EXPERIMENT ...] [jobs=N] [device=cpu|cuda]
    scripts/reproduce --documents

Without a name it runs all of them, which takes hours. A run is in outputs/reproduce/NAME. What is complete is not run
again, but its figures and claims are made anew; what was interrupted goes on. After each row docs/results/NAME.json,
its figures in docs/figures, docs/gallery.md and the README's table are written. It can be stopped anywhere, and called
again.

Images come from the Hugging Face hub, or from the folder that NC_DATA_ROOT names. jobs and device are of runs that
begin. --documents only makes the gallery and the README's table again from docs/results. --quick runs experiments at
scale=quick in outputs/quick/NAME and says which take longer than that scale promises; it writes no documents.

Exits 1 where a row could not be run or took too long, 2 where a word is not understood, 130 or 143 where it was
stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from documents import write_documents
from results import write_result
from rows import ROWS, experiment_of, name_of, title_of, words_of

from nc_runner.config.compose import composed
from nc_runner.config.keys import flatten, to_config
from nc_runner.errors import USAGE_ERROR, UserError, did_you_mean
from nc_runner.record.folder import RunFolder
from nc_runner.run.results import read_config, read_overrides
from nc_runner.run.stopping import Requests, Stopped, requests_to_stop

ROOT = Path(__file__).resolve().parent.parent
HOW = ("jobs", "device")  # keys of where a run happens
ELSEWHERE = (*HOW, "data.root")  # keys that may differ between a folder and its row
QUICK = 90  # seconds, the promise of conf/scale/quick.yaml


def main(words: Sequence[str], rows: Sequence[str] = ROWS, top: Path = ROOT) -> int:
    """Do what the words ask for, in the checkout at ``top``; the exit code."""
    if {"-h", "--help"} & set(words):
        print(__doc__)
        return 0
    try:
        if list(words) == ["--documents"]:
            write_documents(rows, top)
            return 0
        quick = "--quick" in words
        chosen, how = understood([word for word in words if word != "--quick"], rows)
        if quick:
            chosen = [f"{name} scale=quick" for name in dict.fromkeys(map(experiment_of, chosen))]
        runs = top / "outputs" / ("quick" if quick else "reproduce")
        runs.mkdir(parents=True, exist_ok=True)

        def write(folder: RunFolder, row: str) -> None:
            write_result(folder, row, top / "docs")
            write_documents(rows, top)

        with RunFolder(runs).locked(), requests_to_stop() as requests:
            return reproduce(chosen, how, runs, in_time if quick else write, requests)
    except UserError as error:
        say(str(error), sys.stderr)
        return USAGE_ERROR
    except Stopped as stopped:
        say(f"stopped ({stopped.name}); the same command goes on.", sys.stderr)
        return stopped.exit_code


def understood(words: Sequence[str], rows: Sequence[str]) -> tuple[list[str], list[str]]:
    """The rows that the words name, all where they name none, and the words on where runs happen.

    Raises:
        UserError: a word that is neither.
    """
    names = list(dict.fromkeys(map(experiment_of, rows)))
    how = [word for word in words if word.partition("=")[0] in HOW and "=" in word]
    named = [word for word in words if word not in how]
    for word in named:
        if "=" in word:
            raise UserError(f"{word}: would change what is run; allowed are {', '.join(f'{key}=' for key in HOW)}.")
        if word not in names:
            raise UserError(f"{word}: is no experiment of the table; {did_you_mean(word, names)}")
    return [row for row in rows if not named or experiment_of(row) in named], how


def in_time(folder: RunFolder, row: str) -> None:
    """Hold a finished quick run to its scale's promise.

    Raises:
        UserError: it took longer.
    """
    seconds = folder.read_status()["seconds"]
    say(f"{title_of(row)}: {seconds:.0f} s at scale=quick.")
    if seconds > QUICK:
        raise UserError(f"scale=quick took {seconds:.0f} s, and promises at most {QUICK} on two cores.")


def reproduce(
    chosen: Sequence[str],
    how: list[str],
    runs: Path,
    ended: Callable[[RunFolder, str], None],
    requests: Requests,
) -> int:
    """Bring each of the chosen rows to its end, and do with its folder what is to be done; 1 where one failed, else 0.

    Raises:
        Stopped: somebody asked for it.
    """
    failures = []
    for row in chosen:
        requests.heed()
        folder = RunFolder(os.path.relpath(runs / name_of(row)))
        try:
            bring_to_end(folder, row, how, requests)
            ended(folder, row)
        except UserError as error:
            failures.append(f"{title_of(row)}: {error}")
            say(failures[-1], sys.stderr)
    done = len(chosen) - len(failures)
    say(f"{done} of {len(chosen)} complete.{' The others:' if failures else ''}")
    for failure in failures:
        say(failure, sys.stderr)
    return 1 if failures else 0


def bring_to_end(folder: RunFolder, row: str, how: list[str], requests: Requests) -> None:
    """Run it, go on with it, or draw and judge it again.

    Raises:
        UserError: it did not come to its end, or something else lies in its folder.
        Stopped: somebody asked for it, and the run is saved.
    """
    path = folder.path
    if not path.exists():
        say(" ".join(["nc-run", *words_of(row)]))
        if code := nc_run([*words_of(row), *how, f"hydra.run.dir={path}"], requests):
            raise UserError(f"nc-run ended with exit code {code}; what it said stands above.")
        return
    if reason := other_than(folder, row):
        raise UserError(f"{path} {reason}; move it away, and the row is run.")
    state = folder.state()
    if state == "running":
        raise UserError(f"{path}: an nc-run is at work there; wait for it to end.")
    if state == "completed":
        say(f"{title_of(row)}: is complete; its figures and claims are made again.")
    else:
        say(f"{title_of(row)}: was {state}; it goes on.")
    if code := nc_run(["plot" if state == "completed" else "resume", str(path)], requests):
        raise UserError(
            f"nc-run ended with exit code {code}; what it said stands above. Where it is about {path}, move that away, "
            "and the row is run."
        )


def other_than(folder: RunFolder, row: str) -> str:
    """In words, why a folder is not that of the row as it is today; nothing where it is."""
    try:
        config = flatten(read_config(folder))
    except UserError:
        return "is no run folder"

    def deciding(words: Sequence[str]) -> list[str]:
        return sorted(word for word in words if word.partition("=")[0] not in ELSEWHERE)

    if deciding(read_overrides(folder)) != deciding(words_of(row)):
        return f"is of another command, nc-run {' '.join(read_overrides(folder))}"
    today = flatten(to_config(composed(words_of(row))))
    changed = [key for key in today if key not in ELSEWHERE and today[key] != config.get(key)]
    if changed:
        return f"is of another config ({', '.join(f'{k} was {config.get(k)}, is {today[k]}' for k in changed)})"
    return ""


def nc_run(words: Sequence[str], requests: Requests) -> int:
    """``nc-run`` in a process of its own, which gets the signals that this one gets; its exit code.

    It is in a session of its own too: a terminal would send Ctrl-C to both, and a second one ends a run unsaved.

    Raises:
        Stopped: the run was, by a signal passed on.
    """
    command = [sys.executable, "-m", "nc_runner", *words]
    child: subprocess.Popen[bytes] | None = None
    stopped: Stopped | None = None
    while True:
        try:
            if child is None:
                with requests.noted():
                    child = subprocess.Popen(command, start_new_session=True)
            code = child.wait()
            break
        except Stopped as request:
            if child is None:
                raise
            stopped = request
            child.send_signal(request.number)
    if stopped and code:
        raise stopped
    return code


def say(text: str, file: object = None) -> None:
    """Print at once, so that lines stand in order among those of the runs."""
    print(f"reproduce: {text}", file=file or sys.stdout, flush=True)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
