"""What a trial's network is called."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results

VIT, RESNET = "VisionTransformer", "resnet20"
SHOWN = {VIT: "ViT", RESNET: "ResNet20", "resnet18": "ResNet18", "vgg13": "VGG13", "mlp": "MLP"}


def architecture(results: Results, table: pd.DataFrame) -> pd.Series[str]:
    """Of each row of a table of trials ``model.name``, and of a network of one's own the name of its class."""
    of_all = flatten(results.config)
    names, targets = (
        table[key] if key in table else pd.Series(of_all[key], table.index, dtype=object)
        for key in ("model.name", "model._target_")
    )
    classes = targets.map(lambda target: str(target).rpartition(".")[2])
    return names.where(names != "own", classes)


def shown(name: str) -> str:
    """A network as a person writes it."""
    return SHOWN.get(name, name)
