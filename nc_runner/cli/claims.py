"""``nc-run claims``: every claim of a finished run, whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from nc_runner.errors import UserError, between_words

LABEL = 11  # columns of a line's name


def claims(words: list[str]) -> int:
    """Print what a run's claims.json holds, for people or, with --json, as it is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.text import Text

    from nc_runner.record.folder import RunFolder
    from nc_runner.run.replot import existing_folder

    folders = [word for word in words if word != "--json"]
    if len(folders) != 1 or words.count("--json") > 1:
        raise UserError(f"claims: the words {' '.join(words) or '(none)'}; allowed is one FOLDER, and --json.")
    path = existing_folder(folders[0])
    if not (path / "claims.json").is_file():
        raise UserError(f"{path}: has no claims.json; nc-run plot {path} judges its claims, where it has results.")
    found = RunFolder(path).read_json("claims.json")
    if "--json" in words:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    console = Console(highlight=False)
    for claim in found:
        console.print(f"[bold]{escape(claim['id'])}[/bold]: {claim['verdict']}", soft_wrap=True)
        for name, text in told(claim):
            line = Text(between_words(f"  {name + ':':<{LABEL}}{text}", sys.stdout, hanging=2 + LABEL))
            line.stylize("dim", 0, 2 + LABEL)
            console.print(line, soft_wrap=True)
        console.print()
    return 0


def told(claim: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A claim's lines by their names; of an older version's claims.json as much as it has."""
    kinds = {"derived": " [derived from the paper]", "ours": " [ours]"}
    yield "statement", claim["statement"] + kinds.get(claim.get("kind", ""), "")
    if claim.get("of"):
        yield "of", claim["of"]
    if claim.get("source"):
        yield "source", claim["source"]
    yield "rule", claim["expected"]
    yield "measured", claim["measured"]
    for need in claim.get("needs", []):
        required = "" if need["required"] == claim["expected"] else f"{need['required']}; "
        yield "needs", f"{need['name']}: {required}found {need['found']} ({'met' if need['met'] else 'NOT MET'})"
