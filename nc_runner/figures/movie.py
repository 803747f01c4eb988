"""From figures to the images of a movie."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

COLOURS = 128  # of the one palette; a GIF has room for 256, and fewer compress better


def images(figures: Iterable[Figure]) -> list[Image.Image]:
    """Each figure as an image at its own size and dpi, all with one palette; each figure is closed once drawn.

    One palette, and no dithering, so that what does not move is the same from frame to frame: it neither flickers
    nor takes room in the file.
    """
    drawn = []
    for figure in figures:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
        plt.close(figure)
    if not drawn:
        return []
    together = Image.fromarray(np.concatenate(drawn))
    palette = together.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    return [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]
