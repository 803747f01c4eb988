"""Jacot et al. 2025, Figure 1: a linear head after ResNet20 on CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.config import Config
from nc_runner.experiments import head_measures
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.head_claims import claims
from nc_runner.experiments.head_figures import averaged, training_figure
from nc_runner.models import Network

GRAMS = 3  # layers in the bottom row [paper]


def measure(network: Network | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every layer of the head, and the Gram matrices of the last three."""
    yield from head_measures.measure(network, x, y, config, grams=GRAMS)


def draw(results: Results) -> dict[str, Figure]:
    """Figure 1 with the predictions."""
    return {"figure_1": training_figure(results, gram_layers=GRAMS)}


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="1",
    summary="NC1, NC2, balancedness and negativity of the layers of a linear head after ResNet20, over training",
    cost="2 weeks (estimate)",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("self_duality_cosine",),
    check=head_measures.check_pairs,
    warnings=averaged,
)
