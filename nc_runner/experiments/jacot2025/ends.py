"""The two ends of a linear head at the last epoch, one row a network that fits (Figures 2 and 5)."""

from __future__ import annotations

import pandas as pd

from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025.layers import NC1, NC2, final_layers, nonlinear_layers, whole_condition_number

LINEAR, DECAY, BALANCED = "model.linear_layers", "train.weight_decay", "balanced_nc2"
PLACES = {"last": "last layer", "input": "head's input"}


def both_ends(results: Results) -> pd.DataFrame:
    """One row a trial at its last epoch: ``last_NC``, of Z_(L-1), and ``input_NC``, of the last non-linear layer.

    The last layer is Z_(L-1), which Theorem B.1 is of: Z_L is near one-hot with any head. With one linear layer the two
    are the same. ``balanced_nc2`` is c3^(1/L2), c3 the condition number of the product of the linear layers [choice].
    """
    table = final_layers(results, NC1, NC2)
    nonlinear = nonlinear_layers(table, results.config)
    joined = results.trials.set_index("id")[["seed", LINEAR, DECAY]]
    for place, layer in (("last", nonlinear + table[LINEAR] - 1), ("input", nonlinear)):
        rows = table[table["layer"] == layer]
        joined = joined.join(rows.set_index("id")[[NC1, NC2]].add_prefix(f"{place}_"), how="inner")
    c3 = whole_condition_number(results).reindex(joined.index)
    return joined.assign(**{BALANCED: c3 ** (1 / joined[LINEAR])}).reset_index()
