"""Ji et al. 2022, Figures 1, 3, 4 and 5: the layer-peeled model's measures in real networks without weight decay."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ji2022.unregularized_collapse import claims, figures, measure

EXPERIMENT = Experiment(
    paper="ji2022",
    figure="1, 3, 4, 5",
    summary="four measures of collapse in ResNet18 and VGG13 on images, without weight decay",
    cost="~24 days",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("within_between_trace_ratio", "self_duality_distance"),
    check=measure.check,
)
