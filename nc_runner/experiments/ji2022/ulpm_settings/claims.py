"""What the caption of Figure 2 says up to t = 1e5, at any of several settings; and when Theorem 3.1 is an equality.

The paper gives no classes, samples, width, start or reduction of its figure. So a decay is reproduced where some
setting shows it, and not reproduced where none of the sweep does.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.ji2022.laws import (
    REACH,
    REACH_FROM,
    SHORT,
    STATEMENTS,
    accurate,
    by_time,
    fitted_slope,
    fitting,
    outputs_between,
)
from nc_runner.experiments.needs import interpolates, seeds

SETTING = ("data.classes", "data.samples", "model.width", "model.start_scale", "flow.reduction")
START, NOISE = "model.start", "model.start_noise"
TOLERANCE = 0.1  # of the slope [choice]
ROUNDING = 1e-12  # of a ratio in float64 that counts as 1
STRICTLY = 1e-6  # below 1, a ratio that does not [choice]

SETTINGS = 10  # that make a sweep [choice]


def swept(results: Results) -> Need:
    """There are settings enough for the sweep to say that none of them shows a decay."""
    count = len(results.trials[list(SETTING)].drop_duplicates())
    return Need("a sweep of settings", f"{SETTINGS} or more [choice]", f"{count}", count >= SETTINGS)


_SWEPT = (interpolates, seeds(3), swept, outputs_between(REACH_FROM, REACH), accurate)
_RULE = (
    f"slope of its log against log log t, t = 1e3 to 1e5, at most -1 + {TOLERANCE:g} on average over seeds, {{}} "
    "[choice]; one-sided, as O is an upper rate"
)
REACHED = {
    name: Statement(
        f"reach_{name}",
        f"{SHORT[name]}: O(1/log t) up to t = 1e5, somewhere",
        f"{words[0].upper()}{words[1:]} decays at about O(1/log t).",
        "Figure 2, caption; here up to t = 1e5, which descent reaches",
        _RULE.format("at some setting of the sweep"),
        _SWEPT,
    )
    for name, (words, *_) in STATEMENTS.items()
}
AT_ONCE = Statement(
    "reach_all",
    "all six at once: O(1/log t) up to t = 1e5, somewhere",
    "At one setting each of the quantities of Figure 2 decays at about O(1/log t).",
    "Figure 2, caption; here up to t = 1e5, which descent reaches",
    _RULE.format("for all six at one setting of the sweep"),
    _SWEPT,
    Kind.ours,
)
EQUALITY = Statement(
    "margin_equality",
    "the margin meets its bound at neural collapse",
    "At neural collapse with ||W|| = ||H|| the margin is equal to its bound.",
    "Theorem 3.1, equality if",
    f"margin over bound within {ROUNDING:g} of 1 at every constructed collapse",
    (interpolates, seeds(3)),
)
STRICT = Statement(
    "margin_strict",
    "off neural collapse the margin is below its bound",
    "The margin is equal to its bound only at neural collapse with ||W|| = ||H||.",
    "Theorem 3.1, equality only if",
    f"margin over bound below 1 by {STRICTLY:g} or more [choice] at every start off constructed collapse",
    (interpolates, seeds(3)),
)


def claims(results: Results) -> list[Claim]:
    """Seven of the caption, and the two sides of the equality."""
    flow = fitting(results)
    swept = flow.only(start_is(flow, "normal"))
    slopes = slopes_by_setting(swept)
    return [
        *(reached(swept, slopes, name) for name in STATEMENTS),
        reached_at_once(swept, slopes),
        equality(flow.only(start_is(flow, "simplex") & (flow.trials[NOISE] == 0))),
        strict(flow.only(start_is(flow, "simplex") & (flow.trials[NOISE] > 0))),
    ]


def start_is(results: Results, name: str) -> pd.Series[bool]:
    """Which trials start so."""
    return results.trials[START] == name


def slopes_by_setting(of: Results) -> pd.DataFrame:
    """One row a trial: its setting, and the slope of each measure of the caption between t = 1e3 and 1e5."""
    found = []
    for trial, rows in by_time(of).sort_values("log_t").groupby("trial"):
        each = {name: fitted_slope(rows, metric, REACH_FROM, REACH) for name, (_, metric, _) in STATEMENTS.items()}
        found.append({"id": trial, **each})
    table = pd.DataFrame(found, columns=["id", *STATEMENTS])
    return of.trials[["id", "seed", *SETTING]].merge(table, on="id")


def means(slopes: pd.DataFrame) -> pd.DataFrame:
    """One row a setting, in the order of the grid: its mean slopes over seeds, NaN where one is."""
    return slopes.groupby(list(SETTING), sort=False)[[*STATEMENTS]].mean(skipna=False)


def reached(of: Results, slopes: pd.DataFrame, name: str) -> Claim:
    """One of the caption's decays."""
    at = means(slopes)[name]
    if at.empty:
        return REACHED[name].judged(of, None, "no setting")
    there = at <= -1 + TOLERANCE
    ordered = [(slope, said(setting)) for setting, slope in at.sort_values().items()]
    ends = " to ".join(f"{slope:.2f} ({setting})" for slope, setting in (ordered[0], ordered[-1]))
    measured = f"at {there.sum()} of {len(at)} settings; slopes {ends}"
    return REACHED[name].judged(of, bool(there.any()), measured, f"{there.sum()} of {len(at)} settings")


def reached_at_once(of: Results, slopes: pd.DataFrame) -> Claim:
    """All of them in one figure."""
    at = means(slopes)
    if at.empty:
        return AT_ONCE.judged(of, None, "no setting")
    count = (at <= -1 + TOLERANCE).sum(axis=1)
    all_six, best = int((count == len(STATEMENTS)).sum()), at.iloc[int(count.to_numpy().argmax())]
    slopes_there = ", ".join(f"{SHORT[name]} {best[name]:.2f}" for name in STATEMENTS)
    measured = f"at {all_six} of {len(at)} settings; {count.max()} of six at once ({said(best.name)}: {slopes_there})"
    return AT_ONCE.judged(of, all_six > 0, measured, f"{count.max()} of six")


def said(setting: Any) -> str:
    """A setting in words."""
    classes, samples, width, scale, reduction = setting
    name = getattr(reduction, "name", reduction)
    return f"K {classes}, n {samples // classes}, d {width}, start {scale:g}, {name}"


def equality(of: Results) -> Claim:
    """Theorem 3.1 where its two sides are equal."""
    ratios = of.final().get("margin_ratio", pd.Series(dtype=float))
    if ratios.empty:
        return EQUALITY.judged(of, None, "no constructed collapse")
    off = float((ratios - 1).abs().max(skipna=False))
    return EQUALITY.judged(of, off <= ROUNDING, f"|1 - ratio| up to {off:.1g}, {len(ratios)} starts", f"{off:.1g}")


def strict(of: Results) -> Claim:
    """Theorem 3.1 where they are not."""
    final = of.final()
    if "margin_ratio" not in final or final.empty:
        return STRICT.judged(of, None, "no start off collapse")
    gaps = 1 - final["margin_ratio"]
    measured = f"1 - ratio {gaps.min():.2g} to {gaps.max():.2g}, {len(gaps)} starts"
    return STRICT.judged(of, bool((gaps >= STRICTLY).all()), measured, f"1 - {gaps.min():.1g}")
