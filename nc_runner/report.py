"""From saved tables to figures and claims: the end of every run, and all of ``nc-run plot``."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nc_runner.config import Config
from nc_runner.configs import load_saved
from nc_runner.dotted import flatten, to_config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Claim, Experiment, Results, Verdict, claims_table
from nc_runner.figures import style_path
from nc_runner.figures.movie import images
from nc_runner.folder import RunFolder
from nc_runner.trials import effective

log = logging.getLogger(__name__)

VERDICT_COLOURS = {Verdict.reproduced: "green", Verdict.not_reproduced: "red", Verdict.undecided: "yellow"}


def read_config(folder: RunFolder) -> Config:
    """The config of a run, as Hydra saved it.

    Raises:
        UserError: not a run folder, or an unreadable config.
    """
    path = folder.path / ".hydra" / "config.yaml"
    if not path.is_file():
        raise UserError(f"{folder.path}: is not a run folder (it has no .hydra/config.yaml).")
    try:
        return to_config(load_saved(path))
    except Exception as error:
        raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from error


def read_results(folders: Sequence[RunFolder]) -> Results:
    """The tables of one run, or of several of the same experiment put together; a trial in two of them counts once.

    A key on which the runs differ becomes a column of the trials' table, as if one grid had varied it.

    Raises:
        UserError: a folder that is no run, an unreadable table, runs of different experiments.
    """
    configs = [read_config(folder) for folder in folders]
    names = sorted({str(config.experiment) for config in configs})
    if len(names) > 1:
        raise UserError(f"plot: the folders hold different experiments ({', '.join(names)}); allowed are runs of one.")
    keys = [effective(config) for config in configs]
    differing = [key for key in keys[0] if any(other[key] != keys[0][key] for other in keys)]
    trials, metrics = [], []
    for folder, config in zip(folders, configs, strict=True):
        table = folder.read_trials()
        for key in differing:
            if key not in table.columns:
                table.insert(
                    3,
                    key,
                    str(flatten(config)[key]) if isinstance(flatten(config)[key], list) else flatten(config)[key],
                )
        trials.append(table)
        metrics.append(folder.read_metrics())
    owner = pd.concat([table["id"].to_frame().assign(folder=i) for i, table in enumerate(trials)]).drop_duplicates("id")
    kept = [set(owner.loc[owner["folder"] == i, "id"]) for i in range(len(folders))]
    return Results(
        configs[0],
        pd.concat([t[t["id"].isin(k)] for t, k in zip(trials, kept, strict=True)], ignore_index=True),
        pd.concat([m[m["trial"].isin(k)] for m, k in zip(metrics, kept, strict=True)], ignore_index=True),
    )


def draw_and_judge(folder: RunFolder, results: Results, experiment: Experiment, console: Console) -> None:
    """Draw the figures and movies and judge the claims into ``folder``, and print what came out."""
    claims = experiment.claims(results)
    folder.write_json("claims.json", claims_table(claims, experiment.paper))
    mpl.use("Agg")
    with plt.style.context(style_path()):
        for name, figure in experiment.draw(results).items():
            folder.write_figure(name, figure)
            plt.close(figure)
        for name, figures in (experiment.movie(results) if experiment.movie else {}).items():
            folder.write_movie(name, images(figures))
    print_claims(claims, console)
    for warning in experiment.warnings(results) if experiment.warnings else []:
        console.print(Text(f"Warning: {warning}", "yellow"), soft_wrap=True)
        log.warning("%s", warning)
    if results.config.scale.name not in ("paper", "cpu"):
        console.print(
            f"scale={results.config.scale.name}: not the paper's sizes, so the verdicts are about these alone."
        )
    counts = results.trials["status"].value_counts()
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
    console.print(f"Figures and tables: {folder.path}", soft_wrap=True)


def print_claims(claims: Sequence[Claim], console: Console) -> None:
    """The claims as a table, a colour a verdict."""
    if not claims:
        return
    table = Table(title="Claims", title_justify="left", show_lines=True)
    table.add_column("statement", ratio=4)
    table.add_column("expected", ratio=3)
    table.add_column("measured", ratio=3)
    table.add_column("verdict", min_width=10)
    for claim in claims:
        verdict = Text(claim.verdict.value, VERDICT_COLOURS[claim.verdict])
        table.add_row(Text(claim.statement), Text(claim.expected), Text(claim.measured), verdict)
    console.print(table)
