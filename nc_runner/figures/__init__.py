"""What all figures share: one style file, and the colours of Okabe and Ito, made for colour-blind readers."""

from __future__ import annotations

from pathlib import Path

BLUE, ORANGE, GREEN, YELLOW, PURPLE, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#666666",
)  # fmt: skip


def style_path() -> str:
    """The style file every figure is drawn with."""
    return str(Path(__file__).parent / "nc_run.mplstyle")
