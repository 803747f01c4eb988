"""Refuse, in one sentence each, what does not go with a kind of data or of network."""

from __future__ import annotations

from nc_runner.config.choices import (
    CONVOLUTIONAL,
    IMAGE_DATA,
    OF_MLP,
    Clock,
    DataName,
    Method,
    ModelName,
    Norm,
    Solver,
    Start,
)
from nc_runner.config.schema import Config
from nc_runner.errors import UserError

NETWORKS = CONVOLUTIONAL | {ModelName.mlp, ModelName.residual_mlp, ModelName.own}
LONGEST_T = 700.0  # log of the largest time that is a float64
LARGEST_GIB = 8.0


def check_residual(config: Config) -> None:
    """Refuse what does not go with the residual network."""
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
    """Refuse image data without what they need, and other data with what only images have."""
    data = config.data
    if data.name not in IMAGE_DATA:
        for name in ("per_class", "path", "columns", "image_size", "channels"):
            if (value := getattr(data, name)) is not None:
                raise UserError(f"data.{name}={value}: data.name={data.name.name} has no images; allowed is null.")
        return
    if (data.path is None) is (data.name is DataName.images):
        if data.path is None:
            raise UserError(
                "data.path=null: data.name=images needs to know where they are; allowed is a folder, a .npz file, or a "
                "name on the Hugging Face hub."
            )
        raise UserError(
            f"data.path={data.path}: data.name={data.name.name} has a source of its own; allowed is null, or "
            "data=images."
        )
    if data.channels == 2:
        raise UserError("data.channels=2: images are grey or of three colours; allowed are null, 1 and 3.")
    if config.model.name not in NETWORKS:
        raise UserError(
            f"data.name={data.name.name}: model.name={config.model.name.name} looks at no inputs; allowed are the "
            "networks, such as mlp."
        )


def check_head(config: Config) -> None:
    """Refuse what does not go with several linear layers at the end, and with convolutional networks."""
    model = config.model
    if model.first_width is not None and (model.name is not ModelName.mlp or model.depth < 2):
        found = "" if model.name is ModelName.mlp else f", not of model.name={model.name.name}"
        raise UserError(
            f"model.first_width={model.first_width}: is of an mlp of two layers or more{found}; allowed is null."
        )
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
                f"model.linear_layers={model.linear_layers}: a BatchNorm would stand between the linear layers of mlp; "
                "allowed is 1, or model.norm=none."
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


def check_start(config: Config) -> None:
    """Refuse starts at zero loss where the network has none."""
    data, model = config.data, config.model
    if model.start not in OF_MLP:
        return
    said = f"model.start={model.start.name}"
    if model.name is not ModelName.mlp or model.norm is not Norm.none or model.bias or model.depth < 2:
        raise UserError(
            f"{said}: is of hidden layers without BatchNorm and biases; allowed with model.name=mlp, model.norm=none, "
            "model.bias=false and model.depth of at least 2."
        )
    for key, of in (("data.dim", data.dim), ("model.width", model.width)):
        if of < data.samples and not (key == "data.dim" and data.name in IMAGE_DATA):
            raise UserError(
                f"{key}={of}: {said} fits exactly, which takes a dimension for each sample; allowed is at least "
                f"data.samples={data.samples}."
            )


def check_own(config: Config) -> None:
    """Refuse a network of one's own without its name, another with one, and what we cannot change in it."""
    model = config.model
    if model.name is not ModelName.own:
        for name, nothing in (("_target_", None), ("args", {})):
            if (value := getattr(model, name)) != nothing:
                raise UserError(f"model.{name}={value}: model.name={model.name.name} has none; allowed is model=own.")
        return
    if not model._target_ or "." not in model._target_:
        raise UserError(f"model._target_={model._target_}: model.name=own needs it; allowed is package.module.Class.")
    for name, only in (("depth", 1), ("norm", Norm.none), ("dropout", 0.0)):
        if (value := getattr(model, name)) != only:
            raise UserError(
                f"model.{name}={getattr(value, 'name', value)}: model.name=own is as its class makes it; allowed is "
                f"{getattr(only, 'name', only)}."
            )
    if config.train.weight_decay_first is not None:
        raise UserError(
            f"train.weight_decay_first={config.train.weight_decay_first:g}: model.name=own has the same weight decay "
            "in all layers; allowed is null."
        )


def check_peeled(config: Config) -> None:
    """Refuse what does not go with the unconstrained layer-peeled model and the methods that train it alone."""
    data, model, train, flow = config.data, config.model, config.train, config.flow
    special = train.method in (Method.gd, Method.flow, Method.critical_point)
    if special and model.name is not ModelName.ulpm:
        raise UserError(f"train.method={train.method.name}: allowed with model.name=ulpm; {model.name.name} takes sgd.")
    if train.warmup and train.method is not Method.gd:
        raise UserError(f"train.warmup={train.warmup}: train.method=gd alone has a warm-up in steps; allowed is 0, and "
                        "train.lr_warmup, a share of the epochs, with train.method=sgd.")  # fmt: skip
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
            f"model.start=saddle: Example 3.1 of Ji et al. (2022) has four classes of one sample; allowed with "
            f"data.classes=4 and data.samples=4, not {data.classes} and {data.samples}."
        )
    if model.start is not Start.normal and model.width < data.classes:
        raise UserError(
            f"model.width={model.width}: model.start={model.start.name} takes a dimension for each class; allowed is "
            f"at least data.classes={data.classes}."
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
    """Memory that a trial of gd, flow or critical_point takes, roughly, in GiB."""
    classes, samples, width = config.data.classes, config.data.samples, config.model.width
    unknowns = (samples + classes) * width
    numbers = 40.0 * unknowns
    if config.train.method is Method.critical_point or config.flow.solver is Solver.LSODA:
        numbers += 4.0 * unknowns**2
    elif config.train.method is Method.flow:
        numbers += 8.0 * (classes * width) ** 2 + samples * (width**2 + 2 * classes**3)
    return 8 * numbers / 2**30
