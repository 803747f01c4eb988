"""Zangrando et al. 2026, Figure 3: what 100 random initialisations have in common."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.random_inits import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="3",
    summary="cluster variation, rank and singular values over training from 100 initialisations, in one stack",
    cost="2 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("objective", "least_relative_gradient"),
    check=deep.check_prediction,
)
