"""Jacot et al. 2025, Figure 2, upper row: how collapse depends on the number of linear layers after an MLP on MNIST."""

from __future__ import annotations

from nc_runner.experiments.base import Experiment
from nc_runner.experiments.jacot2025.depth import claims, figures
from nc_runner.experiments.jacot2025.head import check
from nc_runner.experiments.jacot2025.measures import measure

EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="2",
    summary="NC1 and NC2 against the number of linear layers after an MLP",
    cost="~30 h",
    measure=measure,
    figures=figures,
    claims=claims,
    headline=("linear_head_condition_number",),
    check=check,
)
