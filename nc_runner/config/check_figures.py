"""Refuse, in one sentence each, what no figure can be drawn with."""

from __future__ import annotations

from pathlib import Path

from nc_runner.config.keys import schema
from nc_runner.config.schema import Config
from nc_runner.errors import UserError, did_you_mean

FORMATS = ("png", "pdf", "svg")


def check_figures(config: Config) -> None:
    """Refuse a format, a key or a style sheet that there is not.

    Raises:
        UserError: naming the key, the value and what is allowed.
    """
    figures = config.figures
    for name in figures.format:
        if name not in FORMATS:
            raise UserError(f"figures.format={name}: {did_you_mean(name, FORMATS)}")
    if not figures.format:
        raise UserError("figures.format=[]: names no format; allowed are some of png, pdf, svg.")
    for option, keys in (("by", figures.by), ("x", [figures.x] if figures.x else [])):
        for key in keys:
            if key not in schema() and key != "seed":
                raise UserError(f"figures.{option}={key}: there is no such key; {did_you_mean(key, schema())}")
    if figures.style is not None and not Path(figures.style).is_file():
        from matplotlib import style  # only where it is needed, as it takes its time

        if figures.style not in style.available:
            raise UserError(
                f"figures.style={figures.style}: is no file, nor a style sheet of matplotlib's own; allowed are a file "
                "such as paper.mplstyle, and names such as grayscale."
            )
