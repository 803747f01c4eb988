"""The slopes of Figure 2's measures at each setting, up to the times that descent reaches."""

from __future__ import annotations

import matplotlib.pyplot as plt

from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022.laws import SHORT, STATEMENTS, fitting
from nc_runner.experiments.ji2022.panels import say_if_empty
from nc_runner.experiments.ji2022.ulpm_settings.claims import SETTING, TOLERANCE, said, slopes_by_setting, start_is
from nc_runner.experiments.ji2022.words import DEFINITIONS
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import Drawing

OF_PANELS = dict(zip(STATEMENTS, "aabccd", strict=True))


def figures(results: Results) -> dict[str, Drawing]:
    """A panel a measure, a row a setting: the mean slope over seeds, and a bar from the least to the largest."""
    flow = fitting(results)
    slopes = slopes_by_setting(flow.only(start_is(flow, "normal")))
    settings = list(slopes.groupby(list(SETTING), sort=False))
    figure, axes = plt.subplots(
        1, len(STATEMENTS), figsize=(13.0, 0.8 + 0.24 * max(len(settings), 4)), sharey=True, gridspec_kw={"wspace": 0.1}
    )
    for ax, (name, panel) in zip(axes, OF_PANELS.items(), strict=True):
        for y, (_, rows) in enumerate(settings):
            values = rows[name]
            colour = BLUE if values.mean() <= -1 + TOLERANCE else ORANGE
            ax.plot([values.min(), values.max()], [y, y], color=colour, linewidth=1.2)
            ax.plot([values.mean()], [y], "o", color=colour, markersize=4.5)
        say_if_empty(ax, "no flow")
        ax.axvline(-1, color="black", linewidth=0.8, linestyle=":", zorder=1.6)
        ax.set(title=f"({panel}) {SHORT[name]}", xlabel="slope")
    axes[0].set_yticks(range(len(settings)), [said(setting) for setting, _ in settings])
    axes[0].invert_yaxis()
    seeds = results.trials["seed"].nunique()
    shown = "one seed" if seeds == 1 else f"mean over {seeds} seeds, with a bar from least to largest"
    return {
        "settings": Drawing(
            figure,
            "Slopes of the logs of the layer-peeled model's measures against log log t, t = 1e3 to 1e5, by gradient "
            f"flow at each setting (a row): {shown}.",
            [
                "Unconstrained layer-peeled model: free features H under a classifier W without bias, K classes, n "
                "samples a class, width d. The paper gives none of K, n, d, the start and the reduction of the loss.",
                "Starts: iid normal of the given standard deviation. Loss: sum or mean of the cross-entropy over "
                "samples, not regularised.",
                "Slopes: by least squares over the outputs between t = 1e3 and 1e5, about as far as descent with a "
                "constant step gets [choice]. A decay of O(1/log t) is a line of slope −1 (dotted), or steeper.",
                f"Blue: the mean is at most −1 + {TOLERANCE:g} [choice].",
                "Shown are of (a) the norms of class means and of classifiers as they are, of (b) tr S_W / tr S_B, of "
                "(c) the cosines of class means and of centred classifiers, and (d).",
                *DEFINITIONS,
            ],
        )
    }
