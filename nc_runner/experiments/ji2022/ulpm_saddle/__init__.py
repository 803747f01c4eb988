"""Ji et al. 2022, Example 3.1 and Theorem 3.3: a KKT point that is not neural collapse, and how the flow leaves it."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ji2022.ulpm_saddle import claims, figures, measure

EXPERIMENT = Experiment(
    paper="ji2022",
    figure="Ex. 3.1",
    summary="a KKT point that is not neural collapse: how the flow leaves it; other critical points by their Hessian",
    cost="17 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("margin_over_squared_norm", "least_hessian_eigenvalue", "negative_hessian_eigenvalues"),
    check=measure.check,
)
