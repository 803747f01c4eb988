"""The keys that say how figures look and which there are; they change no number."""

from __future__ import annotations

from dataclasses import dataclass

from nc_runner.config.choices import AxisScale
from nc_runner.config.field import key


@dataclass
class FiguresConfig:
    width: float | None = key(
        None, "of figures, in inches, as 3.3 or 6.75 for a journal's columns; null: as designed", low=2.5, high=30.0
    )
    style: str | None = key(None, "a matplotlib style sheet, a file or one of its own by name, that comes after ours")
    caption: bool = key(True, "whether the caption is written under the figure; it is in NAME.md in any case")
    format: list[str] = key(["png", "pdf"], "of the files: png, pdf, svg")
    by: list[str] = key([], "keys on which runs differ, for a set of figures at each of their values")
    x: str | None = key(None, "a varied key, for one more figure: metrics over it, a line a value of the other keys")
    xscale: AxisScale | None = key(None, "of horizontal axes, linear, log or symlog; null: as designed")
    metrics: list[str] = key([], "what the figure over x shows; none named: the experiment's headline")
