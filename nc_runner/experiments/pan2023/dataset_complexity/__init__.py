"""Pan 2023, section 1.4, and Pan and Cao 2023: the simpler the distribution of the labels, the more collapse."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.dataset_complexity import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="sec. 1.4",
    summary="collapse against the complexity of the labels: conic hull, teachers of depth 3, 6, 9",
    cost="~40 min",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=(INTRA, INTER, measure.RATIO),
)
