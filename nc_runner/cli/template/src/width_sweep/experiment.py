"""How collapse of the last layer depends on the width of the network."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Experiment, Kind, Measurement, Results, Statement
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.needs import decay_times, grid_complete, interpolates, seeds
from nc_runner.figures import BLUE
from nc_runner.figures.drawing import Drawing
from nc_runner.figures.series import plot_over, seeds_phrase
from nc_runner.models import MLP

NC1 = "within_between_trace_ratio"

WIDER_COLLAPSES_MORE = Statement(
    id="wider_collapses_more",
    short="NC1 falls with width",
    text="Wider networks collapse more: NC1 of the last layer falls with the width.",
    source="what we expect",
    rule="in every seed smaller at the largest width than at the least",
    needs=(interpolates, seeds(3), grid_complete(), decay_times()),
    kind=Kind.ours,
)


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """NC1 of the last layer's features, and fit."""
    assert network is not None
    outputs, (weight, _) = dict(network.features(x)), network.output_layer()
    last = network.depth - 1
    for name, value in geometry.collapse(outputs[last], y, weight):
        yield last, name, value
    for name, value in geometry.fit(outputs[network.depth], y):
        yield None, name, value


def figures(results: Results) -> dict[str, Drawing]:
    """NC1 against width."""
    final = results.final()
    figure, ax = plt.subplots(figsize=(4.5, 3.2))
    plot_over(ax, final, "model.width", NC1, color=BLUE, marker="o")
    ax.set(xscale="log", yscale="log", xlabel="width", ylabel="tr $S_W$ / tr $S_B$")
    widths = sorted(final["model.width"].unique())
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.tick_params(axis="x", which="minor", labelbottom=False)
    caption = f"NC1 of last-layer features; {seeds_phrase(final)}."
    notes = ["S_W and S_B are the within-class and between-class covariance; NC1 is the ratio of their traces."]
    return {"nc1_against_width": Drawing(figure, caption, notes)}


def claims(results: Results) -> list[Claim]:
    """Wider networks collapse more."""
    by_width = results.final().pivot(index="model.width", columns="seed", values=NC1)
    if len(by_width) < 2:
        return [WIDER_COLLAPSES_MORE.judged(results, None, "one width")]
    ratio = by_width.iloc[-1] / by_width.iloc[0]
    measured = f"the largest width's NC1 over the least's: {ratio.min():.3g} to {ratio.max():.3g}"
    return [WIDER_COLLAPSES_MORE.judged(results, bool((ratio < 1).all()), measured, f"{ratio.max():.2g}")]


EXPERIMENT = Experiment(
    paper="own",
    figure="none",
    summary="NC1 of the last layer against the width of the network",
    cost="~5 min",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=(NC1,),
)
