"""Refuse, in one sentence each, what does not go with an optimiser, a schedule, a loss or a norm."""

from __future__ import annotations

from typing import Any

from nc_runner.config.check_model import NETWORKS
from nc_runner.config.choices import ADAPTIVE, LossName, Method, ModelName, Norm, Optimizer, Schedule
from nc_runner.config.schema import Config, TrainConfig
from nc_runner.errors import UserError

_OF_SGD = ("optimizer", "schedule", "lr_warmup", "label_smoothing", "gradient_clip")


def check_training(config: Config) -> None:
    """Refuse keys of a training that the method, the optimiser or the schedule would not look at."""
    train = config.train
    if train.method is not Method.sgd:
        for name in _OF_SGD:
            _only_default(train, name, f"train.method={train.method.name} has none")
    if train.optimizer not in ADAPTIVE:
        for name in ("beta2", "adam_eps"):
            _only_default(train, name, f"train.optimizer={train.optimizer.name} has none")
    if train.optimizer is Optimizer.gd:
        if train.batch_size is not None:
            raise UserError(f"train.batch_size={train.batch_size}: train.optimizer=gd takes the full batch; allowed is "
                            "null, with train.momentum=0.")  # fmt: skip
        if train.momentum:
            raise UserError(
                f"train.momentum={train.momentum:g}: train.optimizer=gd has none; allowed is 0, or train.optimizer=sgd "
                "with train.batch_size=null."
            )
    if train.optimizer is Optimizer.nesterov and not train.momentum:
        raise UserError("train.momentum=0: train.optimizer=nesterov needs one; allowed is more than 0, or "
                        "train.optimizer=sgd.")  # fmt: skip
    if train.schedule is Schedule.steps and train.lr_milestones and train.lr_warmup > train.lr_milestones[0]:
        raise UserError(
            f"train.lr_warmup={train.lr_warmup:g}: ends after the first of train.lr_milestones={train.lr_milestones}; "
            f"allowed is at most {train.lr_milestones[0]:g}, or train.schedule=cosine or constant."
        )
    if train.label_smoothing and (train.loss is not LossName.cross_entropy or config.model.name not in NETWORKS):
        raise UserError(
            f"train.label_smoothing={train.label_smoothing:g}: is of the cross-entropy of networks; allowed is 0 with "
            f"train.loss={train.loss.name} and model.name={config.model.name.name}."
        )


def check_layers(config: Config) -> None:
    """Refuse norms on layers that there are not, and norms and dropout of mlp elsewhere."""
    model = config.model
    if model.name is not ModelName.mlp:
        if model.norm is Norm.layer:
            raise UserError(f"model.norm=layer: model.name={model.name.name} has no LayerNorm; allowed with mlp.")
        for name, default in (("norm_on", "null"), ("dropout", "0")):
            if value := getattr(model, name):
                raise UserError(
                    f"model.{name}={value}: is for model.name=mlp; allowed with {model.name.name} is {default}."
                )
    if model.norm_on is None:
        return
    if model.norm is Norm.none:
        raise UserError(f"model.norm_on={model.norm_on}: model.norm=none puts none anywhere; allowed is null.")
    layers = model.norm_on
    if not layers or sorted(set(layers)) != layers or layers[0] < 1 or layers[-1] >= model.depth:
        raise UserError(
            f"model.norm_on={layers}: allowed are increasing numbers of hidden layers, from 1 to model.depth - 1 = "
            f"{model.depth - 1}; null for all, or model.norm=none."
        )


def _only_default(train: TrainConfig, name: str, reason: str) -> None:
    value, default = getattr(train, name), getattr(TrainConfig(), name)
    if value != default:
        raise UserError(f"train.{name}={_plain(value)}: {reason}; allowed is {_plain(default)}.")


def _plain(value: Any) -> str:
    return "null" if value is None else value.name if hasattr(value, "name") else f"{value:g}"
