"""Costs of all searches over the predicted one, and the error of the gradient of class means against TCV."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.words import TCV, data
from nc_runner.experiments.zangrando2026.zero_tcv.claims import ACTIVATION, NAME, costs, errors
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import Drawing, say

KINDS = (("free", "features free", ORANGE, -0.16), ("collapsed", "TCV forced to 0", BLUE, 0.16))
ROWS = (("mlp", "linear"), ("mlp", "relu"), ("residual_mlp", "linear"), ("residual_mlp", "relu"))
WORDS = {"mlp": "feedforward", "residual_mlp": "residual", "linear": "linear", "relu": "ReLU"}


def figures(results: Results) -> dict[str, Drawing]:
    """Theorem 4.2 on the left, Lemma 3.4 on the right."""
    usable = results.only(~results.trials["status"].isin(["diverged", "unfinished"]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2), gridspec_kw={"wspace": 0.35})
    draw_costs(left, usable)
    draw_errors(right, usable)
    model, starts = results.config.model, results.config.train.epochs
    drawing = Drawing(
        figure,
        f"Left: least representation cost found from each of {starts} starts over the predicted least. Right: distance "
        "of the class means' gradient from the whole one.",
        [
            f"Networks: L = {model.depth} layers of width {model.width}, no biases; residual ones have "
            f"{model.depth - 2} blocks z + act(W z) between a linear first layer and a linear head.",
            "Left: cost is Σ_{l≥2} ‖W_l‖² of networks that fit one-hot targets, the first layer free, its features "
            f"z₁ of norm at most c = {model.feature_norm:g}. Free: a z₁ for each sample, as independent inputs allow; "
            "TCV forced to 0: one for each class. A mark is a start of L-BFGS with multipliers that ends at an exact "
            "fit, at the height of the local minimum it found.",
            "Line: the least cost of linear networks, of K equal singular values: feedforward (L − 1) K c^{−2/(L−1)}, "
            "residual K (s² + B w²), w(1 + w) = s², c s (1 + w)^B = 1 (our derivation). ReLU networks may fall below "
            "it.",
            "Where z₁ is free, one of a class's samples may stand for all at the same cost, so that zero TCV is "
            "optimal; what is tested is whether the searches agree.",
            "Right: at W_l, l ≥ 2, of random networks; inputs are drawn in towards their class means. Class means are "
            "those of the layer's inputs. Line: error proportional to TCV, above those of all linear networks. Where "
            "samples of a class lie on both sides of a ReLU's kink, its gradient jumps, however small TCV is.",
            TCV,
            data(results),
            "All sizes are our choice.",
        ],
    )
    return {"zero_tcv": drawing}


def draw_costs(ax: Axes, results: Results) -> None:
    """A row of marks a search and kind of network."""
    table = costs(results)
    ax.set(title="Theorem 4.2", ylabel="cost / predicted least cost")
    if table.empty:
        say(ax, "no search that fits")
        return
    for kind, label, colour, shift in KINDS:
        for place, (name, activation) in enumerate(ROWS):
            of = table[(table["kind"] == kind) & (table[NAME] == name) & (table[ACTIVATION] == activation)]
            ratio = of["cost"] / of["predicted"]
            at = place + shift + np.linspace(-0.09, 0.09, len(ratio))
            style: dict[str, Any] = {"marker": "o", "markersize": 3.5, "alpha": 0.7, "linestyle": "none"}
            ax.plot(at, ratio.sort_values(), color=colour, label=label if place == 0 else None, **style)
    ax.axhline(1, color="black", linewidth=1.0, zorder=1)
    ax.set_xticks(range(len(ROWS)), [f"{WORDS[name]}\n{WORDS[activation]}" for name, activation in ROWS])
    ax.set(yscale="log" if (table["cost"] > 3 * table["predicted"]).any() else "linear")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def draw_errors(ax: Axes, results: Results) -> None:
    """Error against TCV, a colour an activation, with a line of slope 1."""
    table = errors(results)
    ax.set(title="Lemma 3.4", xlabel="TCV of the layer's inputs", ylabel="distance of the gradients")
    table = table[(table["error"] > 0) & (table["variation"] > 0)]
    if table.empty:
        say(ax, "not measured")
        return
    for activation, colour in (("linear", BLUE), ("relu", ORANGE)):
        of = table[table[ACTIVATION] == activation]
        style: dict[str, Any] = {"marker": "o", "markersize": 2.5, "alpha": 0.5, "linestyle": "none"}
        ax.plot(of["variation"], of["error"], color=colour, label=WORDS[activation], **style)
    ends = np.array([table["variation"].min(), table["variation"].max()])
    smooth = table[table[ACTIVATION] == "linear"]
    if len(smooth):  # at a kink the gradient jumps, and no constant is one
        constant = (smooth["error"] / smooth["variation"]).max()
        ax.plot(ends, constant * ends, color="black", linewidth=1.0, label="∝ TCV")
    ax.set(xscale="log", yscale="log")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
