"""What networks that differ in their seeds say of a trend, and whether they are enough to say it.

A statement is believed where every comparison it makes is significant by itself. It is refused where one of them is
significant the other way, at a level divided by their number (Bonferroni). Between the two the seeds are too few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nc_runner.experiments.base import Need

LEVEL = 0.05  # [choice]
RULE = f"every test over seeds is significant at {LEVEL:g} [choice]"


class Evidence(NamedTuple):
    """The probability of as much evidence for a statement where there is no effect, and of as much against it."""

    for_it: float
    against: float


def told(found: Sequence[Evidence]) -> tuple[bool | None, Need]:
    """Whether all comparisons are for the statement, None without one; and the need that noise would not do as much."""
    pairs = np.array(found or [Evidence(math.nan, math.nan)])
    most, least = float(pairs[:, 0].max()), min(float(pairs[:, 1].min()) * len(pairs), 1.0)
    holds = most <= LEVEL
    need = Need(
        "told from noise",
        f"p at most {LEVEL:g}, for it in every comparison or against it, times their number, in one",
        f"{most:.2g} for it, {least:.2g} against it",
        holds or least <= LEVEL,
    )
    return (holds if found else None), need


def trend(table: pd.DataFrame, *, rising: bool) -> Evidence:
    """Of a rise, or a fall, over the columns, a row a seed, by Page's test of ranks within each seed (Page, 1963).

    Seeds without a value in some column are left out; with fewer than two of them, or three columns, there is none.
    """
    from scipy.stats import page_trend_test

    values = table.dropna().to_numpy(dtype=float)
    if values.shape[0] < 2 or values.shape[1] < 3:
        return Evidence(1.0, 1.0)
    up, down = (float(page_trend_test(sign * values).pvalue) for sign in (1, -1))
    return Evidence(up, down) if rising else Evidence(down, up)


def below(values: ArrayLike, limit: float) -> Evidence:
    """That the mean over seeds is below a limit, by the t test."""
    from scipy.special import stdtr

    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2:
        return Evidence(1.0, 1.0)
    off, error = numbers.mean() - limit, numbers.std(ddof=1) / math.sqrt(len(numbers))
    t = off / error if error else math.copysign(math.inf, off) if off else 0.0  # nan stays so
    return Evidence(float(stdtr(len(numbers) - 1, t)), float(stdtr(len(numbers) - 1, -t)))


def within(table: pd.DataFrame, factor: float) -> list[Evidence]:
    """That means over seeds of logs, a column each, differ by less than the log of a factor, of every two columns."""
    logs, limit = table.to_numpy(dtype=float).T, math.log(factor)
    pairs = [a - b for i, a in enumerate(logs) for j, b in enumerate(logs) if i != j]
    return [below(pair[np.isfinite(pair)], limit) for pair in pairs]
