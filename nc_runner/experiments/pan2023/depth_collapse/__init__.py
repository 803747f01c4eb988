"""Pan 2023, section 1.4: with affine BatchNorm and weight decay, deeper networks collapse more."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.bn_wd_sweep.measure import measure
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, NC3
from nc_runner.experiments.pan2023.depth_collapse import claims, figures

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="sec. 1.4",
    summary="collapse and norms of the last layer against depth, 3 to 15, by weight decay, with none as control",
    cost="~45 min",
    measure=measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=(INTRA, INTER, NC3),
)
