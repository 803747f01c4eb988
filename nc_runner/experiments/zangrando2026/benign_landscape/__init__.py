"""Zangrando et al. 2026: paths of falling loss from interpolating starts to collapse, and back to it."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.benign_landscape import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="3",
    summary="descent from interpolating starts to collapse, and back to it after a perturbation of any size",
    cost="at least 29 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("objective", "least_relative_gradient"),
    check=deep.check,
)
