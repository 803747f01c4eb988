"""Tables of measures that are powers of log epoch, and the verdicts on them."""

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd

from nc_runner.cli.mistakes import compose
from nc_runner.config.schema import Config, DataConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.unregularized_collapse.claims import claims

METRICS = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]
CELLS = [("resnet18", "mnist", "train"), ("resnet18", "cifar10", "train"), ("vgg13", "cifar10", "train")]
CONFIG = Config(
    data=DataConfig(samples=1000, classes=10),
    train=TrainConfig(epochs=200, batch_size=128, learning_rate=0.07, momentum=0.3, weight_decay=0.0, lr_milestones=[]),
)
WORDS = ("experiment=unregularized_collapse",)


def results(
    *, start: int = 10, end: int = 300, decay: float = 0.0, words: tuple[str, ...] = WORDS, seeds: int = 3,
    scale: float = 1.0, late: float = 1.0, ncc: float = 0.0, cells: list[tuple[str, str, str]] = CELLS, **rates: float,
) -> Results:  # fmt: skip
    """Measures that are powers of log epoch in each cell; ``metric=rate`` changes one in the last cell.

    Of self-duality in the last cell: ``scale`` multiplies it, and ``late`` the last five probes.
    """
    trials, rows = [], []
    for (model, data, split), seed in itertools.product(cells, range(seeds)):
        name = f"{model}-{data}-{seed}"
        trials.append([name, "interpolated", seed, model, data, split, decay])
        epochs = sorted({int(e) for e in np.geomspace(1, end, 40).round()})
        for i, epoch in enumerate(epochs):
            values = {"accuracy": 1.0 if epoch >= start else 0.9, "loss": 1 / epoch, "ncc_error": 0.1 / epoch**2}
            values["mean_classifier_norm"] = 0.3 * epoch ** rates.get("mean_classifier_norm", 0.0)
            for metric in (*METRICS, "norm_variation_weights_predicted"):
                rate = rates.get(metric, -1.0) if (model, data, split) == cells[-1] else -1.0
                values[metric] = (0.2 - 0.01 * seed) * (max(math.log(epoch), 0.1) / 2) ** rate
            if (model, data, split) == cells[-1]:
                values["self_duality_distance"] *= scale * (late if i >= len(epochs) - 5 else 1.0)
                values["ncc_error"] += ncc
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "model.name", "data.name", "data.split", "train.weight_decay"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    config = compose([*words, f"grid={{train.weight_decay:[{decay}]}}"])
    if cells is CELLS:
        own = config.grid | {"data.name,data.split": [["mnist", "train"], ["cifar10", "train"]]}
        config = dataclasses.replace(config, grid=own)
    return Results(config, pd.DataFrame(trials, columns=columns), table)


def verdicts(of: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(of)}
