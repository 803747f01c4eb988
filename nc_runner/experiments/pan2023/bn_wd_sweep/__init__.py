"""Pan 2023, Figure 3.1: BatchNorm and weight decay decide how far the last layer collapses."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.bn_wd_sweep import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="3.1",
    summary="last-layer cosines against weight decay: affine, plain and no BatchNorm",
    cost="48 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("min_intra_cosine_uncentred", "max_inter_cosine_uncentred", "ncc_accuracy"),
)
