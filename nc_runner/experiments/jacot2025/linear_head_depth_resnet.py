"""Jacot et al. 2025, Figure 2, lower row, and Figure 5: as linear_head_depth, after ResNet20 on CIFAR-10 or MNIST."""

from __future__ import annotations

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.jacot2025.depth import figures
from nc_runner.experiments.jacot2025.depth_claims import claims
from nc_runner.experiments.jacot2025.head import check
from nc_runner.experiments.jacot2025.measures import measure

EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="2, 5",
    summary="NC1 and NC2 against the number of linear layers after ResNet20",
    cost="~3 days",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=("linear_head_condition_number",),
    check=check,
)
