"""Pan 2023, Figure 3.3: weight decay makes a deep network collapse in earlier layers."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.depth_minimization import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="3.3",
    summary="NCC accuracy and cosines of all 15 layers, by weight decay",
    cost="63 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
)
