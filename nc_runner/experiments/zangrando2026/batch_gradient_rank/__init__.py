"""Zangrando et al. 2026, Proposition 3.1: gradients of small batches are low-rank."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.batch_gradient_rank import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="none",
    summary="rank of each layer's gradient on a batch against its size, before and after training (Proposition 3.1)",
    cost="12 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    check=deep.check,
)
