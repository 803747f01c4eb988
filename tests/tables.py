"""Tables as a run folder has them, made by hand."""

import pandas as pd

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results


def make_results(config: Config, varied: list[str], trials: list[list[object]], rows: list[list[object]]) -> Results:
    """Trials are [id, status, seed, *varied, epochs, loss, accuracy]; rows are [trial, epoch, layer, metric, value]."""
    columns = ["id", "status", "seed", *varied, "epochs", "loss", "accuracy"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(config, pd.DataFrame(trials, columns=columns), table)
