"""Does the architecture change how far the last layer collapses? A vision transformer and ResNet20 on MNIST."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ours.vit_resnet import claims, figures, measure

EXPERIMENT = Experiment(
    paper="ours",
    figure="none",
    summary="NC1 to NC3 of a vision transformer and of ResNet20 that fit MNIST equally well, by weight decay",
    cost="~2 days",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=(claims.NC1, claims.NC3),
    check=measure.check,
    any_network=True,
)
