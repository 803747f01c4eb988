"""Refuse, in one sentence each, what the schema's types let through and no run can use."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from nc_runner.config.check_data import check_classes, check_test
from nc_runner.config.check_figures import check_figures
from nc_runner.config.check_model import (
    NETWORKS,
    check_head,
    check_images,
    check_own,
    check_peeled,
    check_residual,
    check_start,
)
from nc_runner.config.check_training import check_layers, check_training
from nc_runner.config.choices import (
    BATCH_NORMS,
    CONVOLUTIONAL,
    DataName,
    LossName,
    Means,
    ModelName,
)
from nc_runner.config.keys import axis_keys, flatten, schema
from nc_runner.config.schema import WITHOUT_EFFECT, Config
from nc_runner.errors import UserError, did_you_mean

LIMITS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "low": (operator.ge, "at least"),
    "above": (operator.gt, "more than"),
    "high": (operator.le, "at most"),
    "below": (operator.lt, "less than"),
}


def check(config: Config) -> None:
    """Refuse what the types let through.

    Raises:
        UserError: naming the key, the value and what is allowed.
    """
    flat, fields = flatten(config), schema()
    for name, item in fields.items():
        check_bounds(name, flat[name], item.metadata)
    check_seeds(config.seeds)
    if config.jobs != "auto" and not (is_whole(config.jobs) and config.jobs >= 1):
        raise UserError(f"jobs={config.jobs}: allowed are auto, or a whole number of at least 1.")
    milestones = config.train.lr_milestones
    if any(not 0 < m < 1 for m in milestones) or sorted(set(milestones)) != milestones:
        raise UserError(f"train.lr_milestones={milestones}: allowed are increasing fractions strictly between 0 and 1.")
    if config.data.samples < config.data.classes:
        raise UserError(
            f"data.samples={config.data.samples}: allowed is at least data.classes={config.data.classes}, one a class."
        )
    samples = config.data.samples
    equal = config.data.name in (DataName.balanced, DataName.gaussian_mixture)
    if equal and config.data.imbalance == 1 and samples % config.data.classes:
        raise UserError(
            f"data.samples={samples}: data.name={config.data.name.name} has equally many samples of every class; "
            f"allowed is a multiple of data.classes={config.data.classes}."
        )
    check_own(config)
    check_images(config)
    check_classes(config)
    check_test(config)
    mixture = config.data.name is DataName.gaussian_mixture
    if mixture and config.data.means is Means.orthonormal and config.data.dim < config.data.classes:
        raise UserError(
            f"data.dim={config.data.dim}: data.means=orthonormal needs a dimension for each class; allowed is at least "
            f"data.classes={config.data.classes}, or data.means=random."
        )
    size = min(config.train.batch_size or samples, samples)
    is_network = config.model.name in NETWORKS
    if not is_network and size < samples:
        raise UserError(
            f"train.batch_size={config.train.batch_size}: model.name={config.model.name.name} moves all {samples} "
            "samples in every step; allowed is null, or at least as many."
        )
    if not is_network and config.train.loss is LossName.mse:
        raise UserError(
            f"train.loss=mse: model.name={config.model.name.name} is trained by its cross-entropy; allowed is "
            "cross_entropy, or a network as model.name."
        )
    check_residual(config)
    check_head(config)
    check_layers(config)
    check_training(config)
    of_mlp = config.model.name is ModelName.mlp and config.model.norm in BATCH_NORMS and config.model.depth > 1
    normalises = of_mlp or config.model.name in CONVOLUTIONAL
    if normalises and (samples % size == 1 or size == 1):
        raise UserError(
            f"train.batch_size={config.train.batch_size}: leaves a batch of one of the {samples} samples, on which "
            f"BatchNorm is undefined; allowed is a size that leaves none{', or model.norm=none' if of_mlp else ''}."
        )
    check_start(config)
    check_peeled(config)
    check_grid(config.grid)
    check_figures(config)


def check_grid(grid: dict[str, list[Any]]) -> None:
    """Refuse an axis of keys that no grid can vary, a key in two axes, and points of other length than their axis."""
    fields, seen = schema(), set[str]()
    for axis, values in grid.items():
        names = axis_keys(axis)
        for name in names:
            if name not in fields or name in WITHOUT_EFFECT or name.split(".")[0] in WITHOUT_EFFECT:
                near = did_you_mean(name, fields) if name not in fields else ""
                question = f" ({near})" if near.startswith("did you") else ""
                raise UserError(
                    f"grid: {name} is not a key a grid can vary{question}; allowed are the keys of data, model, train "
                    "and flow."
                )
            if name == "train.matmul_precision":  # torch has one setting a process, and the stacks share it
                raise UserError(f"grid: {name} holds for a whole run; allowed is one value, {name}=high for example.")
            if name in seen:
                raise UserError(f"grid: {name} is varied twice; allowed is one axis a key.")
            seen.add(name)
        if not values:
            raise UserError(f"grid: {axis}=[] has no values; allowed is a list of at least one.")
        for value in values if len(names) > 1 else []:
            if not isinstance(value, list) or len(value) != len(names):
                raise UserError(f"grid: {axis} has the point {value}; allowed is a list of {len(names)} values.")


def is_whole(value: Any) -> bool:
    """A whole number, which Python's True is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_seeds(seeds: Any) -> None:
    """Refuse all but a positive count, or a non-empty list of distinct non-negative whole numbers."""
    allowed = "allowed is a count of at least 1, or a list of distinct whole numbers of at least 0"
    is_count = is_whole(seeds) and seeds >= 1
    is_list = isinstance(seeds, list) and seeds and all(is_whole(seed) and seed >= 0 for seed in seeds)
    if not is_count and not (is_list and len(set(seeds)) == len(seeds)):
        raise UserError(f"seeds={seeds}: {allowed}.")


def check_bounds(name: str, value: Any, bounds: Any) -> None:
    """Refuse a number that is not finite or not within its field's bounds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    set_bounds = [(*LIMITS[kind], limit) for kind, limit in bounds.items() if kind in LIMITS]
    stated = [f"{words} {limit:g}" for _, words, limit in set_bounds]
    if not math.isfinite(value) or not all(allows(value, limit) for allows, _, limit in set_bounds):
        allowed = " and ".join(stated) if stated else "a finite number"
        raise UserError(f"{name}={value}: {bounds['meaning']}; allowed is {allowed}.")
