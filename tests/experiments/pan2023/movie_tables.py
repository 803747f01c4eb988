"""Tables of collapse_movie, made by hand: a movie in which every claim holds."""

from __future__ import annotations

from typing import Any

import torch
from experiments.pan2023.made import Edit, composed, tables

from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.simplex_plane import simplex


def movie(edit: Edit | None = None, *, classes: int = 3, epochs: tuple[int, ...] = (1, 2, 5, 10)) -> Results:
    """collapse_movie: one trial in which every claim holds."""
    generator = torch.Generator().manual_seed(0)
    vertices, labels = simplex(classes), torch.arange(12 * classes) % classes

    def of(point: dict[str, Any]) -> dict[Any, float]:
        metrics: dict[Any, float] = {}
        for epoch in epochs:
            spread = 0.8 / epoch
            random = torch.randn(len(labels), classes - 1, dtype=torch.float64, generator=generator)
            points = vertices[labels] + spread * random
            numbers: dict[str, float] = {
                "plane_within_between_trace_ratio": spread**2,
                "within_between_trace_ratio": 2 * spread**2,
                "etf_cosine_deviation_class_means": 0.1 * spread,
                "max_mean_to_vertex_distance": 0.5 * spread,
                "min_self_duality_cosine": 1 - 0.1 * spread,
                "min_self_duality_cosine_centred": 1 - 0.1 * spread,
                "plane_variance_fraction": 0.9,
                "ncc_accuracy": 1.0,
                "accuracy": 1.0,
                "loss": spread,
            }
            for a, axis in enumerate("xyz"[: classes - 1]):
                for c in range(classes):
                    at = vertices[c, a].item()
                    numbers |= {f"{axis}_mean_{c}": at, f"{axis}_classifier_{c}": at}
                    of_class = points[labels == c, a].tolist()
                    numbers |= {f"{axis}_feature_{c}_{number:03d}": value for number, value in enumerate(of_class)}
            metrics |= {(epoch, None, name): value for name, value in numbers.items()}
        return metrics

    config = composed("experiment=collapse_movie", f"data.classes={classes}")
    return tables(config, [{"seed": 0, "epochs": 300}], of, edit)


def last(**changes: float) -> Edit:
    """Sets metrics at the last epoch (``x=value``)."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        for key in list(metrics):
            if key[2] in changes and key[0] == max(other[0] for other in metrics):
                metrics[key] = changes[key[2]]

    return edit
