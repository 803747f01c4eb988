"""Zangrando et al. 2026, Figure 4: the blocks of a residual network end with equal norms."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.zangrando2026.resnet_norms import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="4",
    summary="norms of the blocks of a residual network in training, against the optimum",
    cost="3 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("objective", "least_relative_gradient"),
    check=measure.check,
)
