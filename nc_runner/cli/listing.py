"""``nc-run list``: the experiments by paper, one line each, or everything about them as JSON."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from nc_runner.errors import UserError, say

if TYPE_CHECKING:
    from nc_runner.experiments.base import Experiment
    from nc_runner.experiments.papers import Paper


def list_experiments(words: list[str]) -> int:
    """Every experiment by paper: its name, figure, time on two cores, and what it shows."""
    from nc_runner import experiments
    from nc_runner.config import outside
    from nc_runner.config.compose import experiment_names, known_names, own_files
    from nc_runner.config.files import check_yaml
    from nc_runner.experiments import paper_of

    if words not in ([], ["--json"]):
        raise UserError(f"list: {' '.join(words)} was given; allowed is nothing, or --json.")
    for name in sorted(outside.entries().keys() & set(experiment_names())):
        say(
            f"experiment={name}: {outside.called(name)} has one of that name too, which is not seen; allowed is a name "
            "that is not taken."
        )
    records: dict[str, Experiment] = {}
    for name in known_names():
        try:
            check_yaml(own_files([f"experiment={name}"]))
            records[name] = experiments.load(name)
        except UserError as error:  # of one's own, or half written: the others are listed
            say(str(error))
    if words:
        print(json.dumps([described(name, record, paper_of(record)) for name, record in records.items()], indent=2))
    else:
        print_by_paper(records, {name: paper_of(record) for name, record in records.items()})
    return 0


def described(name: str, record: Experiment, paper: Paper) -> dict[str, str | list[str]]:
    """One experiment's entry in ``--json``."""
    return {
        "name": name,
        "paper": record.paper,
        "title": paper.title,
        "figure": record.figure,
        "summary": record.summary,
        "time": record.cost,
        "command": f"nc-run experiment={name}",
        "headline": list(record.headline),
        "bibtex": paper.bibtex,
    }


def print_by_paper(records: dict[str, Experiment], papers: dict[str, Paper]) -> None:
    """A heading for each paper, ours first, and under it a line an experiment, cut where the terminal ends.

    Args:
        papers: by the experiments' names.
    """
    from nc_runner.experiments.papers import PAPERS

    columns = shutil.get_terminal_size().columns
    fields = {name: (name, record.figure, record.cost) for name, record in records.items()}
    widths = [max(map(len, column)) for column in zip(*fields.values(), strict=True)]
    print(cut("Times: scale=paper on two cores (~ an estimate). Run: nc-run experiment=NAME", columns))
    ours = list(PAPERS.values())
    for paper in [*ours, *sorted(set(papers.values()) - set(ours))]:
        print(f"\n{cut(': '.join(filter(None, [paper.authors, paper.title])), columns)}")
        for name, record in records.items():
            if papers[name] == paper:
                padded = (field.ljust(width) for field, width in zip(fields[name], widths, strict=True))
                print(cut("  ".join([*padded, record.summary]), columns))


def cut(text: str, columns: int) -> str:
    """The text, or its start and three dots."""
    return text if len(text) <= columns else f"{text[: columns - 3].rstrip()}..."
