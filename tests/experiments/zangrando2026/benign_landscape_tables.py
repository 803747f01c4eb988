"""Tables of paths to collapse, and of perturbed networks that come back."""

import dataclasses
import itertools

import numpy as np
from tables import make_results

from nc_runner.config.choices import DataName, Precision
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict

POINTS = (("interpolating", 0.0), ("collapsed", 0.0), ("collapsed", 0.1), ("collapsed", 1.0))
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, samples=6, dim=8, sigma=0.1),
    model=ModelConfig(depth=3, width=8),
    train=TrainConfig(
        epochs=100, learning_rate=1.0, weight_decay=2e-2, lr_milestones=[], batch_size=None, precision=Precision.float64
    ),
    grid={"model.start,model.start_noise": [[*point] for point in POINTS]},
)
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


def results(
    *,
    seeds: int = 20,
    bad: int = 0,
    rise: float = 0.0,
    zero_loss: float = 1e-5,
    variation_first: float = 0.1,
    variation: float = 1e-3,
    objective: float = 1.0,
    returned: float = 1e-3,
    small_rank: float = 1e-8,
    large_rank: float = 1e-8,
    perturbed: float = 1e-2,
    probes: int = 20,
    gradient: float = 1e-3,
    epochs: int = 100,
    status: str = "interpolated",
    points: tuple[tuple[str, float], ...] = POINTS,
    config: Config = CONFIG,
) -> Results:
    """Of interpolating starts, ``bad`` keep their variation; the objective falls but for a ``rise`` at a middle probe.

    ``variation`` and ``objective`` are at the ends of these paths; ``returned``, ``small_rank`` (noise 0.1) and
    ``large_rank`` (noise 1) at those of perturbed networks, which begin at the distance ``perturbed`` from rank K.
    """
    trials, rows = [], []
    for (start, noise), seed in itertools.product(points, range(seeds)):
        name, path = f"{start}-{noise}-{seed}", start == "interpolating"
        trials.append([name, status, seed, start, noise, epochs, 0.1, 1.0])
        rows.append([name, epochs, None, "least_relative_gradient", gradient])
        end = objective if path else 1.0
        falling = np.linspace(end + 1, end, probes)
        falling[probes // 2] = falling[probes // 2 - 1] * (1 + rise) if path and rise else falling[probes // 2]
        last = (variation if seed >= bad else variation_first) if path else returned
        rank = {0.1: small_rank, 1.0: large_rank}.get(noise, 0.0) if not path else 1e-8
        for probe, epoch in enumerate(np.linspace(1, epochs, probes).astype(int)):
            at_end = probe == probes - 1
            rows += [
                [name, epoch, None, "loss", zero_loss if probe == 0 else 1e-2],
                [name, epoch, None, "objective", falling[probe]],
                [name, epoch, 2, "relative_cluster_variation", last if at_end else variation_first if path else 1e-3],
                [name, epoch, 2, "relative_rank_distance", rank if at_end else perturbed],
            ]
    return make_results(config, ["model.start", "model.start_noise"], trials, rows)


def changed(table: Results, metric: str, value: float, trials: str, epoch: int = 100) -> Results:
    """With a metric set at an epoch, of the trials that a regular expression fits."""
    metrics = table.metrics
    rows = (metrics["metric"] == metric) & metrics["trial"].str.fullmatch(trials) & (metrics["epoch"] == epoch)
    assert rows.any()
    return dataclasses.replace(table, metrics=metrics.assign(value=metrics["value"].mask(rows, value)))
