"""Zangrando et al. 2026: zero cluster variation costs least, and class means have nearly the whole gradient."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.zangrando2026.zero_tcv import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="Thm. 4.2",
    summary="least representation cost with features free or without variation; the gradient of class means",
    cost="30 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("least_free", "least_collapsed", "predicted"),
    check=measure.check,
)
