"""Figure 2 of Zangrando et al. 2026, and the distance of networks from the prediction against delta."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.singular_values.claims import ACTIVATION, FIRST, compared, spectra
from nc_runner.experiments.zangrando2026.words import DIVERGED, NOTHING, power, setting
from nc_runner.figures import BLUE, GREEN, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

PREDICTED = (
    "Predicted: the minimiser of the objective over linear networks. Each weight has K equal singular values, s for "
    "l ≥ 2 and s/√δ for l = 1; the others are 0 (our derivation; exact for linear networks only)."
)
LEAST = 1e-16  # where smaller values are drawn on a logarithmic axis


def figures(results: Results) -> dict[str, Drawing]:
    """Singular values with predictions, linear over ReLU, a column a delta; and the distance against delta."""
    return {"figure_2": spectra_figure(results), "distance": distance_figure(results)}


def spectra_figure(results: Results) -> Drawing:
    """Lines: singular values of each layer by number. Circles: predicted."""
    table, layers, config = compared(results), spectra(results), results.config
    activations = [a for a in ("linear", "relu", "leaky_relu") if a in set(results.trials[ACTIVATION])]
    firsts = sorted(results.trials[FIRST].unique(), reverse=True)
    figure, axes = plt.subplots(
        len(activations), len(firsts), figsize=(1.95 * len(firsts) + 0.8, 2.1 * len(activations) + 0.3), sharex=True,
        sharey="col", squeeze=False,
    )  # fmt: skip
    colours = mpl.colormaps["viridis"](np.linspace(0.05, 0.85, config.model.depth))
    count = min(config.model.width, 2 * config.data.classes)
    for activation, of_row in zip(activations, axes, strict=True):
        of_row[0].set_ylabel(f"{activation}\nsingular value")
        for first, ax in zip(firsts, of_row, strict=True):
            trials = table[(table[ACTIVATION] == activation) & (table[FIRST] == first)]
            if trials.empty:
                say(ax, NOTHING)
                continue
            draw_spectra(ax, layers[layers["id"].isin(trials["id"])], count, colours)
            draw_prediction(ax, trials.iloc[0], config.data.classes, colours[0])
    for first, ax in zip(firsts, axes[0], strict=True):
        ax.set_title(f"δ = {first / config.train.weight_decay:g}")
    for ax in axes[-1]:
        ax.set(xlim=(0.5, count + 0.5), ylim=(0, None), xlabel="number of the value")
    handles = [mpl.lines.Line2D([], [], color=c, label=f"layer {n}") for n, c in enumerate(colours, 1)]
    for colour, words in ((colours[0], "predicted, layer 1"), ("black", "predicted, other layers")):
        circle: dict[str, Any] = {
            "color": colour,
            "marker": "o",
            "markersize": 3.2,
            "markerfacecolor": "none",
            "linestyle": "none",
        }
        handles.append(mpl.lines.Line2D([], [], label=words, **circle))
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=len(handles))
    return Drawing(
        figure,
        "Lines: singular values of each weight after training, one for each layer and network. Circles: the optimum of "
        f"linear networks. {seeds_phrase(table, band=False).capitalize()}.",
        [
            f"Singular values are numbered from the largest; the first {count} are shown. A line ends where its weight "
            "has no more of them. Where lines coincide, the last layer's is on top.",
            "Each column has its own vertical scale.",
            PREDICTED,
            "No circles for δ = 0, where there is no minimiser: layer 1 grows and the others shrink without end.",
            DIVERGED,
            *setting(results),
        ],
    )


def draw_spectra(ax: Axes, layers: pd.DataFrame, count: int, colours: np.ndarray) -> None:
    """A line a layer and network: its first ``count`` singular values."""
    columns = [f"singular_value_{k}" for k in range(1, count + 1) if f"singular_value_{k}" in layers]
    for layer, colour in enumerate(colours, 1):
        for values in layers.loc[layers["layer"] == layer, columns].to_numpy(dtype=float):
            ax.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.2, label=f"layer {layer}")


def draw_prediction(ax: Axes, trial: pd.Series, classes: int, first: np.ndarray) -> None:
    """K circles for layer 1, in its colour, and K black ones for the others."""
    if not trial["delta"] > 0:
        return
    for level, colour in ((trial["predicted_first"], first), (trial["predicted_hidden"], "black")):
        circles = np.arange(1, classes + 1), np.full(classes, level)
        ax.plot(*circles, "o", color=colour, markersize=3.2, markerfacecolor="none", label="predicted")


def distance_figure(results: Results) -> Drawing:
    """How far singular values are from the prediction, and objectives from the optimum."""
    table = compared(results)
    table = table[table["delta"] > 0]
    figure, axes = plt.subplots(1, 3, figsize=(10.6, 2.8), gridspec_kw={"wspace": 0.4})
    marks = {"linear": ("o", BLUE), "relu": ("s", ORANGE), "leaky_relu": ("^", GREEN)}
    for activation, rows in table.groupby(ACTIVATION):
        marker, colour = marks[str(activation)]
        style = {
            "marker": marker,
            "color": colour,
            "linestyle": "none",
            "alpha": 0.8,
            "label": f"{activation} networks",
        }
        drawn = (rows["constrained_distance"], rows["distance"], rows["excess"].abs().clip(lower=LEAST))
        for ax, values in zip(axes, drawn, strict=True):
            if values.notna().any():
                ax.plot(rows["delta"], values, **style)
    axes[0].set(title="Constrained prediction", ylabel="distance, layers 2 to L")
    axes[1].set(title="Singular values", ylabel="distance from the optimum's")
    axes[2].set(title="Objective", ylabel="|objective / optimum − 1|")
    for ax in axes:
        ax.set(xlabel="δ = first layer's weight decay / λ")
        if not ax.lines:
            say(ax, f"{NOTHING} with δ > 0" if table.empty else "not measured")
            continue
        ax.set(xscale="log", yscale="log")
        ax.margins(0.1, 0.15)
    if not table.empty:
        axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=3)
    return Drawing(
        figure,
        "Each point is a trained network, compared with the constrained prediction (left) and with the optimum of "
        f"linear networks at the same δ; {seeds_phrase(table, band=False)}.",
        [
            "Left: ‖s − ŝ‖ / ‖ŝ‖ over all singular values s of layers 2 to L; ŝ are K equal ones, c^{−1/(L−1)}, the "
            "others 0: those of the optimum over features of norm at most c after layer 1, in the limit λ → 0 (our "
            "derivation). c is the largest norm of a network's features there. As we read Figure 2 it is what singular "
            "values approach as δ → 0.",
            "Middle: the same over all layers, with ŝ the predicted ones at this δ, zeros included.",
            f"Right: values below {power(LEAST)} are drawn there.",
            PREDICTED,
            "δ = 0 is left out: there is no minimiser.",
            DIVERGED,
            *setting(results),
        ],
    )
