"""From the tables to figures and verdicts: the end of every run, and all of ``nc-run plot``."""

from __future__ import annotations

import dataclasses
import logging
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.text import Text

from nc_runner.config.choices import MatmulPrecision
from nc_runner.config.compose import changed_from_paper
from nc_runner.experiments.base import Claim, Experiment, Need, Results, Verdict
from nc_runner.experiments.claim import SHORT
from nc_runner.figures import style_path
from nc_runner.figures.drawing import add_caption
from nc_runner.figures.movie import images
from nc_runner.record.folder import RunFolder
from nc_runner.run.undefined import drawable, judged

log = logging.getLogger(__name__)

COLOURS = {Verdict.reproduced: "green", Verdict.not_reproduced: "red", Verdict.undecided: "yellow"}
MARKS = dict(zip(COLOURS, "\N{CHECK MARK}\N{BALLOT X}?", strict=True))
PLAIN_MARKS = dict(zip(COLOURS, "+-?", strict=True))  # of a terminal that has no others

PRODUCTS = {
    MatmulPrecision.high: "Trained with TF32 products.",
    MatmulPrecision.medium: "Trained with TF32 products, convolutions in bfloat16.",
}


def draw_and_judge(folder: RunFolder, results: Results, experiment: Experiment, console: Console) -> None:
    """Judge the claims and draw the figures into ``folder``, and print what came out."""
    claims = judged(experiment, results)
    folder.write_json("claims.json", [claim.record(experiment.paper) for claim in claims])
    draw(folder, results, experiment)
    print_claims(claims, console)
    for warning in experiment.warnings(results) if experiment.warnings else []:
        console.print(Text(f"Warning: {warning}", "yellow"), soft_wrap=True)
        log.warning("%s", warning)
    console.print(f"Trials: {statuses(results)}.")
    if results.config.scale.name not in ("paper", "cpu"):
        console.print(
            f"scale={results.config.scale.name}: not the paper's sizes, so the verdicts are about these alone."
        )
    print_answer(folder, results, experiment, claims, console)


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
        console.print(f"Claims: {said}{f' (for want of: {why})' if why else ''}", soft_wrap=True)
    first = next(iter(sorted((folder.path / "figures").glob("*.png"))), None)
    console.print(f"Figure: {first or folder.path}", soft_wrap=True)
    for command, meaning in next_commands(folder, results, experiment):
        console.print(f"Next:   {command}  ({meaning})", soft_wrap=True, markup=False)


def next_commands(folder: RunFolder, results: Results, experiment: Experiment) -> list[tuple[str, str]]:
    """What a person would type now, with what it does."""
    commands = [(f"nc-run claims {folder.path}", "every claim with what it needs")]
    scale, name = results.config.scale.name, results.config.experiment
    if scale in ("quick", "smoke"):
        takes_days = experiment.cost.startswith("~")
        larger, what = (
            (" scale=cpu", "sizes for two cores") if takes_days else ("", f"the paper's sizes, {experiment.cost}")
        )
        commands.append((f"nc-run experiment={name}{larger}", what))
    return commands


def draw(folder: RunFolder, results: Results, experiment: Experiment) -> None:
    """Write every figure with its caption under it and its notes beside it, and every movie."""
    mpl.use("Agg")
    sizes = changed_from_paper(results.config, results.taken)
    precision = results.config.train.matmul_precision
    products = f" {PRODUCTS[precision]}" if precision in PRODUCTS else ""
    results = drawable(results)
    with plt.style.context(style_path()), np.errstate(all="ignore"), warnings.catch_warnings():
        # Of a logarithmic axis with nothing positive on it, which then spans a decade and is empty.
        warnings.filterwarnings("ignore", "Data (cannot be log-scaled|has no positive values)", UserWarning)
        for name, drawing in experiment.figures(results).items():
            caption = f"{drawing.caption}{products}"
            add_caption(drawing.figure, caption)
            folder.write_drawing(name, dataclasses.replace(drawing, caption=caption, notes=[*drawing.notes, sizes]))
            plt.close(drawing.figure)
        for name, frames in (experiment.movie(results) if experiment.movie else {}).items():
            folder.write_movie(name, images(frames))


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
