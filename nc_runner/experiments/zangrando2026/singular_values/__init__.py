"""Zangrando et al. 2026, Figure 2: trained singular values against those of the optimum as the first layer is freed."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.singular_values import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="2",
    summary="singular values of trained linear and ReLU networks against the optimum, as the first layer is freed",
    cost="14 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("objective", "least_relative_gradient"),
    check=deep.check_orthonormal_inputs,
)
