"""Jacot et al. 2025, Figure 2, upper row: how collapse depends on the number of linear layers after an MLP on MNIST."""

from __future__ import annotations

from nc_runner.config.choices import CONVOLUTIONAL
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Experiment
from nc_runner.experiments.jacot2025 import head
from nc_runner.experiments.jacot2025.depth import figures
from nc_runner.experiments.jacot2025.depth_claims import claims
from nc_runner.experiments.jacot2025.measures import measure


def check(config: Config) -> None:
    """Refuse what cannot be measured, and networks of convolutions, whose sizes are another experiment's."""
    if config.model.name in CONVOLUTIONAL:
        raise UserError(
            f"model.name={config.model.name.name}: linear_head_depth is of multilayer perceptrons; allowed is mlp, or "
            "experiment=linear_head_depth_resnet."
        )
    head.check(config)


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
