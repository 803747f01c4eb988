"""What is said of the balance of a head's layers over training, judged from the tables (Figures 1 and 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025.conditions import one_schedule, paper_sizes
from nc_runner.experiments.jacot2025.imbalance import CLEAR, FEWEST, LAST_SHARE, LEARNT, plateaus
from nc_runner.experiments.jacot2025.layers import nonlinear_layers
from nc_runner.experiments.needs import decay_times, interpolates, plain_network, plain_sgd

STRAIGHT_R2 = 0.98  # [choice] of log imbalance against the step
RATE_ERROR = 0.1  # [choice] of the rate of decay
PLATEAU_FACTOR = 3.0  # [choice] by which a plateau may differ from its prediction
FALLS, LEFT = 0.9, 0.8  # [choice] of its plateau, after the drop: what counts as a fall, what weight decay would leave
STEADY = 1.5  # [choice] factor by which a plateau's two halves may differ

_FIGURES = "Figures 1 and 4"
_PLATEAU = f"median over the last {LAST_SHARE:.0%} of the epochs before the step size drops [choice]"

EXPONENTIAL = Statement(
    "decays_exponentially",
    "balancedness of linear layers decays exponentially",
    "Balancedness of the linear layers decays exponentially to a plateau.",
    _FIGURES,
    f"log imbalance, its numerator, is a falling line of the step, R^2 at least {STRAIGHT_R2:g}, in every run and "
    f"linear layer: from where the loss is at most {LEARNT:g} of (K-1)/(2K) to where the imbalance is {CLEAR:g} times "
    "its plateau [choice]",
    (interpolates, one_schedule, plain_sgd, plain_network, decay_times()),
)
RATE = Statement(
    "imbalance_decay_rate",
    "the imbalance decays at the rate 2 |log(1 - eta lambda)|",
    "Between linear layers the imbalance decays at the rate 2 |log(1 - eta lambda)| a step, eta the step size over 1 - "
    "momentum.",
    "Appendix B: the recursion of W'^T W' - W W^T",
    f"the slope of that line is within {RATE_ERROR:.0%} of it [choice], in every run and linear layer",
    (interpolates, one_schedule, plain_sgd, plain_network, decay_times()),
    Kind.derived,
)
NONLINEAR_HIGHER = Statement(
    "nonlinear_plateau_higher",
    "non-linear layers plateau at a higher balancedness",
    "Non-linear layers plateau at a higher balancedness than linear ones.",
    _FIGURES,
    f"in every run the least plateau of a non-linear layer, {_PLATEAU}, is above the largest of a linear one",
    (interpolates, one_schedule, plain_sgd, plain_network, decay_times(), paper_sizes),
)
PLATEAU = Statement(
    "imbalance_plateau",
    "the imbalance ends at the recursion's plateau",
    "The imbalance ends at a plateau that the gradients of the batches keep up: by the recursion with the mean of "
    "S^T S - T T^T measured at each probe.",
    "Appendix B: the recursion of W'^T W' - W W^T",
    f"{_PLATEAU} is within a factor of {PLATEAU_FACTOR:g} [choice] of the prediction, in every run and linear layer",
    (interpolates, one_schedule, plain_sgd, plain_network, decay_times()),
    Kind.derived,
)
AFTER_DROP = Statement(
    "falls_after_drop",
    "balancedness decays again after the step size drops",
    "The plateau is set by the step size: after its drop the balancedness of the linear layers decays again.",
    _FIGURES,
    f"the imbalance at the end is at most {FALLS:g} [choice] of its plateau before the drop, in every linear layer, "
    "as the mean over runs of logs",
    (interpolates, one_schedule, plain_sgd, plain_network, decay_times()),
)


def claims(of: Results, table: pd.DataFrame, enough: Need) -> list[Claim]:
    """All of them, of the trials that fit and their :func:`fits <nc_runner.experiments.jacot2025.imbalance.fits>`."""
    return [
        decays_exponentially(of, table),
        decays_at_rate(of, table),
        nonlinear_higher(of, table, enough),
        plateau_predicted(of, table),
        falls_after_drop(of, table),
    ]


def window_fitted(table: pd.DataFrame) -> Need:
    """Between settled loss and plateau there are probes enough for a line, in every run and linear layer."""
    there = table["probes"] >= FEWEST
    found = f"{there.sum()} of {len(table)}"
    required = f"{FEWEST} probes in every run and layer"
    return Need("a window that can be fitted", required, found, bool(there.all()) and len(table) > 0)


def plateau_reached(table: pd.DataFrame) -> Need:
    """Where its plateau is measured a layer has nearly nothing left of the straight decay, in every run."""
    there = table["reached"].astype(bool)
    required = f"the straight decay {CLEAR:g} times below it in every run and layer"
    return Need("a plateau", required, f"{there.sum()} of {len(table)}", bool(there.all()) and len(table) > 0)


def decays_exponentially(of: Results, table: pd.DataFrame) -> Claim:
    """The imbalance falls on a line in the window."""
    need, kept = window_fitted(table), table.dropna(subset="fitted")
    if kept.empty:
        return EXPONENTIAL.judged(of, None, "no window with enough probes", needs=[need])
    least = kept["r2"].min()
    holds = bool((kept["r2"] >= STRAIGHT_R2).all() and (kept["fitted"] > 0).all())
    return EXPONENTIAL.judged(of, holds, f"R^2 {least:.4f} and more in {len(kept)} fits", f"R^2 {least:.3f}", [need])


def decays_at_rate(of: Results, table: pd.DataFrame) -> Claim:
    """The fitted rate of decay is 2 |log(1 - eta lambda)|."""
    need, kept = window_fitted(table), table.dropna(subset="fitted")
    if kept.empty:
        return RATE.judged(of, None, "no window with enough probes", needs=[need])
    error = (kept["fitted"] / kept["expected"] - 1).abs()
    measured = (
        f"off by {error.mean():.1%} on average and {error.max():.1%} at most, in {len(kept)} of {len(table)} fits"
    )
    return RATE.judged(of, bool((error <= RATE_ERROR).all()), measured, f"off by {error.max():.1%}", [need])


def nonlinear_higher(of: Results, table: pd.DataFrame, enough: Need) -> Claim:
    """On the plateau every non-linear layer is less balanced than every linear one."""
    found = plateaus(of)
    linear = found["layer"] > nonlinear_layers(found, of.config)
    steady = found.loc[~linear, "change"].between(1 / STEADY, STEADY)
    needs = [
        enough,
        plateau_reached(table),
        Need(
            "a plateau of non-linear layers",
            f"its halves within a factor of {STEADY:g} in every run and layer",
            f"{steady.sum()} of {len(steady)}",
            bool(steady.all()) and len(steady) > 0,
        ),
    ]
    least, most = (rows.groupby("id")["plateau"] for rows in (found[~linear], found[linear]))
    both = pd.concat([least.min(), most.max()], axis=1, keys=["least", "most"]).dropna()
    if both.empty:
        return NONLINEAR_HIGHER.judged(of, None, "no layers of both kinds", needs=needs)
    measured = (
        f"in {int((both['least'] > both['most']).sum())} of {len(both)} runs; non-linear at least "
        f"{both['least'].min():.2g}, linear at most {both['most'].max():.2g}"
    )
    times = (both["least"] / both["most"]).min()
    return NONLINEAR_HIGHER.judged(
        of, bool((both["least"] > both["most"]).all()), measured, f"{times:.2g} times", needs
    )


def plateau_predicted(of: Results, table: pd.DataFrame) -> Claim:
    """The plateau is that of the recursion with the measured gradients."""
    needs = [plateau_reached(table)]
    kept = table.dropna(subset=["plateau", "predicted_plateau"])
    if kept.empty:
        return PLATEAU.judged(of, None, "no run reaches a plateau", needs=needs)
    ratio = kept["predicted_plateau"] / kept["plateau"]
    holds = bool(ratio.between(1 / PLATEAU_FACTOR, PLATEAU_FACTOR).all())
    measured = f"predicted over measured {ratio.min():.2g} to {ratio.max():.2g}"
    return PLATEAU.judged(of, holds, measured, f"{ratio.min():.2g} to {ratio.max():.2g} times", needs)


def falls_after_drop(of: Results, table: pd.DataFrame) -> Claim:
    """The imbalance falls again after the step size drops."""
    left, train = table["left"].max() if len(table) else 1.0, of.config.train
    needs = [
        plateau_reached(table),
        Need(
            "time after the drop",
            f"weight decay alone would leave {LEFT:g} or less",
            f"{left:.2g}" if train.lr_milestones and train.lr_gamma < 1 else "no drop",
            bool(left <= LEFT) and bool(train.lr_milestones) and train.lr_gamma < 1,
        ),
    ]
    logs: pd.Series = (table["at_end"] / table["plateau"]).astype(float).map(np.log)
    share = logs.groupby(table["layer"]).mean().map(np.exp)
    if share.isna().all():
        return AFTER_DROP.judged(of, None, "no drop, or no plateau before it", needs=needs)
    predicted = (table["predicted_end"] / table["predicted_plateau"]).median()
    measured = f"falls to {share.min():.2g} to {share.max():.2g} of it, by the recursion to {predicted:.2g}"
    return AFTER_DROP.judged(of, bool((share <= FALLS).all()), measured, f"to {share.max():.2g} of it", needs)
