"""From the tables to verdicts, beside the figures: the end of every run, and all of ``nc-run plot``."""

from __future__ import annotations

import logging
import shlex
import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from nc_runner.errors import UserError
from nc_runner.experiments.base import Claim, Experiment, Need, Results, Verdict
from nc_runner.experiments.claim import SHORT
from nc_runner.record.folder import RunFolder
from nc_runner.run.alike import parts
from nc_runner.run.draw import draw
from nc_runner.run.results import read_overrides
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
        console.print(f"Trials: {statuses(part.results)}.")
        scale = part.results.config.scale.name
        if scale not in ("paper", "cpu"):
            console.print(f"scale={scale}: not the paper's sizes, so the verdicts are about these alone.")
    print_answer(folder, results, experiment, [claim for _, claims in judged_parts for claim in claims], console)


def print_answer(
    folder: RunFolder, results: Results, experiment: Experiment, claims: Sequence[Claim], console: Console
) -> None:
    """The last lines: how many claims hold, the figure to open, and what to type next."""
    console.print()
    if claims:
        counts = Counter(claim.verdict for claim in claims)
        said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
        lacking = Counter(name for claim in claims for name in {need.name for need in claim.lacks})
        why = ", ".join(name for name, _ in lacking.most_common(3))
        answer = f"Claims: {said}{f' (for want of: {why})' if why else ''}"
        console.print(answer, soft_wrap=not console.is_terminal)
    first = next(iter(folder.pictures(".png")), None)
    console.print(f"Figure: {first or folder.path}", soft_wrap=True)
    for command, meaning in next_commands(folder, results, experiment):
        console.print(f"Next:   {command}  ({meaning})", soft_wrap=True, markup=False)


def next_commands(folder: RunFolder, results: Results, experiment: Experiment) -> list[tuple[str, str]]:
    """What a person would type now, with what it does."""
    commands = [(f"nc-run claims {folder.path}", "every claim with what it needs")]
    config = results.config
    if config.scale.name in ("quick", "smoke"):
        scale, meaning = (
            ("cpu", "sizes for two cores")
            if experiment.cost.startswith("~")
            else ("paper", f"the paper's sizes, {experiment.cost}")
        )
        if chosen := words_of(folder):
            meaning = f"the same at scale={scale}"  # whose cost was measured on the experiment's own words
        words = [f"experiment={config.experiment}", *chosen, *(["scale=cpu"] if scale == "cpu" else [])]
        commands.append((f"nc-run {shlex.join(words)}", meaning))
    return commands


def words_of(folder: RunFolder) -> list[str]:
    """The command line's words but for the experiment, the scale, and where and how it ran; none where they are not
    kept, as of runs put together."""
    try:
        words = read_overrides(folder)
    except UserError:
        return []
    left_out = ("experiment=", "scale=", "hydra.", "jobs=", "device=")
    return [word.removeprefix("++") for word in words if not word.startswith(left_out)]


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
        if claim.lacks:
            lacks = Text(f"  lacks {', '.join(map(spoken, claim.lacks))}", "dim")
            console.print(lacks, no_wrap=True, overflow="ellipsis")


def short(claim: Claim) -> str:
    """The statement in at most :data:`SHORT` letters."""
    return claim.short or textwrap.shorten(claim.statement, SHORT, placeholder=" ...")


def spoken(need: Need) -> str:
    """What lacks, with what there is of it."""
    return f"{need.name} ({need.found})"
