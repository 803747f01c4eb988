"""Writes docs/gallery.md and the README's table of experiments from finished run folders, and copies their figures.

    .venv/bin/python scripts/gallery.py [--no-table] FOLDER [FOLDER ...]

With --no-table the README stays as it is. Folders come in the order they shall appear; of an experiment several where
a paper draws it for several networks or data sets.
Every number comes from the folders.
"""

from __future__ import annotations

import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from nc_runner import experiments
from nc_runner.record.folder import RunFolder
from nc_runner.run.progress import duration
from nc_runner.run.results import read_config

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
TABLE = re.compile(r"(<!-- experiments -->\n).*?(<!-- end -->)", re.DOTALL)


def runs(folder: RunFolder) -> list[RunFolder]:
    """The run itself, or the runs that ``nc-run plot`` put together in it."""
    return [RunFolder(source) for source in folder.read_json("status.json").get("sources", [folder.path])]


def seconds(folder: RunFolder) -> float:
    """From the start of a run to its end, figures included; the least, where several runs of one size are together."""

    def of_run(run: RunFolder) -> float:
        started = datetime.fromisoformat(run.read_json("provenance.json")["started"])
        return (datetime.fromisoformat(run.read_json("status.json")["finished"]) - started).total_seconds()

    return min(of_run(run) for run in runs(folder))


def cell(text: str) -> str:
    """A text that a Markdown table takes."""
    return text.replace("|", "\\|").replace("\n", " ")


def words(run: RunFolder) -> list[str]:
    """What was typed after nc-run, but for where it was to be written and read."""
    argv: list[str] = run.read_json("provenance.json")["argv"][1:]
    return [word for word in argv if not word.startswith(("hydra.", "data.root="))]


def title(folder: RunFolder) -> str:
    """The experiment with what was chosen of it: `linear_head_depth model=resnet20 data=mnist`."""
    passed_over = ("experiment=", "scale=", "seeds=", "jobs=")
    chosen = [word for word in words(runs(folder)[0]) if not word.startswith(passed_over)]
    return " ".join([str(read_config(runs(folder)[0]).experiment), *chosen])


def section(folder: RunFolder) -> str:
    """One experiment: how it was run, its figures, its claims."""
    config, where = read_config(runs(folder)[0]), runs(folder)[0].read_json("provenance.json")
    record = experiments.load(config.experiment)
    command = "` and `".join(" ".join(["nc-run", *words(run)]) for run in runs(folder))
    name = re.sub(r"\W+", "_", title(folder))
    counts = folder.read_trials()["status"].value_counts()
    lines = [
        f"## {title(folder)}",
        "",
        f"`{command}`: {record.summary} ({record.paper}, {record.figure}). "
        f"{', '.join(f'{count} {status}' for status, count in counts.items())}; {duration(seconds(folder))} with "
        f"{where['workers']} workers on {where['processor']}, torch {where['versions']['torch']}.",
        "",
    ]
    for path in sorted((folder.path / "figures").iterdir()):
        if path.suffix in (".png", ".gif"):
            target = FIGURES / f"{name}_{path.name}"
            if path.suffix == ".png":  # 256 colours are enough to look at, and a third of the size
                Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
            else:
                shutil.copyfile(path, target)
            lines += [f"![{title(folder)}: {path.stem}](figures/{target.name})", "", *notes(path.with_suffix(".md"))]
    lines += ["| statement | expected | measured | verdict |", "|---|---|---|---|"]
    for claim in folder.read_json("claims.json"):
        texts = (claim["statement"], claim["expected"], claim["measured"], claim["verdict"])
        lines.append(f"| {' | '.join(cell(text) for text in texts)} |")
    return "\n".join(lines)


def notes(path: Path) -> list[str]:
    """A figure's notes, folded; none for a movie."""
    if not path.exists():
        return []
    items = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    return ["<details><summary>Notes</summary>", "", *items, "", "</details>", ""]


def row(folder: RunFolder) -> str:
    """One line of the README's table."""
    config = read_config(runs(folder)[0])
    record = experiments.load(config.experiment)
    claims: list[dict[str, Any]] = folder.read_json("claims.json")
    verdicts = [claim["verdict"] for claim in claims]
    said = f"{verdicts.count('reproduced')} of {len(claims)}"
    others = [f"{verdicts.count(v)} {v}" for v in ("not reproduced", "undecided") if v in verdicts]
    note = f" ({', '.join(others)})" if others else ""
    trials = len(folder.read_trials())
    columns = (f"`{title(folder)}`", record.paper, record.figure, cell(record.summary), str(trials))
    scale = "" if config.scale.name == "paper" else f", scale={config.scale.name}"
    return f"| {' | '.join(columns)} | {duration(seconds(folder))}{scale} | {said}{note} |"


def main(words: list[str]) -> None:
    """Write the two documents."""
    folders = [RunFolder(word) for word in words if word != "--no-table"]
    FIGURES.mkdir(exist_ok=True)
    head = (
        "# What came out\n\nWritten by `scripts/gallery.py` from the run folders of the commands below. Times are from "
        "start to end of a run; several of these runs shared the machine, so they are upper limits. Where a command "
        "says `scale=quick`, its section shows the figure's shape, and its verdicts are about a quick run; the "
        "README's table has those of the larger run."
    )
    (ROOT / "docs" / "gallery.md").write_text("\n\n".join([head, *map(section, folders)]) + "\n")
    if "--no-table" in words:
        return
    columns = ("experiment", "paper", "figure", "what it shows", "trials", "time, two cores", "claims reproduced")
    table = "\n".join([f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *map(row, folders)])
    readme = ROOT / "README.md"
    readme.write_text(TABLE.sub(lambda found: f"{found[1]}{table}\n{found[2]}", readme.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
