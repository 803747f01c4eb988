"""Zangrando et al. 2026, Figure 1: weight decay and collapse make weights low-rank."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.rank_tcv import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="1",
    summary="distance of trained weights from rank K over weight decay and noise, with the bound by cluster variation",
    cost="76 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("objective", "least_relative_gradient"),
    check=deep.check,
)
