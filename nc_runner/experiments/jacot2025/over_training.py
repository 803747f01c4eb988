"""An experiment that follows a linear head over training: Figures 1 and 4 differ in the network alone."""

from __future__ import annotations

from functools import partial

from nc_runner.experiments.base import Experiment, Results
from nc_runner.experiments.jacot2025 import measures
from nc_runner.experiments.jacot2025.claims import claims
from nc_runner.experiments.jacot2025.figures import training_figure
from nc_runner.experiments.jacot2025.head import check_pairs
from nc_runner.experiments.jacot2025.words import averaged
from nc_runner.figures.drawing import Drawing


def followed_over_training(figure: str, *, network: str, gram_layers: int, cost: str) -> Experiment:
    """The experiment of a figure of the paper, whose bottom row has the Gram matrices of the last layers."""
    return Experiment(
        paper="jacot2025",
        figure=figure,
        summary=f"NC1, NC2, balancedness and negativity of the layers of a linear head after {network}, over training",
        cost=cost,
        measure=partial(measures.measure, grams=gram_layers),
        figures=partial(figures, name=f"figure_{figure}", gram_layers=gram_layers),
        claims=claims,
        headline=("self_duality_cosine",),
        check=check_pairs,
        warnings=averaged,
    )


def figures(results: Results, *, name: str, gram_layers: int) -> dict[str, Drawing]:
    """The paper's figure with the predictions."""
    return {name: training_figure(results, gram_layers=gram_layers)}
