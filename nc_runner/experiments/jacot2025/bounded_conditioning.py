"""Jacot et al. 2025, the abstract's (ii): large step sizes, or near-optimality, bound the conditioning of the head."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from torch import Tensor

from nc_runner.config.choices import ModelName
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.jacot2025 import curvature, measures, words
from nc_runner.experiments.jacot2025.conditioning import (
    BOUNDED,
    CONDITION,
    EXCESS,
    NEAR,
    RATE,
    by_probe,
    claims,
    ends,
)
from nc_runner.experiments.jacot2025.curves import curves, legend_above, logarithmic, styles
from nc_runner.experiments.jacot2025.head import check_pairs
from nc_runner.figures.drawing import Drawing, say
from nc_runner.figures.series import plot_mean_std
from nc_runner.metrics import operator_norm
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """As of every linear head, with the curvature of the loss and the norms of the head's layers."""
    assert isinstance(network, MLP)
    yield from measures.measure(network, x, y, config)
    yield from curvature.measured(network, x, y, config.data.classes)
    norms = [
        operator_norm(network.params[f"{i}.weight"].double())
        for i in range(config.model.depth - config.model.linear_layers + 1, config.model.depth + 1)
    ]
    yield None, "first_linear_norm", norms[0]
    largest = norms[0]
    for norm in norms[1:]:
        largest = largest.maximum(norm)
    yield None, "largest_linear_norm", largest


def check(config: Config) -> None:
    """Refuse what has no linear head, and networks whose curvature is not measured."""
    check_pairs(config)
    if config.model.name is not ModelName.mlp:
        raise UserError(
            f"model.name={config.model.name.name}: the curvature of the loss is measured of mlp; allowed is mlp."
        )


def figures(results: Results) -> dict[str, Drawing]:
    """Sharpness over training; conditioning, and the kernel, against the step size; conditioning near the optimum."""
    table, last = by_probe(results), ends(results)
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.0))
    over, against, near, kernel = axes
    for ax in axes:
        ax.set_xscale("log")
        logarithmic(ax)
    curves(over, table, "time", "sharpness", by=RATE, name="step size")
    for value, colour, _ in styles(table, RATE):
        over.axhline(table.loc[table[RATE] == value, "limit"].mean(), color=colour, linestyle="--", linewidth=0.9)
    over.set(title="sharpness over training", xlabel="step size × steps", ylabel="largest Hessian eigenvalue")
    for ax, measured, bounds in (
        (against, CONDITION, (("condition_bound", "--"), ("stable_bound", ":"))),
        (kernel, "kernel", (("kernel_bound", "--"),)),
    ):
        if not last[measured].notna().any():
            say(ax, "no run fits")
            continue
        plot_mean_std(ax, last, RATE, measured, color="black", marker="o", markersize=4)
        for bound, line in bounds:
            mean = last.groupby(RATE)[bound].mean()
            ax.plot(mean.index.to_numpy(), mean.to_numpy(), line, color="0.4", marker=".", linewidth=1.1)
    against.set(title="conditioning of the head", xlabel="step size", ylabel="$c_3 = s_1/s_K$ of its product")
    kernel.set(title="tangent kernel", xlabel="step size", ylabel="‖Θ‖ / N")
    shown = table[table["status"] == "interpolated"]
    for value, colour, marker in styles(shown, RATE):
        rows = shown[(shown[RATE] == value) & (shown[EXCESS] > 0)]
        near.plot(rows[EXCESS], rows[CONDITION], marker, color=colour, markersize=3, alpha=0.7)
    near.axvline(NEAR, color="black", linewidth=0.8)
    near.axhline(BOUNDED, color="black", linewidth=0.8, linestyle="-.")
    near.set(title="near the optimum", xlabel="objective over the least found, − 1", ylabel="$c_3$")
    measured_bound = Line2D([], [], color="0.4", linewidth=1.1, linestyle="--", label="bound by what is measured")
    stable_bound = Line2D([], [], color="0.4", linewidth=1.1, linestyle=":", label="bound by the step size")
    legend_above(figure, over, [measured_bound, stable_bound])
    return {"bounded_conditioning": Drawing(figure, caption(results), notes(results))}


def caption(results: Results) -> str:
    """What the panels show."""
    return (
        f"Gradient descent with several step sizes for one time (step size × steps), {words.runs(results)}; "
        f"{words.fitted(results, ends(results))}. Dashed, first panel: 2(1 + momentum)/step size."
    )


def notes(results: Results) -> list[str]:
    """Everything else."""
    return [
        "Sharpness: the largest eigenvalue of the Hessian of the training loss (1/2N)‖Z_L − Y‖², without the penalty, "
        "by Lanczos' method. Dashed: what is stable, 2(1 + momentum)/step size − λ.",
        "c₃: the largest over the K-th singular value of the product of the linear layers. Dashed: its bound by the "
        "measured kernel, ‖W₁‖ √‖Θ‖ / (s_K(Y) − ‖Z_L − Y‖), W₁ the first linear layer; dotted: the same with the "
        "largest kernel that is stable, N times the first panel's limit (our derivation).",
        f"Third panel: every probe of networks that fit. Line: {NEAR:.0%} above the least objective of all [choice]; "
        f"dash-dotted: a condition number of {BOUNDED:g} [choice].",
        "Θ: the Gram matrix of the gradients of all K N outputs. Dashed: its lower bound "
        "L₂ (s_K(Y) − ‖Z_L − Y‖)² / r², r the largest norm of a linear layer (our derivation); the paper's is K² times "
        "smaller.",
        words.what_fits(results),
        *words.setting(results),
    ]


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="none",
    summary="sharpness, tangent kernel and conditioning of a linear head against the step size",
    cost="2 min",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=(CONDITION, "sharpness"),
    check=check,
)
