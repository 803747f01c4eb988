"""Time or weight decay? How much of the growth of collapse with weight decay in Figure 3.1 of Pan 2023 is time."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.bn_wd_sweep.measure import measure
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, NC3
from nc_runner.experiments.pan2023.decay_times import claims, figures

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="of 3.1",
    summary="time or weight decay: g, NC1 and NC3 against decay times, each training annealed, by weight decay",
    cost="1.5 h",
    measure=measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=(INTRA, INTER, NC3),
)
