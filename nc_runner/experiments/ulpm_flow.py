"""Ji et al. 2022, Figure 2: four measures of collapse in the unconstrained layer-peeled model, far past any descent."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.config import Config
from nc_runner.experiments import geometry, ulpm_measures
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.ulpm_flow_claims import claims, warnings
from nc_runner.experiments.ulpm_flow_figures import figure_2, margin_figure, reachable_figure
from nc_runner.models import ULPM


def measure(network: ULPM | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The four panels, the margin and the KKT conditions, the loss and the integrator's own error."""
    assert network is not None
    outputs = dict(network.features(x))
    features, logits, weight = outputs[1], outputs[2], network.output_layer()[0]
    for named in (
        ulpm_measures.on_its_way(network, logits, y, config),
        geometry.fit(logits, y),
        ulpm_measures.panels(features, y, weight),
        ulpm_measures.margins(features, y, weight),
    ):
        for name, value in named:
            yield None, name, value


def draw(results: Results) -> dict[str, Figure]:
    """The paper's panels to the limit with local slopes and in its own range; margin, KKT residual, loss and error."""
    figures = {"figure_2": figure_2(results), "margin": margin_figure(results)}
    if "gd" in set(results.trials["train.method"]):
        figures["figure_2_reachable"] = reachable_figure(results)
    return figures


EXPERIMENT = Experiment(
    paper="ji2022",
    figure="2",
    summary="collapse in the layer-peeled model by gradient flow to t = e^1000000, and by descent to t = 1e5",
    cost="80 s",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("margin_ratio", "kkt_residual", "within_between_trace_ratio", "conserved_drift"),
    warnings=warnings,
)
