"""What Jacot et al. 2025 say of a linear head over training, judged from the tables (Figures 1 and 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025 import imbalance_claims as balance
from nc_runner.experiments.jacot2025 import seeds
from nc_runner.experiments.jacot2025.bounds import bounds_hold
from nc_runner.experiments.jacot2025.conditions import enough_fit, fit, paper_sizes
from nc_runner.experiments.jacot2025.imbalance import fits
from nc_runner.experiments.jacot2025.layers import (
    COSINE,
    NC1,
    NC2,
    NC3,
    final_layers,
    head_line,
    largest_cosine,
    nonlinear_layers,
    with_columns,
)
from nc_runner.experiments.needs import decay_times, interpolates, plain_network

SPREAD = 2.0  # [choice] largest over least NC1 of the linear layers that hardly depends on the layer
LINE_R2, LINE_SLOPE = 0.95, 0.15  # [choice] of log NC2 against the layer, and how far its slope may be off
ORTHOGONAL = 0.1  # [choice] mean |cos| of class means that are orthogonal
ALIGNED = 0.95  # [choice] mean cosine of rows of the weight with class means that are aligned
LAYERS = 3  # linear layers at the least through which a line can be off

_FIGURES = "Figures 1 and 4"
_CONVERGED = (interpolates, plain_network, decay_times(), paper_sizes)

NC2_IMPROVES = Statement(
    "nc2_improves",
    "NC2 improves layer by layer through the head",
    "NC2 improves layer by layer through the head.",
    _FIGURES,
    f"the mean over seeds of log NC2 falls from each layer of the head to the next, last epoch: {seeds.RULE}",
    _CONVERGED,
)
NC2_IMPROVES_LINEARLY = Statement(
    "nc2_improves_linear",
    "NC2 improves layer by layer through the linear layers",
    "Through the linear layers NC2 improves layer by layer, from the output of the last non-linear one on.",
    _FIGURES,
    f"as for the whole head, from the last non-linear layer on: {seeds.RULE}",
    _CONVERGED,
    Kind.ours,
)
NC1_HARDLY_VARIES = Statement(
    "nc1_hardly_varies",
    "NC1 hardly depends on the linear layer",
    "NC1 hardly depends on the linear layer, where NC2 does.",
    _FIGURES,
    f"largest over least NC1 of the linear layers is at most {SPREAD:g} [choice] and less than that of NC2, in every "
    "run, last epoch",
    _CONVERGED,
)
NC2_LOG_LINEAR = Statement(
    "nc2_log_linear",
    "log NC2 falls linearly with the layer, by log(c3)/L2",
    "In a balanced head log NC2 falls linearly with the layer, by log(c3)/L2 a layer, c3 the condition number of the "
    "product of the L2 linear layers; from the first linear layer's output on.",
    "Appendix B, with balanced linear layers",
    f"R^2 of log NC2 at least {LINE_R2:g} and slope within {LINE_SLOPE:.0%} [choice], in every run, last epoch",
    (interpolates, plain_network, decay_times()),
    Kind.derived,
)
MEANS_ORTHOGONAL = Statement(
    "class_means_orthogonal",
    "class means of the last hidden layer are orthogonal",
    "The class means of the layer before the last are orthogonal.",
    "abstract, and the Gram matrices of Figures 1 and 4",
    f"the mean |cos| over pairs of uncentred class means is at most {ORTHOGONAL:g} [choice] in every run, last epoch",
    _CONVERGED,
)
MEANS_ALIGNED = Statement(
    "class_means_aligned",
    "NC3: class means align with the last weight's rows",
    "The rows of the last weight align with the class means of the layer before it.",
    "abstract, and the definition of NC3; no panel shows it",
    f"the mean cosine of row and class mean is at least {ALIGNED:g} [choice] in every run, last epoch",
    _CONVERGED,
)


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figures 1 and 4."""
    of = fit(results)
    enough = enough_fit(results)
    return [
        nc2_improves(of, enough),
        nc2_improves_linearly(of, enough),
        *balance.claims(of, fits(of), enough),
        *bounds_hold(results),
        nc1_hardly_varies(of, enough),
        nc2_log_linear(of),
        means_orthogonal(of, enough),
        means_aligned(of, enough),
    ]


def log_nc2(table: pd.DataFrame) -> pd.DataFrame:
    """One row a run, one column a layer."""
    return table.pivot(index="id", columns="layer", values=NC2).map(np.log)


def falls_at_each_step(of: Results, logs: pd.DataFrame, statement: Statement, enough: Need) -> Claim:
    """Whether log NC2, a column a layer, falls from every layer to the next."""
    steps = logs.diff(axis=1).iloc[:, 1:]
    holds, noise = seeds.told([seeds.below(steps[layer].dropna(), 0.0) for layer in steps])
    if holds is None:
        return statement.judged(of, None, "no two layers", needs=[enough])
    means, ends = steps.mean(), np.exp(logs.mean())
    down = int((means < 0).sum())
    measured = (
        f"the mean falls in {down} of {len(means)} steps, the worst to layer {means.idxmax()}: "
        f"times {np.exp(means.max()):.2g}; NC2 from {ends.iloc[0]:.3g} to {ends.iloc[-1]:.3g}, {len(logs)} runs"
        if means.notna().all()
        else "not defined at some layer: nan"
    )
    return statement.judged(of, holds, measured, f"{down} of {len(means)} steps", [enough, noise])


def nc2_improves(of: Results, enough: Need) -> Claim:
    """Through the whole head."""
    return falls_at_each_step(of, log_nc2(final_layers(of, NC2)), NC2_IMPROVES, enough)


def nc2_improves_linearly(of: Results, enough: Need) -> Claim:
    """From the last non-linear layer on."""
    table = final_layers(of, NC2)
    table = table[table["layer"] >= nonlinear_layers(table, of.config)]
    return falls_at_each_step(of, log_nc2(table), NC2_IMPROVES_LINEARLY, enough)


def nc1_hardly_varies(of: Results, enough: Need) -> Claim:
    """Over the linear layers NC1 varies little, and less than NC2."""
    table = final_layers(of, NC1, NC2)
    if table.empty:
        return NC1_HARDLY_VARIES.judged(of, None, "no layers", needs=[enough])
    table = table[table["layer"] > nonlinear_layers(table, of.config)]
    grouped = table.groupby("id")[[NC1, NC2]]
    of_run = grouped.max() / grouped.min()
    holds = bool(((of_run[NC1] <= SPREAD) & (of_run[NC1] < of_run[NC2])).all())
    most = of_run[NC1].max()
    measured = f"up to {most:.3g}; of NC2 {of_run[NC2].min():.3g} and more, {len(of_run)} runs"
    return NC1_HARDLY_VARIES.judged(of, holds, measured, f"at most {most:.3g} times", [enough])


def nc2_log_linear(of: Results) -> Claim:
    """log NC2 against the layer is the line of a balanced head."""
    lines = head_line(of)
    found = []
    for _, rows in lines.groupby("id"):
        if len(rows) >= LAYERS:
            logs = np.log(rows[NC2])
            slope, offset = np.polyfit(rows["layer"], logs, 1)
            rest = logs - slope * rows["layer"] - offset
            predicted = -np.log(rows["whole"].iloc[0]) / rows["linear"].iloc[0]
            found.append((1 - rest.var(ddof=0) / logs.var(ddof=0), slope / predicted))
    if not found:
        return NC2_LOG_LINEAR.judged(of, None, f"fewer than {LAYERS} linear layers")
    r2, slope = np.array(found).T
    return NC2_LOG_LINEAR.judged(
        of,
        bool((r2 >= LINE_R2).all() and (np.abs(slope - 1) <= LINE_SLOPE).all()),
        f"R^2 {r2.min():.3f} and more, slope {slope.min():.3g} to {slope.max():.3g} of that predicted, {len(r2)} runs",
        f"{slope.mean():.3g} of the slope",
    )


def means_orthogonal(of: Results, enough: Need) -> Claim:
    """The mean |cos| of the class means of the last hidden layer, and what their condition number allows."""
    table = final_layers(of, COSINE, NC2)
    last = table[table["layer"] == table.groupby("id")["layer"].transform("max") - 1]
    if last[COSINE].isna().all():
        return MEANS_ORTHOGONAL.judged(of, None, "not measured", needs=[enough])
    most, allowed = last[COSINE].max(skipna=False), largest_cosine(last[NC2]).max()
    measured = f"at most {most:.3g}; NC2 would allow a pair {allowed:.3g}; {len(last)} runs"
    return MEANS_ORTHOGONAL.judged(of, bool(most <= ORTHOGONAL), measured, f"|cos| {most:.2g}", [enough])


def means_aligned(of: Results, enough: Need) -> Claim:
    """NC3 of the last layer."""
    values = with_columns(of.final(), NC3)[NC3]
    if values.isna().all():
        return MEANS_ALIGNED.judged(of, None, "not measured", needs=[enough])
    least = values.min(skipna=False)
    measured = f"{least:.4f} or more, {len(values)} runs"
    return MEANS_ALIGNED.judged(of, bool(least >= ALIGNED), measured, f"{least:.3f} or more", [enough])
