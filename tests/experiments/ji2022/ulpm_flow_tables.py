"""Tables of flows whose curves are pure powers of log t."""

import itertools
import math

import numpy as np
import pandas as pd

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results
from nc_runner.experiments.ji2022.laws import STATEMENTS

HALF = ("norm_variation_weights", "etf_cosine_deviation_weights", "within_class_variation", "kkt_residual")
METRICS = [m for _, metric, others in STATEMENTS.values() for m in (metric, *others.values())]


def results(*, descent: bool = True, end: float = 1e6, seeds: int = 3, **rates: float) -> Results:
    """Flows whose curves are pure powers of log t; ``metric=rate`` changes one, ``drift`` and ``off`` are values.

    ``off``: how many times the flow's values those of descent are; ``predicted``, those that are predicted.
    """
    drift, off, predicted = rates.pop("drift", 1e-7), rates.pop("off", 1.0), rates.pop("predicted", 1.0)
    outputs = {"flow": np.expm1(np.linspace(0.05, math.log1p(end), 200)), "gd": np.linspace(3, 11, 9)}
    trials, rows = [], []
    for method, seed in itertools.product(("flow", "gd")[: 1 + descent], range(seeds)):
        name = method if seed == 0 else f"{method} {seed}"
        trials.append([name, "interpolated", seed, method, 1.0])
        for epoch, log1p_time in enumerate(outputs[method], 1):
            log_t = log1p_time + math.log(-math.expm1(-log1p_time))
            values = {"log1p_time": log1p_time, "conserved_drift": drift * (1 - 0.5 / epoch)}
            values["loss_over_asymptote"] = 1 + 0.1 / epoch
            values["margin_ratio"] = 1 - 0.5 * max(log_t, 1.0) ** rates.get("margin_ratio", -1.0)
            for metric in (*METRICS, "kkt_residual", "norm_variation_weights_predicted"):
                of = metric.removesuffix("_predicted")
                rate = rates.get(of, -0.5 if of in HALF else -1.0)
                factor = predicted if metric.endswith("_predicted") else off if method == "gd" else 1.0
                values[metric] = 0.1 * factor * abs(log_t) ** rate
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    columns = ["id", "status", "seed", "train.method", "model.start_scale"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(Config(), pd.DataFrame(trials, columns=columns), table)
