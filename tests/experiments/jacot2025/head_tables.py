"""Tables of a linear head over training, made by hand so that every claim of the paper holds or one fails."""

import math
from functools import lru_cache

from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import claims as head_claims
from nc_runner.experiments.jacot2025.imbalance import steps_per_epoch

SEEDS = ("a", "b", "c")
EPOCHS, PROBES, DROP = 10_000, 101, 8000
DRIVING, STEP_SIZE, DECAY = 1e-6, 0.01, 1.8e-3  # step size over 1 - momentum


def recursion(epoch: int, steps: int, rate: float) -> float:
    """From 2 at epoch 0 to the plateau, and again after the step size drops."""
    return _recursion(steps, rate)[epoch]


@lru_cache
def _recursion(steps: int, rate: float) -> list[float]:
    """After 0, 1, ... epochs, one at a time."""
    values = [2.0]
    for done in range(EPOCHS):
        eta = STEP_SIZE * (0.1 if done >= DROP else 1.0)
        kept = (1 - rate * eta * DECAY) ** (2 * steps)
        plateau = eta**2 * DRIVING / (1 - (1 - eta * DECAY) ** 2)
        values.append(kept * values[-1] + (1 - kept) * plateau)
    return values


def results(
    *, rate: float = 1.0, nonlinear: float = 0.5, factor: float = 1.0, bound: float = 3.0, nc2_power: float = 1.0,
    nc2_rise: float = 0.0, nc1_growth: float = 1.0, resnet: bool = False, rising: float = 0.0, bent: float = 0.0,
    printed: float = math.inf, drift: float = 0.0, wave: float = 0.0, cosine: float = 0.05, aligned: float = 0.99,
    words: tuple[str, ...] = (),
) -> Results:  # fmt: skip
    """Three runs of the head of Figure 4: layers 0 to 3 before the linear ones 4 to 7, c3 = 16.

    ``rising``: what the imbalance of linear layers is times after the drop, but 1; ``drift``: of the non-linear layers'
    balancedness an epoch; ``wave``: of the log imbalance before its plateau.
    """
    config, depth, first = compose(["experiment=linear_head_mlp", *words]), 7, 3
    if resnet:
        config, depth, first = compose(["experiment=linear_head_resnet", "scale=smoke"]), 6, 3
    steps, rows = steps_per_epoch(config), []
    epochs = [1 + round((EPOCHS - 1) * i / (PROBES - 1)) for i in range(PROBES)]
    for name in SEEDS:
        for epoch in epochs:
            rows += [[name, epoch, None, "loss", 0.3 * 0.9**epoch + 0.005], [name, epoch, None, "accuracy", 1.0]]
            rows += [[name, epoch, None, "linear_head_condition_number", 16.0**nc2_power]]
            rows += [[name, epoch, None, "self_duality_cosine", aligned]]
            for layer in range(depth + 1):
                linear = max(layer - first, 0)
                nc2 = 16 ** ((depth - layer) / (depth - first)) * math.exp(bent * linear * (depth - first - linear))
                values = {
                    "within_between_trace_ratio": 0.01
                    * (nc1_growth**linear if layer >= first else 2.0 ** (first - layer)),
                    "class_mean_condition_number": nc2 * math.exp(nc2_rise * layer),
                    "negativity": 0.5,
                    "class_mean_absolute_cosine": cosine if layer == depth - 1 else 0.5,
                }
                if 0 < layer < depth:
                    values["balancedness"] = values["imbalance"] = nonlinear * math.exp(drift * epoch)
                if first < layer < depth:
                    value = recursion(epoch, steps, rate) * math.exp(wave * (epoch // 100 % 2))
                    if rising and epoch > DROP:
                        value = recursion(DROP, steps, rate) * rising
                    values["balancedness"] = values["imbalance"] = value
                    values["gradient_imbalance"] = DRIVING * factor
                if layer == depth - 1:
                    for metric, short in (
                        ("within_between_trace_ratio", "trace_ratio"),
                        ("class_mean_condition_number", "condition_number"),
                    ):
                        values[f"{short}_sharper_bound"] = bound * values[metric]
                        values[f"{short}_bound"] = printed * values[metric]
                rows += [[name, epoch, layer, metric, value] for metric, value in values.items()]
        for layer in range(depth - 3, depth + 1):
            rows += [[name, EPOCHS, layer, f"gram_{i}_{j}", float(i == j)] for i in range(10) for j in range(i, 10)]
    trials = [[name, "interpolated", seed, EPOCHS, 0.01, 1.0] for seed, name in enumerate(SEEDS)]
    return make_results(config, [], trials, rows)


def with_value(table: Results, metric: str, value: float, where: str) -> Results:
    """The table with one metric set in the rows of a query."""
    metrics = table.metrics.copy()
    rows = metrics.query(where).index.intersection(metrics.index[metrics["metric"] == metric])
    assert len(rows)
    metrics.loc[rows, "value"] = value
    return Results(table.config, table.trials, metrics)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in head_claims.claims(table)}
