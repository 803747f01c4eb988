"""Theorem B.1, a verdict a bound: what networks that fit have at every probe, against what the theorem allows them."""

from __future__ import annotations

import numpy as np

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025.conditions import fit
from nc_runner.experiments.jacot2025.layers import NC1, NC2, with_columns
from nc_runner.experiments.needs import interpolates

SLACK = 1e-6  # relative, of a bound: float32 forward passes [choice]

_RULE = f"no value at a probe of a network that fits is above the bound, to {SLACK:g} of it [choice]"
_SHARPER = "the theorem's proof with each norm in its own place"


def _bound(id: str, short: str, text: str, kind: Kind) -> Statement:
    return Statement(id, short, text, "Theorem B.1 (Appendix B)", _RULE, (interpolates,), kind)


STATEMENTS = {
    (NC1, "trace_ratio_bound"): _bound(
        "theorem_b1_nc1", "Theorem B.1 bounds NC1", "Theorem B.1 bounds NC1 of the layer before the last.", Kind.paper
    ),
    (NC2, "condition_number_bound"): _bound(
        "theorem_b1_nc2", "Theorem B.1 bounds NC2", "Theorem B.1 bounds NC2 of the layer before the last.", Kind.paper
    ),
    (NC1, "trace_ratio_sharper_bound"): _bound(
        "sharper_nc1",
        "Theorem B.1, sharper, bounds NC1",
        f"{_SHARPER.capitalize()} bounds NC1 of the layer before the last.",
        Kind.derived,
    ),
    (NC2, "condition_number_sharper_bound"): _bound(
        "sharper_nc2",
        "Theorem B.1, sharper, bounds NC2",
        f"{_SHARPER.capitalize()} bounds NC2 of the layer before the last.",
        Kind.derived,
    ),
}


def bounds_hold(results: Results) -> list[Claim]:
    """Each bound over all probes; undecided where it is finite at none of them."""
    of = fit(results)
    return [bound_holds(of, metric, bound, statement) for (metric, bound), statement in STATEMENTS.items()]


def bound_holds(of: Results, metric: str, bound: str, statement: Statement) -> Claim:
    """One bound."""
    rows = with_columns(of.by_layer(metric, bound), metric, bound).dropna(subset=bound)
    finite = rows[np.isfinite(rows[bound])]
    # NaN where a bound is finite is a measure that is infinite: a layer of deficient rank.
    violated = int((~(finite[metric] <= finite[bound] * (1 + SLACK))).sum())
    need = Need("a finite bound", "at a probe or more", f"{len(finite)} of {len(rows)} probes", len(finite) > 0)
    if not len(finite):
        return statement.judged(of, None, f"finite at 0 of {len(rows)} probes", needs=[need])
    above = (finite[bound] / finite[metric]).min()
    return statement.judged(
        of,
        violated == 0,
        f"{violated} values above it, of {len(finite)} where it is finite; {len(rows)} probes; it is {above:.2g} times "
        "what is measured, or more",
        f"{above:.2g} times",
        [need],
    )
