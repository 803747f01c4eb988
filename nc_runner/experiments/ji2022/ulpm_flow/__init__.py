"""Ji et al. 2022, Figure 2: four measures of collapse in the unconstrained layer-peeled model, far past any descent."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ji2022.ulpm_flow import claims, figures, measure

EXPERIMENT = Experiment(
    paper="ji2022",
    figure="2",
    summary="collapse in the layer-peeled model by gradient flow to t = e^1000000, and by descent to t = 1e5",
    cost="87 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("margin_ratio", "kkt_residual", "within_between_trace_ratio", "conserved_drift"),
    warnings=claims.warnings,
)
