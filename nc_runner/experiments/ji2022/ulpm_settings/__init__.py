"""Ji et al. 2022, Figure 2 where descent reaches, over sizes the paper does not give; the equality of Theorem 3.1."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ji2022.ulpm_flow.measure import measure
from nc_runner.experiments.ji2022.ulpm_settings import claims, figures

EXPERIMENT = Experiment(
    paper="ji2022",
    figure="2, Thm. 3.1",
    summary="slopes up to t = 1e5 over classes, samples, width, start, reduction; the margin at constructed collapse",
    cost="6 min",
    measure=measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("margin_ratio", "within_between_trace_ratio", "conserved_drift"),
)
