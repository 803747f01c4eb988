"""From the tables to the files of figures, as ``figures.*`` of the config asks for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from nc_runner.config.choices import MatmulPrecision, Split
from nc_runner.config.compose import changed_from_paper
from nc_runner.config.figures import FiguresConfig
from nc_runner.errors import UserError
from nc_runner.experiments.base import Experiment, Results
from nc_runner.figures.drawing import Drawing
from nc_runner.figures.fit import fit
from nc_runner.figures.look import rescale, styled
from nc_runner.figures.movie import images
from nc_runner.record.drawings import write_drawing
from nc_runner.record.folder import RunFolder
from nc_runner.run.alike import parts
from nc_runner.run.over_key import over_key
from nc_runner.run.undefined import drawable

PRODUCTS = {
    MatmulPrecision.high: "Trained with TF32 products.",
    MatmulPrecision.medium: "Trained with TF32 products, convolutions in bfloat16.",
}


def draw(folder: RunFolder, results: Results, experiment: Experiment, out: Path | None = None) -> list[str]:
    """Write every figure with its caption under it and its notes beside it, and every movie.

    Args:
        out: where the figures go instead of the folder's ``figures``; movies then stay where they are.

    Returns:
        What was asked for and could not be drawn, in a sentence each.
    """
    look, lacks = results.config.figures, []

    def write(name: str, drawing: Drawing) -> None:
        finish(drawing, look)
        if out is None:
            folder.write_drawing(name, drawing, look.format)
        else:
            write_drawing(out, name, drawing, look.format)
        plt.close(drawing.figure)

    with drawing_in(look):
        for part in parts(results):
            config = part.results.config
            sizes = changed_from_paper(config, part.results.taken)
            told = [f"Of {part.said}."] if part.said else []
            told += [PRODUCTS[config.train.matmul_precision]] if config.train.matmul_precision in PRODUCTS else []
            told += ["Trained on images of the test split."] if config.data.split is Split.test else []
            shown = drawable(part.results)
            for name, drawing in experiment.figures(shown).items():
                caption, notes = " ".join([drawing.caption, *told]), [*drawing.notes, sizes]
                write(f"{name}{part.suffix}", replace(drawing, caption=caption, notes=notes))
            if experiment.movie and out is None:
                for name, frames in experiment.movie(shown).items():
                    folder.write_movie(f"{name}{part.suffix}", images(frames))
        if look.x is not None:
            try:
                write(f"over_{look.x.split('.')[-1]}", over_key(drawable(results), experiment.headline))
            except UserError as error:
                lacks.append(str(error))
    return lacks


def finish(drawing: Drawing, look: FiguresConfig) -> None:
    """Lay a drawn figure out as it is asked for, with its caption where that is wanted."""
    rescale(drawing.figure, look.xscale.name if look.xscale else None)
    fit(drawing.figure, look.width, drawing.caption if look.caption else "")


@contextmanager
def drawing_in(look: FiguresConfig) -> Iterator[None]:
    """Draw without a screen, in a style, and silently where there is nothing to draw."""
    mpl.use("Agg")
    with styled(look.style, look.width), np.errstate(all="ignore"), warnings.catch_warnings():
        # Of a logarithmic axis with nothing positive on it, which then spans a decade and is empty.
        warnings.filterwarnings("ignore", "Data (cannot be log-scaled|has no positive values)", UserWarning)
        yield
