"""Tables of the vision transformer and ResNet20, made by hand; at default every claim holds."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from nc_runner.cli.mistakes import compose
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.ours.architecture import RESNET, VIT
from nc_runner.experiments.ours.vit_resnet.claims import NC1, NC2, NC3, claims

TARGET = "nc_runner.models.vit.VisionTransformer"
ARMS = {(RESNET, 0.0): -1.0, (RESNET, 5e-4): -3.0, (VIT, 0.0): -0.9, (VIT, 5e-4): -2.9}  # log10 of NC1 at the end
EPOCHS = {1: 0.5, 10: 0.9, 40: 0.995, 100: 1.0, 200: 1.0}  # training accuracy
FIRST = 40  # the first of them that counts as a fit


@lru_cache
def config() -> Config:
    return compose(["experiment=vit_resnet"])


def results(
    arms: Mapping[tuple[str, float], float] | None = None, *, first: float = 0.1, nc3: float = 0.99,
    nc3_vit: float = 0.98, nc2: float = 0.03, nc2_vit: float = 0.05, noise: float = 0.02, seeds: int = 3,
    random: int = 0, epochs: int = 200,
) -> Results:  # fmt: skip
    """Normal noise over seeds, a tenth of it on NC2 and NC3.

    ``arms`` changes log10 NC1 at the end, by network and weight decay; ``first`` is that of the ViT less that of
    ResNet20 as they first fit; ``nc3_vit`` and ``nc2_vit`` are the ViT's.
    """
    generator, trials, rows = np.random.default_rng(random), [], []
    for (name, decay), order in (ARMS | dict(arms or {})).items():
        for seed in range(seeds):
            id, vit = f"{name}-{decay:g}-{seed}", name == VIT
            model = ["own", "none", TARGET] if vit else ["resnet20", "affine", None]
            trials.append([id, "interpolated", seed, *model, decay, epochs, 1e-3, 1.0])
            for epoch, accuracy in EPOCHS.items():
                at = order if epoch > FIRST else -0.5 + first * vit if epoch == FIRST else 0.5
                values = {
                    NC1: 10 ** (at + noise * generator.normal()),
                    NC2: (nc2_vit if vit else nc2) + 0.1 * noise * generator.normal(),
                    NC3: (nc3_vit if vit else nc3) + 0.1 * noise * generator.normal(),
                    "accuracy": accuracy, "loss": 1 / epoch, "nc2_norm_variation_class_means": 0.1,
                    "feature_norm": 8.0, "weight_norm": 3.0, "parameters": 251_786.0 if vit else 269_434.0,
                }  # fmt: skip
                rows += [[id, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "model.name", "model.norm", "model._target_", "train.weight_decay", "epochs"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(config(), pd.DataFrame(trials, columns=[*columns, "loss", "accuracy"]), table)


def by_id(of: Results) -> dict[str, Claim]:
    return {claim.id: claim for claim in claims(of)}


def changed(of: Results, **trials: object) -> Results:
    """Other columns of the trials' table."""
    return dataclasses.replace(of, trials=of.trials.assign(**trials))
