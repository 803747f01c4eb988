"""The marks that both figures of Theorem 2.3.1 share: networks by weight decay, free features by αβ, and legends."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY
from nc_runner.experiments.pan2023.theorem_table import last_probes, probes
from nc_runner.figures import GREY

NETWORKS = "networks, by weight decay λ"
NOTHING = "no trial has a defined ε"
EARLIER = "before the last epoch"


def by_kind(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The probes of networks and of free features."""
    table = probes(results)
    table["norms"] = table["alpha_beta"].round(6)  # held, so alike at every epoch of free features but for rounding
    return table[table["model.name"] == "mlp"], table[table["model.name"] == "free_features"]


def shades(colours: str, values: pd.Series[float]) -> dict[float, tuple[float, ...]]:
    """A colour for each distinct value, the larger the darker."""
    distinct = sorted(values.unique())
    places = np.linspace(0.4, 1, len(distinct)) if len(distinct) != 1 else [0.8]
    return {value: mpl.colormaps[colours](place) for value, place in zip(distinct, places, strict=True)}


def draw_networks(ax: Axes, networks: pd.DataFrame, x: str, y: str) -> None:
    """Every epoch measured of a network small, the last large, a colour a weight decay."""
    for decay, colour in shades("OrRd", networks[WEIGHT_DECAY]).items():
        of_decay = networks[networks[WEIGHT_DECAY] == decay]
        for _, rows in of_decay.groupby("trial"):
            path: dict[str, Any] = {"color": colour, "linewidth": 0.5, "marker": ".", "markersize": 2.5, "alpha": 0.6}
            ax.plot(rows[x].to_numpy(), rows[y].to_numpy(), **path)
        final = last_probes(of_decay[of_decay["status"] != "diverged"])
        square: dict[str, Any] = {"color": colour, "marker": "s", "linestyle": "none", "markeredgecolor": "white"}
        label = f"λ = {decay:g}"
        ax.plot(final[x].to_numpy(), final[y].to_numpy(), markeredgewidth=0.5, label=label, zorder=4, **square)
    if len(networks):
        ax.plot([], [], color=GREY, linewidth=0.5, marker=".", markersize=4, label=EARLIER)


def legend(figure: Figure, entries: list[tuple[Artist, str]], title: str, *, centre: float, columns: int) -> None:
    """Under the axes."""
    if entries:
        figure.legend(
            *zip(*entries, strict=True),
            loc="upper center",
            bbox_to_anchor=(centre, 0.0),
            ncols=columns,
            title=title,
            columnspacing=1.0,
            handletextpad=0.4,
        )


def entries_of(ax: Axes, *, networks: bool) -> list[tuple[Artist, str]]:
    """Legend entries of the networks, or of everything else."""
    entries = zip(*ax.get_legend_handles_labels(), strict=True)
    return [(handle, label) for handle, label in entries if (label.startswith("λ") or label == EARLIER) == networks]
