"""Tables of distances from low rank that are powers of weight decay and noise."""

import itertools
from typing import Any

import numpy as np
from tables import make_results

from nc_runner.config.choices import DataName
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict

DECAYS, SIGMAS, SEEDS = (2e-2, 1e-1, 5e-1), (0.1, 0.3, 1.0, 2.0, 3.0), (0, 1, 2)
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, samples=6, dim=8),
    model=ModelConfig(depth=3, width=8),
    train=TrainConfig(epochs=100, learning_rate=1.0, lr_milestones=[], batch_size=None),
    grid={"train.weight_decay": list(DECAYS), "data.sigma": list(SIGMAS)},
)
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


def results(
    *,
    decay_power: float = -2.0,
    noise_power: float = 2.0,
    variation_power: float = 1.0,
    bound: float = 10.0,
    early_bound: float = 10.0,
    floor: bool = False,
    output: float = 1e-2,
    status: str = "interpolated",
    gradient: float = 1e-3,
    epochs: int = 100,
    seeds: tuple[int, ...] = SEEDS,
    sigmas: tuple[float, ...] = SIGMAS,
    config: Config = CONFIG,
) -> Results:
    """Networks of two hidden layers and an output layer, at two probes; distances and variations are powers."""
    trials, rows = [], []
    for seed, decay, sigma in itertools.product(seeds, DECAYS, sigmas):
        name = f"{seed}-{decay}-{sigma}"
        trials.append([name, status, seed, decay, sigma, epochs, 0.1, 1.0])
        rows.append([name, epochs, None, "least_relative_gradient", gradient])
        for epoch, times in ((1, early_bound), (epochs, bound)):
            for layer in (1, 2, 3):
                distance = 1e-20 if floor else 1e-7 * decay**decay_power * sigma**noise_power
                distance = output if layer == 3 else distance
                values = {
                    "relative_rank_distance": distance, "rank_distance": distance**0.5, "weight_norm": 1.0,
                    "rank_distance_bound": times * distance**0.5, "input_cluster_variation": sigma,
                    "relative_input_cluster_variation": (sigma**variation_power) ** 2,
                }  # fmt: skip
                rows += [[name, epoch, layer, metric, value] for metric, value in values.items()]
    return make_results(config, ["train.weight_decay", "data.sigma"], trials, rows)


def changed(rows: dict[str, Any], **values: Any) -> Results:
    """The table with other values of a metric in some rows: by layer, epoch, weight decay, noise."""
    table = results()
    metrics = table.metrics.merge(table.trials, left_on="trial", right_on="id")
    chosen = np.logical_and.reduce([metrics[key].isin(np.atleast_1d(of)) for key, of in rows.items()])
    for metric, value in values.items():
        table.metrics.loc[chosen & (metrics["metric"] == metric).to_numpy(), "value"] = value
    return table
