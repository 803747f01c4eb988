"""Pan 2023, Theorem 2.3.1: a cross-entropy near its least value guarantees collapse, and how near it has to be."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.near_optimal import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="Thm 2.3.1",
    summary="collapse against nearness of the loss to its least value, networks and free features, with the bound",
    cost="13 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("eps", "vacuous_eps", "min_intra_cosine_augmented", "max_inter_cosine_augmented"),
)
