"""Tables of spectra at, or off by so much from, the optimum."""

import itertools

from tables import make_results

from nc_runner import theory
from nc_runner.config.choices import DataName
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.singular_values.claims import DELTAS

DECAY = 2e-2
SIZES = {1: 3, 2: 4, 3: 3}  # singular values of each layer
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, samples=3, dim=3, sigma=0),
    model=ModelConfig(depth=3, width=4),
    train=TrainConfig(epochs=3000, learning_rate=1.0, weight_decay=DECAY, lr_milestones=[], batch_size=None),
    grid={"model.activation": ["linear", "relu"], "train.weight_decay_first": [DECAY * d for d in (*DELTAS, 0)]},
)
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided
LIMIT = {10.0: 0.08, 2.0: 0.05, 1.0: 0.03, 0.1: 0.015, 0.01: 0.01}


def results(
    *,
    linear: float = 1.0,
    linear_at_1: float = 1.0,
    relu: float = 1.0,
    excess: float = 0.0,
    tail: float = 0.0,
    limit: dict[float, float] | None = None,
    status: str = "interpolated",
    seeds: int = 3,
    gradient: float = 1e-3,
    epochs: int = 3000,
    deltas: tuple[float, ...] = (*DELTAS, 0.0),
    activations: tuple[str, ...] = ("linear", "relu"),
    config: Config = CONFIG,
) -> Results:
    """Networks at ``linear`` and ``relu`` times the optimum, ReLU ones of seed 0 above it by ``excess``.

    The norm c of their features is such that layers 2 and 3 are ``limit`` off the constrained prediction c^(-1/2).
    """
    trials, rows = [], []
    for activation, delta, seed in itertools.product(activations, deltas, range(seeds)):
        name = f"{activation}-{delta}-{seed}"
        trials.append([name, status, seed, activation, DECAY * delta, epochs, 0.1, 1.0])
        best = theory.first_layer_delta_singular_values(DECAY, 3, 2, delta or 1.0)
        factor = linear * (linear_at_1 if delta == 1 else 1.0) if activation == "linear" else relu
        over = excess if activation == "relu" and seed == 0 else 0.0
        off = (limit or LIMIT).get(delta, 0.5)
        level = factor * best.hidden.item()
        metrics = {
            "objective": best.objective.item() * (1 + over) if delta else -1.0,
            "largest_feature_norm": ((1 - off) / level) ** 2,
            "least_relative_gradient": gradient if delta else 9.0,
        }
        rows += [[name, epochs, None, metric, value] for metric, value in metrics.items()]
        for layer, size in SIZES.items():
            value = factor * best.first.item() if layer == 1 else level
            for j, s in enumerate([value] * 3 + [0.0] * (size - 3), 1):
                rows.append([name, epochs, layer, f"singular_value_{j}", s])
            at_end = tail if activation == "relu" and layer == 1 and seed == 1 else 0.0
            rows.append([name, epochs, layer, "relative_rank_distance", at_end if delta else 0.9])
    return make_results(config, ["model.activation", "train.weight_decay_first"], trials, rows)
