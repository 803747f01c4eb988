"""What Jacot et al. 2025 say of the number of linear layers, judged from the tables (Figures 2 and 5)."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025 import seeds
from nc_runner.experiments.jacot2025.bounds import bounds_hold
from nc_runner.experiments.jacot2025.conditions import enough_fit, fit, paper_sizes
from nc_runner.experiments.jacot2025.ends import BALANCED, DECAY, LINEAR, PLACES, both_ends
from nc_runner.experiments.jacot2025.layers import NC1, NC2
from nc_runner.experiments.needs import decay_times, interpolates, plain_network

SPREAD = 2.0  # [choice] factor by which what hardly depends on the number of layers may vary
BALANCED_ERROR = 0.1  # [choice] of NC2 of the last layer against that of a balanced head

_FIGURES = "Figures 2 and 5"
_CONVERGED = (interpolates, plain_network, decay_times(), paper_sizes)

NC2_BETTER = Statement(
    "nc2_better_with_depth",
    "NC2 improves with the number of linear layers",
    "NC2 of the last layer improves with the number of linear layers.",
    _FIGURES,
    f"it falls with their number at each weight decay, Page's test of ranks within a seed: {seeds.RULE}; and its mean "
    "of logs is lower with the most than with the fewest",
    _CONVERGED,
)
NC2_INPUT_WORSE = Statement(
    "nc2_input_worse",
    "NC2 at the head's input worsens with linear layers",
    "NC2 at the head's input becomes slightly worse with the number of linear layers.",
    _FIGURES,
    f"it rises with their number at each weight decay, Page's test of ranks within a seed: {seeds.RULE}; and its mean "
    "of logs is higher with the most than with the fewest. How much is told: the paper's 'slightly' has no number",
    _CONVERGED,
)
NC1_HARDLY_VARIES = Statement(
    "nc1_hardly_varies",
    "NC1 hardly depends on the number of linear layers",
    "NC1 hardly depends on the number of linear layers.",
    _FIGURES,
    f"means of logs over seeds differ by less than a factor of {SPREAD:g} [choice], between any two numbers of linear "
    f"layers, at both ends of the head and each weight decay: {seeds.RULE}",
    _CONVERGED,
)
BALANCED_HEAD = Statement(
    "nc2_of_balanced_head",
    "NC2 of the last layer is c3^(1/L2)",
    "NC2 of the last layer is c3^(1/L2), as of a balanced head, c3 the condition number of the product of its L2 "
    "linear layers.",
    "Appendix B, with balanced linear layers",
    f"off by at most {BALANCED_ERROR:.0%} [choice] on average over seeds, at each weight decay and number of linear "
    "layers, two or more",
    (interpolates, plain_network, decay_times()),
    Kind.derived,
)


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figures 2 and 5."""
    of, enough = fit(results), enough_fit(results)
    table = both_ends(of)
    return [
        goes(of, table, enough, NC2_BETTER, f"last_{NC2}", rising=False),
        goes(of, table, enough, NC2_INPUT_WORSE, f"input_{NC2}", rising=True),
        nc1_hardly_varies(of, table, enough),
        nc2_of_balanced_head(of, table),
        *bounds_hold(results),
    ]


def curves(table: pd.DataFrame, column: str) -> dict[Hashable, pd.DataFrame]:
    """By weight decay the logs of a column: one row a seed, one column a number of linear layers."""
    return {
        decay: rows.groupby(["seed", LINEAR])[column].mean().dropna().unstack(LINEAR).map(np.log)
        for decay, rows in table.groupby(DECAY)
    }


def said(found: dict[Hashable, pd.DataFrame]) -> str:
    """The first and last mean of each curve, in words."""
    ends = {decay: np.exp(logs.mean()) for decay, logs in found.items()}
    return "; ".join(f"{means.iloc[0]:.3g} to {means.iloc[-1]:.3g} at {decay:g}" for decay, means in ends.items())


def goes(of: Results, table: pd.DataFrame, enough: Need, statement: Statement, column: str, *, rising: bool) -> Claim:
    """Whether a column rises, or falls, with the number of linear layers, at every weight decay."""
    found = {decay: logs for decay, logs in curves(table, column).items() if logs.shape[1] > 1}
    holds, noise = seeds.told([seeds.trend(logs, rising=rising) for logs in found.values()])
    if holds is None:
        return statement.judged(of, None, "no two numbers of linear layers", needs=[enough])
    factors = [float(np.exp(logs.mean().iloc[-1] - logs.mean().iloc[0])) for logs in found.values()]
    ends = all((factor > 1) is rising for factor in factors)
    number = " and ".join(f"{factor:.2g}" for factor in factors) + " times"
    return statement.judged(of, holds and ends, said(found), number, [enough, noise])


def nc1_hardly_varies(of: Results, table: pd.DataFrame, enough: Need) -> Claim:
    """NC1 of the last layer and of the head's input varies little with the number of linear layers."""
    found = {place: [*curves(table, f"{place}_{NC1}").values()] for place in PLACES}
    tests = [test for each in found.values() for logs in each for test in seeds.within(logs, SPREAD)]
    holds, noise = seeds.told(tests)
    if holds is None:
        return NC1_HARDLY_VARIES.judged(of, None, "no two numbers of linear layers", needs=[enough])
    most = {place: max(largest_over_least(logs) for logs in each) for place, each in found.items()}
    measured = "; ".join(f"{PLACES[place]} up to {value:.3g}" for place, value in most.items())
    return NC1_HARDLY_VARIES.judged(
        of, holds, f"largest over least: {measured}", f"at most {max(most.values()):.3g} times", [enough, noise]
    )


def largest_over_least(logs: pd.DataFrame) -> float:
    """Of the means over seeds, from their logs."""
    means = logs.mean()
    return float(np.exp(means.max() - means.min()))


def nc2_of_balanced_head(of: Results, table: pd.DataFrame) -> Claim:
    """NC2 of the last layer is the L2-th root of the condition number of the product of the linear layers."""
    table = table[table[LINEAR] > 1].dropna(subset=[f"last_{NC2}", BALANCED])
    if table.empty:
        return BALANCED_HEAD.judged(of, None, "no run that fits with two linear layers or more")
    error = (table[f"last_{NC2}"] / table[BALANCED] - 1).abs()
    points = error.groupby([table[DECAY], table[LINEAR]]).mean()
    return BALANCED_HEAD.judged(
        of,
        bool((points <= BALANCED_ERROR).all()),
        f"off by {points.max():.1%} at the most, {error.max():.1%} in a single run; {len(table)} runs",
        f"off by {points.max():.1%}",
    )
