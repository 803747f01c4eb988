"""What the schema's types let through and a run could not survive, refused in one sentence each."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from nc_runner.config import (
    CONVOLUTIONAL,
    IMAGE_DATA,
    WITHOUT_EFFECT,
    Clock,
    Config,
    DataName,
    LossName,
    Means,
    Method,
    ModelName,
    Norm,
    Solver,
    Start,
)
from nc_runner.dotted import axis_keys, flatten, schema
from nc_runner.errors import UserError

NETWORKS = CONVOLUTIONAL | {ModelName.mlp, ModelName.residual_mlp}
LONGEST_T = 700.0  # log of the largest time that is a float64
LARGEST_GIB = 8.0

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
            f"data.samples={config.data.samples}: allowed is one a class, so at least {config.data.classes}."
        )
    samples = config.data.samples
    equal = config.data.name in (DataName.balanced, DataName.gaussian_mixture)
    if equal and samples % config.data.classes:
        raise UserError(
            f"data.samples={samples}: data.name={config.data.name.name} has as many samples of every class; allowed is "
            f"a multiple of data.classes={config.data.classes}."
        )
    check_images(config)
    mixture = config.data.name is DataName.gaussian_mixture
    if mixture and config.data.means is Means.orthonormal and config.data.dim < config.data.classes:
        raise UserError(
            f"data.dim={config.data.dim}: data.means=orthonormal needs a dimension a class; allowed is at least "
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
    of_mlp = config.model.name is ModelName.mlp and config.model.norm is not Norm.none and config.model.depth > 1
    normalises = of_mlp or config.model.name in CONVOLUTIONAL
    if normalises and (samples % size == 1 or size == 1):
        raise UserError(
            f"train.batch_size={config.train.batch_size}: leaves a batch of one of the {samples} samples, on which "
            "BatchNorm is undefined; allowed is any other size, or model.norm=none."
        )
    check_peeled(config)
    check_grid(config.grid)


def check_residual(config: Config) -> None:
    """What the residual network has no room for."""
    model = config.model
    if model.name is not ModelName.residual_mlp:
        return
    if model.norm is not Norm.none:
        raise UserError(f"model.norm={model.norm.name}: model.name=residual_mlp has no BatchNorm; allowed is none.")
    if model.depth < 2:
        raise UserError(
            f"model.depth={model.depth}: model.name=residual_mlp has a first layer and a head; allowed is at least 2."
        )


def check_images(config: Config) -> None:
    """What image data sets need, and what they alone have."""
    data = config.data
    if data.name not in IMAGE_DATA:
        for name in ("per_class", "path", "image_size", "channels"):
            if (value := getattr(data, name)) is not None:
                raise UserError(f"data.{name}={value}: data.name={data.name.name} has no images; allowed is null.")
        return
    if (data.path is None) is (data.name is DataName.images):
        needed = "a folder or a name on the hub" if data.path is None else "null, or data=images"
        raise UserError(f"data.path={data.path}: data.name={data.name.name}; allowed is {needed}.")
    if data.channels == 2:
        raise UserError("data.channels=2: images are grey or of three colours; allowed are null, 1 and 3.")
    if config.model.name not in NETWORKS:
        raise UserError(
            f"data.name={data.name.name}: model.name={config.model.name.name} looks at no inputs; allowed are the "
            "networks, such as mlp."
        )


def check_head(config: Config) -> None:
    """Linear layers at the end, and networks of convolutions."""
    model = config.model
    if model.linear_layers > 1:
        if model.name is ModelName.residual_mlp or model.name not in NETWORKS:
            raise UserError(
                f"model.linear_layers={model.linear_layers}: allowed is 1 with model.name={model.name.name}; mlp and "
                "convolutional networks take more."
            )
        if model.linear_layers > model.depth:
            raise UserError(
                f"model.linear_layers={model.linear_layers}: allowed is at most model.depth={model.depth}, all layers."
            )
        if model.name is ModelName.mlp and model.norm is not Norm.none:
            raise UserError(
                f"model.linear_layers={model.linear_layers}: with BatchNorm there is none of its linear layers that "
                "follow each other; allowed is 1, or model.norm=none."
            )
    if model.name not in CONVOLUTIONAL:
        return
    if config.data.name not in IMAGE_DATA:
        raise UserError(f"data.name={config.data.name.name}: model.name={model.name.name} sees images; allowed are "
                        f"{', '.join(sorted(name.name for name in IMAGE_DATA))}.")  # fmt: skip
    if model.norm is not Norm.affine:
        raise UserError(
            f"model.norm={model.norm.name}: model.name={model.name.name} has BatchNorm with its affine part after each "
            "convolution, and none in its head; allowed is affine."
        )
    if config.train.weight_decay_first is not None:
        raise UserError(
            f"train.weight_decay_first={config.train.weight_decay_first:g}: model.name={model.name.name} has the same "
            "weight decay in all layers; allowed is null."
        )


def check_peeled(config: Config) -> None:
    """What the unconstrained layer-peeled model asks for, and the methods that train it alone."""
    data, model, train, flow = config.data, config.model, config.train, config.flow
    special = train.method in (Method.gd, Method.flow, Method.critical_point)
    if special and model.name is not ModelName.ulpm:
        raise UserError(f"train.method={train.method.name}: allowed with model.name=ulpm; {model.name.name} takes sgd.")
    if train.warmup and train.method is not Method.gd:
        raise UserError(f"train.warmup={train.warmup}: train.method=gd alone has a warm-up; allowed is 0.")
    if model.name is not ModelName.ulpm:
        return
    if data.name is not DataName.balanced:
        raise UserError(f"data.name={data.name.name}: model.name=ulpm looks at no inputs; allowed is balanced.")
    if special:
        for name, value in (
            ("weight_decay", train.weight_decay),
            ("weight_decay_first", train.weight_decay_first or 0.0),
            ("momentum", train.momentum),
        ):
            if value:
                raise UserError(f"train.{name}={value:g}: train.method={train.method.name} has none; allowed is 0.")
    if model.start is Start.saddle and (data.classes, data.samples) != (4, 4):
        raise UserError(
            f"model.start=saddle: Example 3.1 has four classes of one sample; allowed with data.classes=4 and "
            f"data.samples=4, not {data.classes} and {data.samples}."
        )
    if model.start is not Start.normal and model.width < data.classes:
        raise UserError(
            f"model.width={model.width}: model.start={model.start.name} takes a dimension a class; allowed is at least "
            f"data.classes={data.classes}."
        )
    if flow.clock is Clock.t and flow.log_time > LONGEST_T:
        raise UserError(
            f"flow.log_time={flow.log_time:g}: with flow.clock=t allowed is at most {LONGEST_T:g}, as t overflows."
        )
    if special and (needed := flow_gib(config)) > LARGEST_GIB:
        raise UserError(
            f"model.width={model.width}: {data.samples} samples of {data.classes} classes would take about "
            f"{needed:.0f} GiB; allowed is {LARGEST_GIB:g} GiB"
            + (", or flow.solver=BDF." if flow.solver is Solver.LSODA else ", so a smaller width or fewer samples.")
        )


def flow_gib(config: Config) -> float:
    """Memory a trial of the methods of the layer-peeled model takes, roughly, in GiB."""
    classes, samples, width = config.data.classes, config.data.samples, config.model.width
    unknowns = (samples + classes) * width
    numbers = 40.0 * unknowns
    if config.train.method is Method.critical_point or config.flow.solver is Solver.LSODA:
        numbers += 4.0 * unknowns**2
    elif config.train.method is Method.flow:
        numbers += 8.0 * (classes * width) ** 2 + samples * (width**2 + 2 * classes**3)
    return 8 * numbers / 2**30


def check_grid(grid: dict[str, list[Any]]) -> None:
    """Axes of keys that a trial has, each key in one axis, and as many values at each point as an axis has keys."""
    fields, seen = schema(), set[str]()
    for axis, values in grid.items():
        names = axis_keys(axis)
        for name in names:
            if name not in fields or name.split(".")[0] in WITHOUT_EFFECT:
                raise UserError(
                    f"grid: {name} is not a key a grid can vary; allowed are the keys of data, model, train and flow."
                )
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
    """A positive count, or a non-empty list of distinct non-negative whole numbers."""
    allowed = "allowed is a count of at least 1, or a list of distinct whole numbers of at least 0"
    is_count = is_whole(seeds) and seeds >= 1
    is_list = isinstance(seeds, list) and seeds and all(is_whole(seed) and seed >= 0 for seed in seeds)
    if not is_count and not (is_list and len(set(seeds)) == len(seeds)):
        raise UserError(f"seeds={seeds}: {allowed}.")


def check_bounds(name: str, value: Any, bounds: Any) -> None:
    """Compare one numeric value with its field's bounds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    set_bounds = [(*LIMITS[kind], limit) for kind, limit in bounds.items() if kind in LIMITS]
    stated = [f"{words} {limit:g}" for _, words, limit in set_bounds]
    if not math.isfinite(value) or not all(allows(value, limit) for allows, _, limit in set_bounds):
        allowed = " and ".join(stated) if stated else "a finite number"
        raise UserError(f"{name}={value}: {bounds['meaning']}; allowed is {allowed}.")
