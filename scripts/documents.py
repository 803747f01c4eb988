"""docs/gallery.md and the README's table, from docs/results and the order of the rows alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import read_result
from rows import experiment_of, name_of, title_of

from nc_runner import experiments
from nc_runner.cli.claims import told
from nc_runner.errors import UserError
from nc_runner.experiments.base import Verdict
from nc_runner.record.files import write_text
from nc_runner.run.judge import MARKS
from nc_runner.run.progress import duration

TABLE = re.compile(r"(<!-- experiments -->\n).*?(<!-- end -->)", re.DOTALL)
COLUMNS = ("experiment", "paper", "figure", "what it shows", "trials", "time, two cores", "claims reproduced")
# The front of the gallery: of a result its first figure, a question, and of what the claim is that answers it.
FRONT = {
    "decay_times": (
        "How much of the growth of collapse with weight decay in Figure 3.1 is training time?",
        "On the teacher's data",
        "growth_is_mostly_time_teacher",
    ),
}
HEAD = """# What came out

Written by `scripts/reproduce` from `docs/results`. A claim of which a need is not met is undecided, and says which.
Times are those of the runs, without their pauses; where several runs shared a machine they are upper limits."""


def write_documents(rows: Sequence[str], top: Path) -> None:
    """Write both documents into the checkout at ``top``.

    Raises:
        UserError: no row has a result.
    """
    results = {row: read_result(path) for row in rows if (path := result_path(row, top)).exists()}
    if not results:
        raise UserError("docs/results: has no result of any experiment, so README and gallery stay as they are.")
    write_text(top / "docs" / "gallery.md", gallery(list(results.values())))
    readme = top / "README.md"
    lines = [line(row, results.get(row)) for row in rows]
    write_text(readme, with_table(readme.read_text(encoding="utf-8"), lines))


def result_path(row: str, top: Path) -> Path:
    """Where a row's result is."""
    return top / "docs" / "results" / f"{name_of(row)}.json"


# The README's table ------------------------------------------------------------------------------------------------


def with_table(readme: str, lines: Sequence[str]) -> str:
    """The README with this table in place of the one it has."""
    table = "\n".join([cells(*COLUMNS), "|" + "---|" * len(COLUMNS), *lines])
    return TABLE.sub(lambda found: f"{found[1]}{table}\n{found[2]}", readme)


def line(row: str, result: dict[str, Any] | None) -> str:
    """One line of the table; of a row without a result what its experiment says of itself."""
    if result is None:
        known = experiments.load(experiment_of(row))
        return cells(f"`{title_of(row)}`", known.paper, known.figure, escaped(known.summary), "", "not run yet", "")
    scale = "" if result["scale"] == "paper" else f", scale={result['scale']}"
    usual = result["device"] == "cpu" and result["workers"] == 2
    return cells(
        f"`{result['title']}`",
        result["paper"],
        result["figure"],
        escaped(result["summary"]),
        str(sum(result["trials"].values())),
        f"{time_of(result)}{scale}{'' if usual else f', {place(result)}'}",
        tally(result["claims"]),
    )


def cells(*texts: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(texts)} |"


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, in a table too."""
    return re.sub(r"([|<*~`])", r"\\\1", text.replace("\n", " "))


def tally(claims: Sequence[dict[str, Any]]) -> str:
    """How many claims were reproduced, and what became of the others: `6 of 7 (1 undecided)`."""
    verdicts = [claim["verdict"] for claim in claims]
    others = [f"{verdicts.count(v)} {v}" for v in ("not reproduced", "undecided") if v in verdicts]
    return f"{verdicts.count('reproduced')} of {len(claims)}" + (f" ({', '.join(others)})" if others else "")


def time_of(result: dict[str, Any]) -> str:
    """How long it took; of a run that was killed what is known of it."""
    if result["seconds"] is None:
        return "time not recorded"
    return f"{'at least ' if result['killed'] else ''}{duration(result['seconds'])}"


def place(result: dict[str, Any]) -> str:
    """On how many workers, or which GPU."""
    return (
        f"{result['workers']} worker{'s' * (result['workers'] != 1)}" if result["device"] == "cpu" else result["device"]
    )


# The gallery -------------------------------------------------------------------------------------------------------


def gallery(results: Sequence[dict[str, Any]]) -> str:
    """The page: what is learnt of more than one paper's figure, then a section a result."""
    return "\n\n".join([HEAD, *front(results), *map(section, results)]) + "\n"


def front(results: Sequence[dict[str, Any]]) -> list[str]:
    """A figure each for the front of the page, with the question it answers and what a claim measured of it."""
    parts = []
    for result in results:
        if result["title"] in FRONT:
            question, where, claim_id = FRONT[result["title"]]
            (measured,) = (claim["measured"] for claim in result["claims"] if claim["id"] == claim_id)
            drawn = result["figures"][0]["file"]
            parts += [
                f"**{question}** {where} {escaped(measured)} ([{result['title']}](#{result['title']})).",
                f"![{question}](figures/{drawn})",
            ]
    return parts


def section(result: dict[str, Any]) -> str:
    """One experiment: how it was run, its figures, its claims."""
    trials = ", ".join(f"{count} {status}" for status, count in result["trials"].items())
    git = result["git"]
    commit = f", commit {git['commit'][:8]}{' with changes' if git['dirty'] else ''}" if git else ""
    processor = f" on {result['processor']}" if result["device"] == "cpu" else ""
    parts = [
        f"## {result['title']}",
        f"`{result['command']}`: {escaped(result['summary'])} ({result['paper']}, {result['figure']}). {trials}; "
        f"{time_of(result)} with {place(result)}{processor}, torch {result['versions']['torch']}{commit}.",
    ]
    told: set[str] = set()
    for drawn in result["figures"]:
        parts.append(f"![{result['title']}: {Path(drawn['file']).stem}](figures/{drawn['file']})")
        if new := [note for note in drawn["notes"] if note not in told]:
            parts.append(folded("Notes, beside those above" if told else "Notes", "\n".join(f"- {n}" for n in new)))
        told.update(drawn["notes"])
    if result["claims"]:
        parts.append(
            "\n".join(
                [cells("", "claim", "number", "verdict"), "|---|---|---|---|", *map(claim_line, result["claims"])]
            )
        )
        parts.append(folded("The claims in full", "\n\n".join(map(in_full, result["claims"]))))
    return "\n\n".join(parts)


def claim_line(claim: dict[str, Any]) -> str:
    """One claim in short: mark, statement, number, verdict and, where it has none, what lacks."""
    lacks = "; ".join(
        f"{need['name']}: needs {need['required']}, found {need['found']}" for need in claim["needs"] if not need["met"]
    )
    verdict = f"{claim['verdict']}: {escaped(lacks)}" if lacks else claim["verdict"]
    mark = MARKS[Verdict(claim["verdict"])]
    return cells(mark, escaped(claim["short"] or claim["statement"]), escaped(claim["number"]), verdict)


def in_full(claim: dict[str, Any]) -> str:
    """One claim as ``nc-run claims`` prints it, but for the needs that are met: in one line, with what was found."""
    open_needs = [need for need in claim["needs"] if not need["met"]]
    lines = [f"- {name}: {escaped(text)}" for name, text in told(claim | {"needs": open_needs})]
    if met := [f"{need['name']} ({need['found']})" for need in claim["needs"] if need["met"]]:
        lines.append(f"- needs met: {escaped('; '.join(met))}")
    return "\n".join([f"**{claim['id']}**: {claim['verdict']}", "", *lines])


def folded(summary: str, text: str) -> str:
    """A text that opens on a click."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"
