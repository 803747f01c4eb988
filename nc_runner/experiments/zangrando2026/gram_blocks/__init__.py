"""Zangrando et al. 2026, Figure 5: the Gram matrix of each layer's features turns into blocks, one for each class."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.gram_blocks import claims, figures, measure

EXPERIMENT = Experiment(
    paper="zangrando2026",
    figure="5",
    summary="Gram matrices of every layer over training, samples sorted by class: how blocks appear",
    cost="38 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("within_block_share", "mean_abs_class_cosine"),
    check=deep.check,
)
