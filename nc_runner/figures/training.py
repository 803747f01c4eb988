"""How a training is told in the notes under figures, from a config's dotted keys; what varies, None, is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPTIMIZERS = {"sgd": "SGD", "nesterov": "Nesterov SGD", "adam": "Adam", "adamw": "AdamW", "gd": "gradient descent"}
MOMENTUM = {"adam": "beta1", "adamw": "beta1"}


def optimizer(of: Mapping[str, Any], default: str = "SGD") -> str:
    """The optimiser's name; ``default`` for SGD, and where several were used."""
    name = of["train.optimizer"]
    return default if name in ("sgd", None) else OPTIMIZERS[name]


def momentum(of: Mapping[str, Any]) -> str:
    """What the optimiser calls ``train.momentum``."""
    return MOMENTUM.get(str(of["train.optimizer"]), "momentum")


def step_size(of: Mapping[str, Any], drops: str) -> str:
    """How the step size changes: ``drops`` are the words of the schedule steps."""
    falls = {"steps": drops, "cosine": ", falling to 0 by a cosine"}.get(str(of["train.schedule"]), "")
    warmup = of["train.lr_warmup"]
    return falls + (f", after a linear warm-up over {warmup:.0%} of the epochs" if warmup else "")


def besides(of: Mapping[str, Any]) -> str:
    """Smoothing, clipping and dropout, each after a comma, where there is any."""
    told = (
        ("train.label_smoothing", "labels smoothed by {:g}"),
        ("train.gradient_clip", "gradients clipped at norm {:g}"),
        ("model.dropout", "dropout {:g}"),
    )
    return "".join(f", {words.format(of[key])}" for key, words in told if of[key])


def of_data(of: Mapping[str, Any]) -> str:
    """Unequal classes and wrong labels, each after a comma, where there are any."""
    shape = str(of["data.imbalance_shape"]).replace("_", " ")
    told = (
        (of["data.imbalance"] not in (1, None), "largest class {:g} times the smallest (" + shape + ")"),
        (of["data.label_noise"], "{:.0%} of the labels wrong"),
    )
    values = (of["data.imbalance"], of["data.label_noise"])
    return "".join(f", {words.format(value)}" for (there, words), value in zip(told, values, strict=True) if there)
