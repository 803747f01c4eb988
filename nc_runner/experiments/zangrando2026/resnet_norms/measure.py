"""The norm of every weight of a residual network, for Figure 4 of Zangrando et al. 2026."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.config.choices import ModelName
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.models import ResidualMLP


def measure(network: ResidualMLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The norm of every weight, and the objective."""
    assert network is not None
    logits = dict(network.features(x))[network.depth]
    yield from deep.fit(network, logits, y, config)
    yield from deep.layers(network, x, y, config, bound=False)


def check(config: Config) -> None:
    """Refuse what has no optimum to compare with: no block, no weight decay on the first layer, other inputs."""
    deep.check_orthonormal_inputs(config)
    if config.model.name is not ModelName.residual_mlp:
        raise UserError(f"model.name={config.model.name.name}: has no blocks; allowed is residual_mlp.")
    if config.model.depth < 3:
        raise UserError(f"model.depth={config.model.depth}: allowed is at least 3, for one block.")
    if not config.train.weight_decay_first:
        raise UserError(
            f"train.weight_decay_first={config.train.weight_decay_first}: without it on the first layer there "
            "is no optimum to compare with; allowed is more than 0."
        )
