"""Refuse, in one sentence each, unequal classes, wrong labels, splits and held-out data where there can be none."""

from __future__ import annotations

from nc_runner.config.check_model import NETWORKS
from nc_runner.config.choices import IMAGE_DATA, DataName, Imbalance, Method, ModelName, Split
from nc_runner.config.class_sizes import sizes_below, sizes_of
from nc_runner.config.schema import Config
from nc_runner.errors import UserError


def check_classes(config: Config) -> None:
    """Refuse classes without a sample, and what does not go with unequal classes and wrong labels."""
    data = config.data
    if config.model.name is ModelName.ulpm:
        for name, default in (("label_noise", 0.0), ("imbalance", 1.0)):
            if (value := getattr(data, name)) != default:
                raise UserError(
                    f"data.{name}={value:g}: model.name=ulpm has equally many samples of every class; allowed is "
                    f"{default:g}."
                )
    if data.imbalance == 1:
        if data.imbalance_shape is not Imbalance.long_tail:
            raise UserError(
                f"data.imbalance_shape={data.imbalance_shape.name}: data.imbalance=1 makes no class larger; allowed is "
                "long_tail, or data.imbalance above 1."
            )
        return
    if data.name in IMAGE_DATA and data.per_class is None:
        raise UserError(
            f"data.imbalance={data.imbalance:g}: of images the size of the largest class is data.per_class, which is "
            "null; allowed is 1, or a data.per_class."
        )
    sizes = sizes_below(data.per_class, data) if data.per_class is not None else sizes_of(data.samples, data)
    if min(sizes) < 1:
        raise UserError(
            f"data.imbalance={data.imbalance:g}: leaves a class without a sample, of {sum(sizes)} in all; allowed is "
            "less, or more samples."
        )


def check_test(config: Config) -> None:
    """Refuse splits and held-out data of sets that have none, and held-out data for models that look at no inputs."""
    data = config.data
    if data.split is Split.test and (data.name not in IMAGE_DATA or data.name is DataName.digits):
        raise UserError(f"data.split=test: data.name={data.name.name} has no splits; allowed is train.")
    if not data.test:
        return
    reason = None
    if data.split is Split.test:
        reason = "data.split=test trains on the images that would be held out"
    elif config.train.method is Method.none:
        reason = "train.method=none trains nothing"
    elif config.model.name not in NETWORKS:
        reason = f"model.name={config.model.name.name} looks at no inputs"
    elif data.name is DataName.balanced:
        reason = "the labels of data.name=balanced do not depend on the inputs"
    elif data.name is DataName.digits and data.per_class is None:
        raise UserError(
            "data.test=true: data.name=digits has no test split; allowed with a data.per_class, which leaves the other "
            "images for it."
        )
    if reason:
        raise UserError(f"data.test=true: {reason}; allowed is false.")
