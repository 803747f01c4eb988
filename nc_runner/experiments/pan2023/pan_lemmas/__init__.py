"""Pan 2023, Lemmas 2.4.1 to 2.4.5, and Ji et al. 2022, Theorem 3.1: whether they hold, and how tight they are."""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.pan2023.lemmas import LEMMAS
from nc_runner.experiments.pan2023.pan_lemmas import claims, figures, measure

EXPERIMENT = Experiment(
    paper="pan2023",
    figure="Lem. 2.4",
    summary="the lemmas under the theorem on random and adversarial instances: how tight, and one step that is false",
    cost="34 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=tuple(f"largest_{lemma.name}" for lemma in LEMMAS),
    check=measure.check,
)
