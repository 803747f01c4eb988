"""Tables of pan_lemmas on which every claim is decided, made by hand."""

from __future__ import annotations

from typing import Any

from experiments.pan2023.made import Edit, composed, tables

from nc_runner.experiments.base import Results


def lemmas(edit: Edit | None = None, *, seeds: int = 3, samples: int = 400) -> Results:
    """pan_lemmas: ratios from 0 to nearly 1, of what is false to 1.5; identities to rounding."""
    names = ("subset_mean", "subset_excess", "mean_direction", "step", "step_any_sign", "most_classes", "margin")
    tops = {"step_any_sign": 1.5, "most_classes": 5e-3}

    def of(point: dict[str, Any]) -> dict[Any, float]:
        metrics: dict[Any, float] = {}
        for name in names:
            top = tops.get(name, 0.999)
            metrics |= {f"random_{name}_{i:04d}": top * (i + 1) / (samples + 1) for i in range(samples)}
            metrics |= {f"searched_{name}_{i:04d}": top - 1e-3 * i / samples for i in range(samples // 8)}
            metrics |= {f"extreme_{name}_0000": min(1.0, top), f"largest_{name}": min(1.0, top)}
        for name in ("class_cosine", "pair_cosine"):
            metrics |= {f"random_{name}_{i:04d}": 1.0 + 1e-16 * i for i in range(samples)}
        for i in range(3):
            metrics |= {f"collapse_{i}": 1e-16}
            metrics |= {f"off_{way}_{i}": 1e-4 for way in ("norms", "class", "features", "duality")}
        metrics |= {"counterexample_mean": 0.0, "counterexample_step": 0.1, "counterexample_repaired": -0.8}
        return metrics | {"largest_of_one_vector": 0.99}

    points = [{"seed": 0, "data.input_seed": seed, "status": "measured", "epochs": 0} for seed in range(seeds)]
    return tables(composed("experiment=pan_lemmas"), points, of, edit)
