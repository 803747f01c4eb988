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
from rich.padding import Padding
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
    if results.config.scale.name not in ("paper", "cpu"):
        console.print(
            f"scale={results.config.scale.name}: not the paper's sizes, so the verdicts are about these alone."
        )
    console.print(f"Trials: {statuses(results)}.")
    console.print(f"Figures and tables: {folder.path}", soft_wrap=True)
    if claims:
        console.print(f"The claims in full: nc-run claims {folder.path}", soft_wrap=True)


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
