"""Jacot et al. 2025, Figure 1: a linear head after ResNet20 on CIFAR-10."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Experiment, Measurement, Results
from nc_runner.experiments.jacot2025 import measures
from nc_runner.experiments.jacot2025.claims import claims
from nc_runner.experiments.jacot2025.figures import training_figure
from nc_runner.experiments.jacot2025.head import check_pairs
from nc_runner.experiments.jacot2025.words import averaged
from nc_runner.figures.drawing import Drawing
from nc_runner.models import Network

GRAMS = 3  # layers in the bottom row [paper]


def measure(network: Network | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every layer of the head, and the Gram matrices of the last three."""
    yield from measures.measure(network, x, y, config, grams=GRAMS)


def figures(results: Results) -> dict[str, Drawing]:
    """Figure 1 with the predictions."""
    return {"figure_1": training_figure(results, gram_layers=GRAMS)}


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="1",
    summary="NC1, NC2, balancedness and negativity of the layers of a linear head after ResNet20, over training",
    cost="~2 weeks",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=("self_duality_cosine",),
    check=check_pairs,
    warnings=averaged,
)
