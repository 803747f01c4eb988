"""Tables of Gram matrices at a first and a last probe."""

import pandas as pd

from nc_runner.config.choices import DataName, LossName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results

CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, samples=6, dim=6, classes=2),
    model=ModelConfig(depth=2, width=6, norm=Norm.none, bias=False),
    train=TrainConfig(
        loss=LossName.mse, epochs=100, learning_rate=1.0, weight_decay=2e-2, lr_milestones=[], batch_size=None
    ),
    grid={"model.activation": ["relu", "linear"]},
)


def results(
    *,
    status: str = "interpolated",
    block: float = 1e-4,
    early_block: float = 0.03,
    variation: float = 1e-3,
    cosines: tuple[float, float] = (0.05, 0.02),
    epochs: tuple[int, ...] = (1, 100),
    seeds: int = 5,
    gradient: float = 1e-3,
    output_cosine: float = 0.9,
    first_cosine: float = 0.4,
    activations: tuple[str, ...] = ("relu", "linear"),
    config: Config = CONFIG,
) -> Results:
    """ReLU and linear networks of two layers; the values given are those of the last epoch, cosines those of seed 0."""
    rows, trials = [], []
    for activation in activations:
        trials += [[f"{activation[0]}{seed}", status, seed, activation, epochs[-1]] for seed in range(seeds)]
    for trial, _, seed, activation, _ in trials:
        cosine = cosines[0] if activation == "relu" else cosines[1]
        rows.append([trial, epochs[-1], None, "least_relative_gradient", gradient])
        for epoch in epochs:
            last = epoch == epochs[-1]
            for layer in (1, 2):
                end = output_cosine if layer == 2 else cosine if seed == 0 else 0.01
                of = {
                    "within_block_share": (early_block if layer == 1 else block) if last else 0.2,
                    "relative_cluster_variation": variation if last else 0.5,
                    "mean_abs_class_cosine": end if last else first_cosine,
                }
                of |= {f"gram_{i:03d}_{j:03d}": float(10 * i + j) for i in range(6) for j in range(i, 6)}
                rows += [[trial, epoch, layer, metric, value] for metric, value in of.items()]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(config, pd.DataFrame(trials, columns=["id", "status", "seed", "model.activation", "epochs"]), table)
