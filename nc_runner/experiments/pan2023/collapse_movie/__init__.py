"""Pan 2023, Figure 1.2: three or four classes fall onto the vertices of a simplex as a network trains."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.collapse_movie import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="1.2",
    summary="features, class means and classifiers on the simplex plane over training: a movie and a strip",
    cost="64 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("within_between_trace_ratio", "etf_cosine_deviation_class_means", "min_self_duality_cosine"),
    movie=figures.movie,
    check=measure.check,
)
