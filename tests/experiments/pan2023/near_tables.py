"""Tables of near_optimal, made by hand: what is known of Theorem 2.3.1 holds."""

from __future__ import annotations

from typing import Any

import torch
from experiments.pan2023.made import WD, Edit, composed, tables

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.near_optimal.measure import theorem

FREE = {1.0: 1e-12, 2.0: 1e-12}  # alpha beta, and the eps a descent ends at
GAPS = {1.0: 1e-12, 2.0: 1e-11}  # where 1 - min intra ends


def near(edit: Edit | None = None, *, networks: bool = True, free: bool = True) -> Results:
    """near_optimal: 1 - min intra is a power of eps, max inter + 1/3 its square root, over eight epochs."""
    points: list[dict[str, Any]] = []
    if networks:
        points += [
            {"model.name": "mlp", WD: decay, "norms": norms, "ends": (1e-2, 0.1)}
            for decay, norms in ((1e-3, 7.0), (3e-3, 5.0), (1e-2, 4.0))
        ]
    if free:
        points += [
            {"model.name": "free_features", WD: 0.0, "norms": n, "ends": (e, GAPS[n]), "seed": seed}
            for n, e in FREE.items()
            for seed in range(3)
        ]

    def of(point: dict[str, Any]) -> dict[Any, float]:
        norms, (last_eps, last_gap) = point.pop("norms"), point.pop("ends")
        metrics: dict[Any, float] = {}
        for epoch in range(1, 9):
            share = (epoch - 1) / 7
            eps, gap = last_eps**share, last_gap**share
            found = dict(theorem(torch.tensor([norms]), torch.tensor([1.0]), torch.tensor([eps]).double(), 4))
            vacuous = found["vacuous_eps"].item()
            values = {
                "alpha": norms, "beta": 1.0, "eps": eps, "vacuous_eps": vacuous, "loss": eps, "accuracy": 1.0,
                "intra_cosine_lower_bound": 1 - (eps / vacuous) ** 0.5, "min_intra_cosine_augmented": 1 - gap,
                "max_inter_cosine_augmented": gap**0.5 - 1 / 3, "min_duality_cosine_augmented": 1 - gap / 8,
            }  # fmt: skip
            values |= {f"intra_cosine_augmented_{k}": 1 - gap / k for k in range(1, 5)}
            values |= {f"sharper_intra_lower_bound_{k}": 1 - min(1.0, 1.5 * gap) / k for k in range(1, 5)}
            values |= {"sharper_inter_upper_bound": min(1.0, 2 * gap**0.5 - 1 / 3)}
            metrics |= {(epoch, None, name): value for name, value in values.items()}
        return metrics

    config = composed("experiment=near_optimal")
    return tables(config, [{"seed": 0, "epochs": 8, **point} for point in points], of, edit)
