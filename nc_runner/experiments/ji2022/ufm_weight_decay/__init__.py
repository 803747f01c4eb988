"""Free features and a classifier under weight decay, trained, against the closed form of their optimum.

The companion with weight decay of the unregularised model of Ji et al. (2022); the closed form is our derivation.
"""

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.ji2022.ufm_weight_decay import claims, figures, measure

EXPERIMENT = Experiment(
    paper="ji2022",
    figure="companion",
    summary="norms, gap and loss of free features under weight decay against the closed form, to the collapse to zero",
    cost="31 s",
    measure=measure.measure,
    figures=figures.figures,
    claims=claims.claims,
    headline=("logit_gap", "weight_norm_squared", "feature_norm_squared"),
)
