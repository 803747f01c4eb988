"""``nc-run measure --plot``: measures over files, as of epochs, or over the layers of one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import product
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from nc_runner.errors import UserError

if TYPE_CHECKING:
    from nc_runner.figures.drawing import Drawing

# What is shown of NC1 to NC4, with its value at collapse; the third only where there is a classifier.
PANELS = {
    "within_between_trace_ratio": ("NC1: within over between", None),
    "etf_cosine_deviation_class_means": ("NC2: angles of means", 0.0),
    "mean_self_duality_cosine_centred": ("NC3: row along its mean", 1.0),
    "ncc_accuracy": ("NC4: nearest mean is right", 1.0),
}
DECADE = 20.0  # times the least of positive values, from where their axis is logarithmic
MOST_LINES = 18  # that one can tell apart

Values = dict[str, dict[str, dict[str, float]]]
"""Of each file and layer a value by measure."""


def plot(told: Values) -> Path:
    """Draw the figure into a new folder, outputs/measure/DATE_TIME; the PNG's path.

    Raises:
        UserError: there is nothing to draw a curve over, too many layers, or the folder cannot be written.
    """
    from nc_runner.config.figures import FiguresConfig
    from nc_runner.record.drawings import write_drawing
    from nc_runner.record.files import make
    from nc_runner.record.provenance import now
    from nc_runner.run.draw import drawing_in, finish

    layers = list(dict.fromkeys(name for of_file in told.values() for name in of_file))
    if len(told) == 1 and len(layers) == 1:
        raise UserError("measure: --plot was given with one layer of one file; allowed are several of either.")
    if len(told) > 1 and len(layers) > MOST_LINES:
        raise UserError(
            f"measure: --plot was given with {len(layers)} layers, more lines than one can tell apart; allowed are "
            f"{MOST_LINES}, as --features chooses them."
        )
    look = FiguresConfig()
    with drawing_in(look):
        drawing = over_files(told, layers) if len(told) > 1 else over_layers(next(iter(told.values())))
        finish(drawing, look)
        stamp = now().split("+")[0].replace("T", "_").replace(":", "-")
        folder = make(Path("outputs") / "measure" / stamp, "measure")
        write_drawing(folder, "measures", drawing, ("png", "pdf"))
    return folder / "measures.png"


def over_layers(of_file: dict[str, dict[str, float]]) -> Drawing:
    """The layers of one file side by side."""
    return drawn({"": [(number, of) for number, of in enumerate(of_file.values())]}, "layer", list(of_file))


def over_files(told: Values, layers: Sequence[str]) -> Drawing:
    """A line a layer over the files: by the number that differs in their names, else one after another."""
    numbers, word = numbered(list(told))
    points = {
        layer: [(x, of_file[layer]) for x, of_file in zip(numbers, told.values(), strict=True) if layer in of_file]
        for layer in layers
    }
    return drawn(points, word, [] if word != "file" else [PurePath(path).stem for path in told])


def numbered(paths: Sequence[str]) -> tuple[list[float], str]:
    """Where each file lies on the axis, and the axis' name.

    ``run/epoch_2.npz``, ``run/epoch_10.npz`` lie at 2 and 10 of "epoch"; names that differ otherwise at 0, 1, ...
    """
    parts = [re.split(r"(\d+)", path) for path in paths]
    varying = {i for of in parts for i in range(len(of)) if len(of) != len(parts[0]) or of[i] != parts[0][i]}
    if len(varying) == 1 and (place := varying.pop()) % 2:
        before = re.findall(r"[^\W\d_]+", parts[0][place - 1])
        return [float(of[place]) for of in parts], before[-1] if before else "number"
    return [float(i) for i in range(len(paths))], "file"


def drawn(points: dict[str, list[tuple[float, dict[str, float]]]], over: str, names: Sequence[str]) -> Drawing:
    """A panel a measure, a line a layer; ``names`` of the places 0, 1, ... where they are no numbers."""
    import matplotlib.pyplot as plt

    from nc_runner.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW
    from nc_runner.figures.drawing import Drawing

    every = [of for line in points.values() for _, of in line]
    shown = {measure: how for measure, how in PANELS.items() if any(measure in of for of in every)}
    figure, axes = plt.subplots(1, len(shown), figsize=(3.1 * len(shown) + 0.4, 2.9), squeeze=False)
    styles = list(product(("-", "--", ":"), zip((BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW), "os^vDP", strict=True)))
    for ax, (measure, (title, collapsed)) in zip(axes.flat, shown.items(), strict=True):
        if collapsed is not None:
            ax.axhline(collapsed, color=GREY, linewidth=0.8, linestyle=":")
        for (layer, line), (dashes, (colour, marker)) in zip(points.items(), styles, strict=False):
            xs = [x for x, of in line if measure in of]
            ys = [of[measure] for _, of in line if measure in of]
            ax.plot(
                xs,
                ys,
                linestyle=dashes,
                color=colour,
                marker=marker,
                markerfacecolor="none",
                label=layer if len(points) > 1 else None,
            )
        ax.set_title(title)
        ax.set_xlabel(over)
        if names:
            ax.set_xticks(range(len(names)), names, rotation=45 if max(map(len, names)) > 3 else 0, ha="right")
    ratios = [ratio for of in every if math.isfinite(ratio := of["within_between_trace_ratio"])]
    if ratios and 0 < min(ratios) < max(ratios) / DECADE:
        axes.flat[0].set_yscale("log")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=min(6, len(labels)))
    undefined = sum(math.isnan(of[measure]) for of in every for measure in shown if measure in of)
    return Drawing(
        figure,
        f"Measures of neural collapse over {over}s; dotted grey: at collapse"
        + (f". {undefined} undefined value{'s have' if undefined > 1 else ' has'} no point." if undefined else "."),
        [
            "NC1: tr S_W / tr S_B, 0 at collapse. NC2: mean deviation of the angles of centred class means from a "
            "simplex ETF's. NC3: mean cosine of classifier row and class mean, both centred. NC4: share of samples "
            "nearest to their own class mean.",
        ],
    )
