"""Pan 2023, Figure 3.3: weight decay makes a deep network collapse in earlier layers."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from torch import Tensor

from nc_runner import metrics
from nc_runner.config import Config
from nc_runner.experiments import geometry
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.depth_claims import claims
from nc_runner.experiments.depth_figures import layers_figure, sharpening_figure, weight_decay_figure
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """NCC accuracy and cosines of every hidden layer after its BatchNorm, NCC accuracy of the logits, and fit."""
    assert network is not None
    for layer, output in network.features(x):
        if layer < network.depth:
            for name, value in geometry.layer(output, y):
                yield layer, name, value
        else:
            yield layer, "ncc_accuracy", metrics.ncc_accuracy(output, y)
            for name, value in geometry.fit(output, y):
                yield None, name, value


def draw(results: Results) -> dict[str, Figure]:
    """Figure 3.3, effective depth and g over layer and weight decay, and g by layer as training goes on."""
    return {
        "figure_3_3": layers_figure(results),
        "effective_depth": weight_decay_figure(results),
        "sharpening": sharpening_figure(results),
    }


EXPERIMENT = Experiment(
    paper="pan2023",
    figure="3.3",
    summary="NCC accuracy and cosines of all 15 layers, by weight decay",
    cost="9 min",
    measure=measure,
    draw=draw,
    claims=claims,
)
