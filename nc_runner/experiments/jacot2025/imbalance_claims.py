"""What the paper says of the balance of a head's layers over training, judged from the tables (Figures 1 and 4)."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.jacot2025.imbalance import CLEAR, FEWEST, LAST_SHARE, LEARNT, first_drop
from nc_runner.experiments.jacot2025.layers import BALANCE, nonlinear_layers

RATE_ERROR = 0.1  # [choice] of the rate of decay
PLATEAU_FACTOR = 3.0  # [choice] by which a plateau may differ from its prediction


def decays_at_rate(table: pd.DataFrame) -> Claim:
    """The fitted rate of decay is 2 |log(1 - eta lambda)|."""
    total, table = len(table), table.dropna(subset="fitted")
    error = (table["fitted"] / table["expected"] - 1).abs()
    return Claim(
        "imbalance_decay_rate",
        "Balancedness of the linear layers decays exponentially, its numerator at the rate 2 |log(1 - eta lambda)| a "
        "step, eta the step size over 1 - momentum.",
        f"the rate fitted is within {RATE_ERROR:.0%} of it, in every run and linear layer; fitted to at least {FEWEST} "
        f"probes from where the loss is at most {LEARNT:g} of (K-1)/(2K) to where the imbalance is {CLEAR:g} times its "
        "plateau [choice]; undecided where that leaves fewer than half of the fits",
        f"off by {error.mean():.1%} on average and {error.max():.1%} at most, in {len(table)} of {total} fits"
        if len(table)
        else "no window with enough probes",
        Claim.judge(bool((error <= RATE_ERROR).all()) if len(table) and 2 * len(table) >= total else None),
    )


def nonlinear_higher(results: Results) -> Claim:
    """At the last probe before the step size drops, every non-linear layer is less balanced than every linear one."""
    config = results.config
    table = results.by_layer(BALANCE).dropna(subset=BALANCE)
    table = table[(table["status"] == "interpolated") & (table["epoch"] <= first_drop(config))]
    table = table[table["epoch"] == table.groupby("id")["epoch"].transform("max")]
    linear = table["layer"] > nonlinear_layers(table, config)
    least, most = table[~linear].groupby("id")[BALANCE].min(), table[linear].groupby("id")[BALANCE].max()
    both = pd.concat([least, most], axis=1, keys=["least", "most"]).dropna()
    return Claim(
        "nonlinear_plateau_higher",
        "Non-linear layers plateau at a higher balancedness than linear ones.",
        "in every run, at the last probe before the step size drops, the least of the non-linear layers is above the "
        "largest of the linear ones",
        f"in {int((both['least'] > both['most']).sum())} of {len(both)} runs; non-linear at least "
        f"{both['least'].min():.2g}, linear at most {both['most'].max():.2g}"
        if len(both)
        else "no layers of both kinds",
        Claim.judge(bool((both["least"] > both["most"]).all()) if len(both) else None),
    )


def plateau_predicted(table: pd.DataFrame) -> Claim:
    """The plateau is that of the recursion with the measured gradients."""
    table = table[table["probes"] > 0].dropna(subset=["plateau", "predicted_plateau"])
    there = len(table) > 0 and bool(table["reached"].all())
    ratio = table["predicted_plateau"] / table["plateau"]
    return Claim(
        "imbalance_plateau",
        "The imbalance ends at a plateau that the gradients of the batches keep up: by the recursion with the mean of "
        "S^T S - T T^T measured at each probe [derived].",
        f"the median over the last {LAST_SHARE:.0%} of the epochs before the step size drops is within a factor of "
        f"{PLATEAU_FACTOR:g} [choice] of the prediction, in every run and linear layer; undecided where the straight "
        f"decay is not {CLEAR:g} times below the median when these begin",
        f"predicted over measured {ratio.min():.2g} to {ratio.max():.2g}, {int(table['reached'].sum())} of "
        f"{len(table)} reached a plateau"
        if len(table)
        else "no run reaches a plateau",
        Claim.judge(bool(ratio.between(1 / PLATEAU_FACTOR, PLATEAU_FACTOR).all()) if there else None),
    )


def falls_after_drop(table: pd.DataFrame, config: Config) -> Claim:
    """The imbalance falls again after the step size drops."""
    table = table[table["probes"] > 0]
    dropped = bool(config.train.lr_milestones) and config.train.lr_gamma < 1
    there = len(table) > 0 and bool(table["reached"].all())
    share = table["at_end"] / table["at_drop"]
    return Claim(
        "falls_after_drop",
        "The plateau is set by the step size: after its drop the balancedness of the linear layers decays again.",
        "the imbalance at the end is below that at the last probe before the drop, in every run and linear layer; "
        "undecided where no plateau was reached before it",
        f"falls to {share.min():.2g} to {share.max():.2g} of it, by the recursion to "
        f"{(table['predicted_end'] / table['at_drop']).median():.2g}"
        if len(table) and dropped
        else "no drop, or no plateau before it",
        Claim.judge(bool((share < 1).all()) if there and dropped else None),
    )
