"""What Jacot et al. 2025 say of a linear head over training, judged from the tables (Figures 1 and 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.jacot2025 import imbalance_claims as balance
from nc_runner.experiments.jacot2025.imbalance import fits
from nc_runner.experiments.jacot2025.layers import NC1, NC2, final_layers, head_line, nonlinear_layers

IMPROVES = 0.9  # [choice] share of the steps from a layer to the next
SPREAD = 2.0  # [choice] largest over least NC1 of the linear layers that hardly depends on the layer
LINE_R2, LINE_SLOPE = 0.95, 0.15  # [choice] of log NC2 against the layer, and how far its slope may be off
SLACK = 1e-6  # relative, of a bound: float32 forward passes [choice]


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figures 1 and 4."""
    table = fits(results)
    return [
        nc2_improves(results),
        nc2_improves_linearly(results),
        balance.decays_at_rate(table),
        balance.nonlinear_higher(results),
        balance.plateau_predicted(table),
        balance.falls_after_drop(table, results.config),
        bounds_hold(results),
        nc1_hardly_varies(results),
        nc2_log_linear(results),
    ]


def steps_between(table: pd.DataFrame) -> pd.Series:
    """What NC2 gains from each layer to the next; NaN, which is no improvement, next to a rank-deficient layer."""
    of_run = table.groupby("id")[NC2]
    return of_run.diff()[of_run.cumcount() > 0]


def nc2_improves(results: Results) -> Claim:
    """NC2 falls from layer to layer, in nearly all steps."""
    table = final_layers(results, NC2)
    steps = steps_between(table)
    share = float((steps < 0).mean()) if len(steps) else np.nan
    ends = table.groupby("id")[NC2].agg(["first", "last"]).mean() if len(table) else None
    return Claim(
        "nc2_improves",
        "NC2 improves layer by layer through the head.",
        f"it falls in at least {IMPROVES:.0%} [choice] of the steps from a layer to the next, all runs, last epoch",
        f"in {share:.0%} of {len(steps)} steps; from {ends['first']:.3g} at the head's input to {ends['last']:.3g} "
        "at its output"
        if ends is not None and len(steps)
        else "no layers",
        Claim.judge(share >= IMPROVES if len(steps) else None),
    )


def nc2_improves_linearly(results: Results) -> Claim:
    """NC2 falls in every step from a layer to the next linear one."""
    table = final_layers(results, NC2)
    steps = steps_between(table[table["layer"] >= nonlinear_layers(table, results.config)])
    return Claim(
        "nc2_improves_linear",
        "Through the linear layers NC2 improves layer by layer, from the output of the last non-linear one on.",
        "it falls from each layer to the next in every run, last epoch",
        f"in {int((steps < 0).sum())} of {len(steps)} steps" if len(steps) else "no linear layers",
        Claim.judge(bool((steps < 0).all()) if len(steps) else None),
    )


def bounds_hold(results: Results) -> Claim:
    """Theorem B.1 and its sharper form hold at every probe."""
    pairs = [
        (metric, f"{name}_{kind}")
        for metric, name in ((NC1, "trace_ratio"), (NC2, "condition_number"))
        for kind in ("bound", "sharper_bound")
    ]
    table = results.by_layer(NC1, NC2, *(bound for _, bound in pairs))
    table = table[table["status"] != "diverged"]
    violated, parts, useful = 0, [], 0
    for metric, bound in pairs:
        if bound not in table:
            continue
        rows = table.dropna(subset=bound)
        finite = rows[np.isfinite(rows[bound])]
        # NaN where a bound is finite is a measure that is infinite: a layer of deficient rank.
        violated += int((~(finite[metric] <= finite[bound] * (1 + SLACK))).sum())
        useful += len(finite)
        ratio = (finite[bound] / finite[metric]).min()
        parts.append(
            f"{bound} finite in {len(finite)} of {len(rows)}" + (f", at least {ratio:.2g} times" if len(finite) else "")
        )
    return Claim(
        "theorem_b1",
        "Theorem B.1 bounds NC1 and NC2 of the layer before the last, at every probe; and so does its sharper form "
        "[derived].",
        f"no value above a bound, to {SLACK:g} of it",
        f"{violated} violations; {'; '.join(parts)}" if parts else "no two linear layers",
        Claim.judge(violated == 0 if useful else None),
    )


def nc1_hardly_varies(results: Results) -> Claim:
    """Over the linear layers NC1 varies little, and less than NC2."""
    table = final_layers(results, NC1, NC2)
    table = table[table["layer"] > nonlinear_layers(table, results.config)]
    grouped = table.groupby("id")[[NC1, NC2]]
    of_run = grouped.max() / grouped.min()
    return Claim(
        "nc1_hardly_varies",
        "NC1 hardly depends on the linear layer, where NC2 does.",
        f"largest over least NC1 of the linear layers is at most {SPREAD:g} [choice] and less than that of NC2, in "
        "every run, last epoch",
        f"up to {of_run[NC1].max():.3g}; of NC2 {of_run[NC2].min():.3g} and more" if len(of_run) else "no layers",
        Claim.judge(
            bool(((of_run[NC1] <= SPREAD) & (of_run[NC1] < of_run[NC2])).all())
            if len(of_run.dropna()) == len(of_run) > 0
            else None
        ),
    )


def nc2_log_linear(results: Results) -> Claim:
    """log NC2 against the layer is the line of a balanced head."""
    found = []
    for _, rows in head_line(results).groupby("id"):
        if len(rows) >= 3:
            slope, offset = np.polyfit(rows["layer"], np.log(rows[NC2]), 1)
            rest = np.log(rows[NC2]) - slope * rows["layer"] - offset
            r2 = 1 - rest.var(ddof=0) / np.log(rows[NC2]).var(ddof=0)
            found.append((r2, slope / (-np.log(rows["whole"].iloc[0]) / rows["linear"].iloc[0])))
    r2, slope = np.array(found).T if found else (np.array([]), np.array([]))
    return Claim(
        "nc2_log_linear",
        "In a balanced head log NC2 falls linearly with the layer, by log(c3)/L2 a layer, c3 the condition number of "
        "the product of the L2 linear layers; from the first linear layer's output on [derived].",
        f"R^2 of log NC2 at least {LINE_R2:g} and slope within {LINE_SLOPE:.0%} [choice], in every run, last epoch",
        f"R^2 {r2.min():.3f} and more, slope {slope.min():.3g} to {slope.max():.3g} of that predicted"
        if found
        else "fewer than three linear layers",
        Claim.judge(bool((r2 >= LINE_R2).all() and (np.abs(slope - 1) <= LINE_SLOPE).all()) if found else None),
    )
