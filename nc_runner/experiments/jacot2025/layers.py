"""The layers of linear heads in the tables: which are linear, NC1 and NC2 at the end, the line of a balanced head."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results
from nc_runner.experiments.jacot2025.head import backbone_layers

NC1, NC2 = "within_between_trace_ratio", "class_mean_condition_number"
BALANCE, NEGATIVITY = "balancedness", "negativity"
NC3, COSINE = "self_duality_cosine", "class_mean_absolute_cosine"


def column(table: pd.DataFrame, key: str, fixed: object) -> pd.Series:
    """The values of a key, one a row: the column of that name, or ``fixed`` where the trials do not differ in it."""
    return table[key] if key in table else pd.Series(fixed, table.index)


def with_columns(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The table with a column for each metric, of NaN where it was not measured."""
    return table.assign(**{name: np.nan for name in names if name not in table})


def final_layers(results: Results, *names: str) -> pd.DataFrame:
    """One row a trial that fits and layer, at the last epoch."""
    table = with_columns(results.final_by_layer(*names), *names)
    return table[table["status"] == "interpolated"].sort_values(["id", "layer"], kind="stable")


def linear_layers(table: pd.DataFrame, config: Config) -> pd.Series:
    """L2 of each row's network: the layers of its head that no activation follows."""
    return column(table, "model.linear_layers", config.model.linear_layers)


def nonlinear_layers(table: pd.DataFrame, config: Config) -> pd.Series:
    """L1 of each row's network: the layers of its head that an activation follows."""
    depth = column(table, "model.depth", config.model.depth)
    return depth - linear_layers(table, config) - backbone_layers(config)


def largest_cosine(condition_number: pd.Series) -> pd.Series:
    """What |cos| of two class means is at most, their matrix having this condition number k: (k^2-1)/(k^2+1).

    Wielandt's inequality: they are the images of orthogonal unit vectors [derived].
    """
    square = condition_number**2
    return (square - 1) / (square + 1)


def whole_condition_number(results: Results) -> pd.Series:
    """c3 of each trial at its last epoch: the condition number of the product of its linear layers."""
    rows = results.metrics[results.metrics["metric"] == "linear_head_condition_number"].sort_values("epoch")
    return rows.groupby("trial")["value"].last().astype("float64")


def head_line(results: Results) -> pd.DataFrame:
    """One row a trial and linear layer l = L1+1 .. L at the last epoch: NC2 and ``expected`` c3^((L-l)/L2)."""
    table = final_layers(results, NC2).dropna(subset=NC2)
    nonlinear, linear = nonlinear_layers(table, results.config), linear_layers(table, results.config)
    whole = table["id"].map(whole_condition_number(results)).astype("float64")
    table = table.assign(whole=whole, linear=linear, last=nonlinear + linear)
    table = table[table["layer"] > nonlinear].dropna(subset="whole")
    return table.assign(expected=table["whole"] ** ((table["last"] - table["layer"]) / table["linear"]))
