"""Jacot et al. 2025, the abstract's (i): with a wide first layer, training with weight decay fits and balances."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Experiment, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025 import words
from nc_runner.experiments.jacot2025.bounds import bounds_hold
from nc_runner.experiments.jacot2025.conditions import gradient_descent, relative_error
from nc_runner.experiments.jacot2025.curves import logarithmic
from nc_runner.experiments.jacot2025.head import check_pairs
from nc_runner.experiments.jacot2025.imbalance import with_predictions
from nc_runner.experiments.jacot2025.layers import NC1, NC2, column, final_layers, with_columns
from nc_runner.experiments.jacot2025.measures import measure
from nc_runner.experiments.needs import decay_times, finished, interpolates, plain_network, seeds
from nc_runner.figures import BLUE, GREY, ORANGE
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_mean_std

WIDTH = "model.first_width"
LOW = 0.5  # [choice] of s_K(Y), the largest error of which Theorem B.1 says anything: a low training error
BALANCED = 0.01  # [choice] balancedness of linear layers that are balanced
BELOW = 0.05  # [choice] relative, by which an error may be below what it is at a stationary point

_SOURCE = "abstract, (i)"
_CONVERGED = (plain_network, gradient_descent, decay_times(), seeds(3))

FITS = Statement(
    "wide_first_layer_fits",
    "a wide first layer: low training error",
    "For networks with a wide first layer, gradient descent with weight decay reaches a low training error.",
    _SOURCE,
    f"||Z_L - Y||_F is at most {LOW:g} [choice] of s_K(Y) = sqrt(N/K) in every run whose first layer has as many units "
    "as there are samples, last epoch",
    (finished, *_CONVERGED),
)
BALANCES = Statement(
    "wide_first_layer_balances",
    "a wide first layer: balanced linear layers",
    "For networks with a wide first layer, gradient descent with weight decay balances the linear layers.",
    _SOURCE,
    f"balancedness of every two linear layers is at most {BALANCED:g} [choice] in every run whose first layer has as "
    "many units as there are samples, last epoch",
    (interpolates, *_CONVERGED),
)
SHRINKS = Statement(
    "error_above_shrinkage",
    "the training error is at least what weight decay costs",
    "At a stationary point all layers have one norm ||W||_F, and <Z_L, Y - Z_L> = N lambda ||W||_F^2, so that the "
    "error is at least (1 - p) sqrt(N) with p (1 - p) = lambda ||W||_F^2, that of outputs p Y.",
    "stationarity of the penalised loss in each layer's scale",
    f"the error is no more than {BELOW:.0%} [choice] below it, in every run whose first layer has as many units as "
    "there are samples, last epoch",
    (interpolates, *_CONVERGED),
    Kind.derived,
)


def by_run(results: Results) -> pd.DataFrame:
    """One row a trial that did not diverge, at its last epoch.

    ``width`` of the first layer; ``error`` ||Z_L - Y||_F / sqrt(N), and ``shrinkage`` what it would be of outputs p Y
    at a stationary point, NaN where none has such a norm; ``balancedness`` the largest of two linear layers, and
    ``predicted`` that of the recursion.
    """
    config, final = results.config, with_columns(results.final(), "loss", "objective")
    decay = column(final, "train.weight_decay", config.train.weight_decay)
    depth = column(final, "model.depth", config.model.depth)
    weighted = 2 * (final["objective"] - final["loss"]) / depth  # lambda ||W||_F^2, of the mean layer
    shrinkage = (1 - np.sqrt((1 - 4 * weighted).where(lambda x: x >= 0))) / 2
    table = pd.DataFrame(
        {
            "id": final["id"], "seed": final["seed"], "status": final["status"],
            "width": column(final, WIDTH, config.model.first_width or config.model.width),
            "error": relative_error(final), "shrinkage": shrinkage.where(decay > 0),
        }
    )  # fmt: skip
    pairs = with_predictions(results)
    last = pairs[pairs["epoch"] == pairs.groupby("id")["epoch"].transform("max")]
    last = last.assign(predicted=last["predicted"] / last["imbalance"] * last["balancedness"])
    largest = last.groupby("id")[["balancedness", "predicted"]].max()
    return table[table["status"] != "diverged"].merge(largest, left_on="id", right_index=True, how="left")


def wide(results: Results) -> Results:
    """The trials whose first layer has as many units as there are samples."""
    config, trials = results.config, results.trials
    width = column(trials, WIDTH, config.model.first_width or config.model.width).fillna(config.model.width)
    return results.only(width >= column(trials, "data.samples", config.data.samples))


def claims(results: Results) -> list[Claim]:
    """What the paper says of wide first layers, and what it comes to."""
    of = wide(results)
    fit = of.only(of.trials["status"] == "interpolated")
    return [
        fits(of, by_run(results)),
        balances(fit, by_run(fit)),
        shrinks(fit, by_run(fit)),
        *bounds_hold(results),
    ]


def there(of: Results) -> Need:
    """Some first layer is as wide."""
    return Need(
        "wide first layer", "model.first_width at least data.samples", f"{len(of.trials)} trials", len(of.trials) > 0
    )


def fits(of: Results, table: pd.DataFrame) -> Claim:
    """Every wide network fits; the error of all widths is told."""
    own = table[table["id"].isin(of.trials["id"])]
    if own.empty:
        return FITS.judged(of, None, "no wide first layer", needs=[there(of)])
    classes = of.config.data.classes
    largest = own["error"].max(skipna=False) * np.sqrt(classes)
    means = table.groupby("width")["error"].mean() * np.sqrt(classes)
    measured = "error over s_K(Y): " + ", ".join(f"{value:.3g} at {width:g}" for width, value in means.items())
    return FITS.judged(of, bool(largest <= LOW), measured, f"{largest:.2g} of s_K(Y)", [there(of)])


def balances(of: Results, table: pd.DataFrame) -> Claim:
    """Every wide network that fits ends balanced."""
    if table["balancedness"].isna().all():
        return BALANCES.judged(of, None, "no linear layers of a wide network that fits", needs=[there(of)])
    largest = table["balancedness"].max(skipna=False)
    measured = f"at most {largest:.2g}, by the recursion {table['predicted'].max():.2g}; {len(table)} runs"
    return BALANCES.judged(
        of, bool(largest <= BALANCED), measured, f"at most {largest:.2g}", [there(of), small_steps(table)]
    )


def small_steps(table: pd.DataFrame) -> Need:
    """Steps leave less imbalance than is asked for, by the recursion from the gradients at the end."""
    plateau = table["predicted"].max(skipna=False)
    required = f"balancedness by the recursion, which steps alone leave, at most {BALANCED:g}"
    return Need("steps small enough", required, f"{plateau:.2g}", bool(plateau <= BALANCED))


def shrinks(of: Results, table: pd.DataFrame) -> Claim:
    """The error of every wide network that fits is at least the shrinkage."""
    if table.empty:
        return SHRINKS.judged(of, None, "no wide network that fits", needs=[there(of)])
    times = table["error"] / table["shrinkage"]
    least = times.min(skipna=False)
    measured = f"{least:.3g} to {times.max():.3g} times as large, {len(times)} runs"
    return SHRINKS.judged(of, bool(least >= 1 - BELOW), measured, f"{least:.3g} times", [there(of)])


def figures(results: Results) -> dict[str, Drawing]:
    """Error, balancedness, NC1 and NC2 against the width of the first layer, each with what is predicted of it."""
    table = by_run(results)
    layers = final_layers(results, NC1, NC2, *BOUNDS.values())
    layers = layers[layers["layer"] == layers["layer"].max() - 1]
    layers = with_columns(layers.replace(np.inf, np.nan), *BOUNDS.values())
    layers = layers.assign(width=layers["id"].map(table.set_index("id")["width"]))
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.0), gridspec_kw={"wspace": 0.36})
    panels = (
        (table, "error", "shrinkage", "training error", r"‖$Z_L$ − Y‖ / √N"),
        (table, "balancedness", "predicted", "balancedness, linear layers", "‖W₊ᵀW₊ − WWᵀ‖, relative"),
        (layers, NC1, BOUNDS[NC1], "NC1, last hidden layer", "tr $S_W$ / tr $S_B$"),
        (layers, NC2, BOUNDS[NC2], "NC2, last hidden layer", "condition number"),
    )
    for ax, (rows, measured, predicted, title, label) in zip(axes, panels, strict=True):
        logarithmic(ax)
        ax.set(xscale="log", title=title, xlabel="width of the first layer", ylabel=label)
        if not rows[measured].notna().any():
            say(ax, "no run fits")
            continue
        plot_mean_std(ax, rows, "width", measured, color=BLUE, marker="o", markersize=4, label="measured")
        mean = rows.groupby("width")[predicted].mean()
        ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color=ORANGE, marker=".", label="predicted, or a bound")
        ax.axvline(results.config.data.samples, color=GREY, linewidth=0.8, linestyle=":", label="as many as samples")
    axes[0].axhline(
        results.config.data.classes**-0.5, color="black", linewidth=0.8, linestyle="-.", label=r"$s_K(Y)/\sqrt{N}$"
    )
    handles = axes[0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=len(handles))
    return {"wide_first_layer": Drawing(figure, caption(results, table), notes(results))}


BOUNDS = {NC1: "trace_ratio_sharper_bound", NC2: "condition_number_sharper_bound"}


def caption(results: Results, table: pd.DataFrame) -> str:
    """What the points are."""
    return (
        f"Networks with a first layer of several widths after training, {words.runs(results)}; "
        f"{words.fitted(results, table[table['status'] == 'interpolated'])}. Right panels: those alone."
    )


def notes(results: Results) -> list[str]:
    """Everything else."""
    return [
        "Dashed, training error: the least that weight decay costs at a stationary point, 1 − p with p(1 − p) = λ‖W‖², "
        "‖W‖² the mean over the layers (our derivation). Dash-dotted: s_K(Y), where Theorem B.1 ends.",
        "Dashed, balancedness: the largest of the linear layers by the recursion of SGD from where the loss has "
        "settled (our derivation).",
        "Dashed, NC1 and NC2: Theorem B.1 in its sharper form (our derivation), from what each network has; left out "
        "where it is infinite.",
        "Dotted: as many units as there are samples, from where on the theorem on wide first layers speaks.",
        words.DEFINITION_OF_NC1,
        words.DEFINITION_OF_NC2,
        words.DEFINITION_OF_BALANCEDNESS,
        *words.setting(results),
    ]


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="none",
    summary="training error, balancedness and collapse against the width of the first layer",
    cost="15 min",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=("objective",),
    check=check_pairs,
)
