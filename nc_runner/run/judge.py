"""From the tables to verdicts, beside the figures: the end of every run, and all of ``nc-run plot``."""

from __future__ import annotations

import logging
import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from nc_runner.experiments.base import Claim, Experiment, Need, Results, Verdict
from nc_runner.experiments.claim import SHORT
from nc_runner.record.folder import RunFolder
from nc_runner.run.alike import parts
from nc_runner.run.draw import draw
from nc_runner.run.undefined import judged

log = logging.getLogger(__name__)

COLOURS = {Verdict.reproduced: "green", Verdict.not_reproduced: "red", Verdict.undecided: "yellow"}
MARKS = dict(zip(COLOURS, "\N{CHECK MARK}\N{BALLOT X}?", strict=True))
PLAIN_MARKS = dict(zip(COLOURS, "+-?", strict=True))  # of a terminal that has no others


def draw_and_judge(folder: RunFolder, results: Results, experiment: Experiment, console: Console) -> None:
    """Judge the claims and draw the figures into ``folder``, and print what came out.

    Trials that no one figure can show are drawn and judged apart, the figures and the claims of the same trials.
    """
    apart = parts(results)
    judged_parts = [(part, judged(experiment, part.results)) for part in apart]
    records = [
        {**claim.record(experiment.paper), **({"of": part.said} if part.said else {})}
        for part, claims in judged_parts
        for claim in claims
    ]
    folder.write_json("claims.json", records)
    for sentence in draw(folder, results, experiment):
        console.print(Text(f"Warning: {sentence}", "yellow"), soft_wrap=True)
    for part, claims in judged_parts:
        if part.said:
            console.print(Text(f"Of {part.said}:", "bold"), soft_wrap=True)
        print_claims(claims, console)
        for warning in experiment.warnings(part.results) if experiment.warnings else []:
            console.print(Text(f"Warning: {warning}", "yellow"), soft_wrap=True)
            log.warning("%s", warning)
        scale = part.results.config.scale.name
        if scale not in ("paper", "cpu"):
            console.print(f"scale={scale}: not the paper's sizes, so the verdicts are about these alone.")
        console.print(f"Trials: {statuses(part.results)}.")
    console.print(f"Figures and tables: {folder.path}", soft_wrap=True)
    if records:
        console.print(f"The claims in full: nc-run claims {folder.path}", soft_wrap=True)


def statuses(results: Results) -> str:
    """How many trials ended in which status, and what it means."""
    target = results.config.train.target_accuracy
    meaning = {
        "interpolated": f"training accuracy {target:g} or more",
        "underfit": f"less than {target:g}",
        "diverged": "loss not finite",
        "unfinished": "not trained to the end",
        "measured": "nothing to train",
    }
    counts = results.trials["status"].value_counts()
    return ", ".join(f"{count} {status} ({meaning[str(status)]})" for status, count in counts.items())


def print_claims(claims: Sequence[Claim], console: Console) -> None:
    """A line a claim: a mark, the statement in short, the number that says most; under an undecided one, what lacks."""
    marks = MARKS if console.encoding.lower().startswith("utf") else PLAIN_MARKS
    width = max((len(short(claim)) for claim in claims), default=0)
    for claim in claims:
        words = f" {short(claim):<{width}}  {claim.number}".rstrip()
        console.print(Text.assemble((marks[claim.verdict], COLOURS[claim.verdict]), words), soft_wrap=True)
        for need in claim.lacks:
            console.print(Padding(Text(spoken(need), "dim"), (0, 0, 0, 2)))
    counts = Counter(claim.verdict for claim in claims)
    said = ", ".join(f"{marks[verdict]} {counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    if claims:
        console.print(f"Claims: {said}.")


def short(claim: Claim) -> str:
    """The statement in at most :data:`SHORT` letters."""
    return claim.short or textwrap.shorten(claim.statement, SHORT, placeholder=" ...")


def spoken(need: Need) -> str:
    """A need in words."""
    return f"{need.name}: needs {need.required}; found {need.found}"
