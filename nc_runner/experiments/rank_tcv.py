"""Zangrando et al. 2026, Figure 1: weight decay and collapse make weights low-rank."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.config import Config
from nc_runner.experiments import deep_measures
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.rank_tcv_claims import claims
from nc_runner.experiments.rank_tcv_figures import bound_figure, heat_maps
from nc_runner.models import MLP


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Distance from rank K and its bound in every layer, and how near a critical point the network is."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep_measures.fit(network, logits, y, config)
    yield from deep_measures.layers(network, x, y, config)
    yield from deep_measures.cluster_variations(network, x, y)


def draw(results: Results) -> dict[str, Figure]:
    """The paper's heat maps, a panel a layer, and the bound over every measurement."""
    return {"figure_1": heat_maps(results), "bound": bound_figure(results)}


EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="1",
    summary="distance of trained weights from rank K over weight decay and noise, with the bound by cluster variation",
    cost="2 min",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("objective", "relative_gradient"),
    warnings=deep_measures.undecayed,
    check=deep_measures.check,
)
