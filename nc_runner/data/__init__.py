"""Where samples come from. Every source returns x float32 [N, ...] and y int64 [N]."""

from __future__ import annotations

from torch import Tensor

from nc_runner.config import DataConfig, DataName
from nc_runner.data.mixture import gaussian_mixture
from nc_runner.data.synthetic import balanced, conic_hull, teacher

__all__ = ["balanced", "conic_hull", "gaussian_mixture", "load", "teacher"]


def load(config: DataConfig) -> tuple[Tensor, Tensor]:
    """The training set a config describes: x float32 [N, dim], y int64 [N]."""
    if config.name is DataName.conic_hull:
        return conic_hull(config.samples, config.dim, config.classes, label_seed=config.label_seed)
    if config.name is DataName.balanced:
        return balanced(config.samples, config.dim, config.classes, input_seed=config.input_seed)
    if config.name is DataName.gaussian_mixture:
        return gaussian_mixture(
            config.samples,
            config.dim,
            config.classes,
            sigma=config.sigma,
            means=config.means,
            seed=config.input_seed,
        )
    return teacher(
        config.samples,
        config.dim,
        config.classes,
        input_seed=config.input_seed,
        label_seed=config.label_seed,
        depth=config.teacher_depth,
        width=config.teacher_width,
    )
