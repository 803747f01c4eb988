"""For every share of the classes: the cosines of trained networks, what the sharper bound allows, and the theorem's."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.every_delta import allowed_at, column
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.experiments.pan2023.theorem_marks import NETWORKS, NOTHING, by_kind, legend, shades
from nc_runner.experiments.pan2023.theorem_table import last_probes
from nc_runner.figures import GREY
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import seeds_phrase

VACUOUS = "0.92"


def delta_figure(results: Results) -> Drawing:
    """1 - the k-th least intra-class cosine after training, with both bounds, against k."""
    networks, _ = by_kind(results)
    classes = results.config.data.classes
    final = last_probes(networks[networks["status"] == "interpolated"])
    final = final.dropna(subset="sharper_intra_lower_bound_1") if "sharper_intra_lower_bound_1" in final else final[:0]
    figure, (cosines, distances) = plt.subplots(1, 2, figsize=(8.8, 3.7))
    k = np.arange(1, classes + 1)
    top = 10.0
    for decay, colour in shades("OrRd", final[WEIGHT_DECAY]).items():
        for _, row in final[final[WEIGHT_DECAY] == decay].iterrows():
            intra, sharper = (
                np.array([row.get(f"{name}_{i}", np.nan) for i in k], dtype=float)
                for name in ("intra_cosine_augmented", "sharper_intra_lower_bound")
            )
            theorem = (1 - row["intra_cosine_lower_bound"]) * np.array([allowed_at(i, classes) for i in k[:-1]])
            top = max(top, *theorem)
            cosines.plot(k, intra, color=colour, marker="s", markeredgecolor="white", markeredgewidth=0.5)
            cosines.plot(k, sharper, color=colour, linestyle="--", marker="_")
            distances.plot(k, 1 - sharper, color=colour, linestyle="--", marker="_")
            distances.plot(k[:-1], theorem, color=colour, linestyle=":", marker=".")
    distances.axhspan(1, 10 * top, color=VACUOUS, linewidth=0, zorder=0)
    if len(final):
        distances.text(0.97, 0.2, "vacuous", transform=distances.transAxes, ha="right", fontsize="small")
    cosines.set(ylim=(-0.03, 1.03), ylabel="k-th least intra-class cosine", title="measured, and promised")
    distances.set(yscale="log", ylim=(1e-1, 10 * top), ylabel="1 − cosine", title="what each bound allows")
    for ax in (cosines, distances):
        ax.set(xlabel="k = δC, of C classes", xticks=k, xlim=(0.7, classes + 0.3))
        if final.empty:
            say(ax, "no network with perfect training accuracy" if len(networks) else NOTHING)
    styles: tuple[tuple[str, dict[str, Any]], ...] = (
        ("measured", {"marker": "s"}),
        ("sharper bound (ours)", {"linestyle": "--", "marker": "_"}),
        ("bound of Theorem 2.3.1", {"linestyle": ":", "marker": "."}),
    )
    entries: list[Any] = [(Line2D([], [], color=GREY, **style), label) for label, style in styles]
    legend(figure, entries, "", centre=0.28, columns=1)
    square: dict[str, Any] = {"marker": "s", "linestyle": "none"}
    colours: list[Any] = []
    for decay, colour in shades("OrRd", final[WEIGHT_DECAY]).items():
        square["color"] = colour
        colours.append((Line2D([], [], **square), f"λ = {decay:g}"))
    legend(figure, colours, NETWORKS, centre=0.7, columns=4)
    least = column(final, "sharper_intra_lower_bound_1").max()
    return Drawing(
        figure,
        "Networks after training: the k-th least intra-class cosine, and what two bounds say of it. "
        f"{seeds_phrase(results.trials, band=False).capitalize()}. {words.UNCENTRED}",
        [
            "Theorem 2.3.1 at δ = k/C is for at least (1−δ)C classes, so for the k-th least cosine (by continuity, our "
            "derivation). It says nothing of k = C.",
            "Sharper bound (our derivation): (t² − π)², t = x/(x + (αβ − c)/δ), π = ε/(δB). c: the mean margin over "
            "the mean logit that the loss implies. x: the least mean margin of one class that the loss allows. B: the "
            "least cost of a misplaced sample. Its distance from 1 falls as ε, the theorem's as √ε.",
            "Grey: a bound says nothing there."
            + (
                f" The largest cosine that the sharper bound promises every class is {least:.2g}."
                * bool(least == least)
            ),
            *words.COSINES,
            words.SELF_PAIRS,
            *words.setting(results.config, networks),
        ],
    )
