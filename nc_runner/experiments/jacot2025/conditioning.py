"""What Jacot et al. 2025 say of the conditioning of a linear head, judged from the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nc_runner import theory
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.jacot2025 import seeds
from nc_runner.experiments.jacot2025.conditions import SEEDS, enough_fit, fit, gradient_descent, relative_error
from nc_runner.experiments.jacot2025.imbalance import steps_per_epoch
from nc_runner.experiments.jacot2025.layers import column, with_columns
from nc_runner.experiments.needs import decay_times, grid_complete, interpolates, plain_network

RATE, CONDITION, EXCESS = "train.learning_rate", "linear_head_condition_number", "excess"
MEASURED = ("loss", "objective", CONDITION, "sharpness", "kernel_norm", "first_linear_norm", "largest_linear_norm")
STABLE = 1.1  # [choice] of the largest sharpness that is stable, about which a descent at the edge swings
NEAR = 0.01  # [choice] above the least objective, relative: a nearly optimal solution
BOUNDED = 10.0  # [choice] condition number that counts as bounded
SLACK = 1e-3  # [choice] relative, of a bound: ten times what Lanczos' method leaves

_SOURCE = "abstract, (ii)"
_CONVERGED = (interpolates, plain_network, gradient_descent, decay_times())

STEPS_BOUND = Statement(
    "large_steps_bound_conditioning",
    "stable at a large step size: bounded conditioning",
    "Solutions that are stable under large step sizes have a bounded conditioning of the features before the linear "
    "part.",
    _SOURCE,
    "c3 of the head, the condition number of the product of its layers, is at most what the largest stable kernel, N "
    "times 2(1 + momentum)/eta - lambda, allows it [derived], last epoch of every run",
    (*_CONVERGED, grid_complete(RATE)),
)
OPTIMA_BOUND = Statement(
    "near_optimal_bounds_conditioning",
    "nearly optimal: bounded conditioning",
    "Solutions that are nearly optimal have a bounded conditioning of the features before the linear part.",
    _SOURCE,
    f"c3 is at most {BOUNDED:g} at every probe with an objective within {NEAR:.0%} of the least of all runs [choice]",
    (*_CONVERGED, grid_complete(RATE)),
)
KERNEL_PAPER = Statement(
    "kernel_lower_bound",
    "the tangent kernel is at least the paper's bound",
    "||Theta||_op >= L2 (s_K(Y) - e1)^2 / (K^2 r^2), with e1 the error, r the largest norm of a linear layer.",
    "section on large step sizes",
    f"no probe of a network that fits is below the bound, to {SLACK:g} of it [choice]",
    (interpolates,),
)
KERNEL_SHARPER = Statement(
    "kernel_sharper_bound",
    "the tangent kernel is at least K^2 times that",
    "||Theta||_op >= L2 (s_K(Y) - e1)^2 / r^2.",
    "the proof of the paper's bound, whose trace is over K^2 dimensions once",
    f"no probe of a network that fits is below the bound, to {SLACK:g} of it [choice]",
    (interpolates,),
    Kind.derived,
)
KERNEL_BOUNDS = Statement(
    "kernel_bounds_conditioning",
    "the tangent kernel bounds the head's conditioning",
    "c3 <= ||W_1||_op sqrt(||Theta||_op) / (s_K(Y) - e1), W_1 the first linear layer.",
    "from the part of W_1 in Theta",
    f"no probe of a network that fits is above the bound, to {SLACK:g} of it [choice]",
    (interpolates,),
    Kind.derived,
)
LARGER_STEPS = Statement(
    "larger_steps_condition_better",
    "the larger the step size, the better conditioned",
    "The conditioning of the head improves with the step size.",
    "from the bound by 2/eta; the paper does not say that it is monotone",
    f"c3 falls with the step size, Page's test of ranks within a seed: {seeds.RULE}; and its mean of logs is lower "
    "with the largest than with the least",
    _CONVERGED,
    Kind.ours,
)


def by_probe(results: Results) -> pd.DataFrame:
    """One row a trial that did not diverge and probe: what was measured, and what is predicted of it.

    ``time`` is step size times steps; ``limit`` the largest stable sharpness, 2(1 + momentum)/eta - lambda; ``kernel``
    ||Theta||_op / N with its lower bound; ``condition_bound`` of c3 by the kernel, ``stable_bound`` by the limit;
    ``excess`` of the objective over the least of all, relative.
    """
    config = results.config
    table = with_columns(results.by_epoch(), *MEASURED)
    table = table[table["status"] != "diverged"]
    rate = column(table, RATE, config.train.learning_rate).astype(float)
    samples = column(table, "data.samples", config.data.samples).astype(float)
    error, classes = relative_error(table) * np.sqrt(samples), config.data.classes
    linear = column(table, "model.linear_layers", config.model.linear_layers)
    limit = 2 * (1 + column(table, "train.momentum", config.train.momentum)) / rate
    limit = limit - column(table, "train.weight_decay", config.train.weight_decay)
    norm, kernel = table["largest_linear_norm"], table["kernel_norm"]
    of = [torch.tensor(values.to_numpy(dtype=float)) for values in (error, norm.where(norm > 0), linear, samples)]
    lower = theory.linear_head_ntk_bound(of[0], of[1], of[2], of[3], classes).numpy()
    first = torch.tensor(table["first_linear_norm"].to_numpy(dtype=float))

    def bound(largest: pd.Series) -> np.ndarray:
        """Of c3, where ||Theta||_op is at most this."""
        of_kernel = torch.tensor(largest.clip(lower=0).to_numpy(dtype=float))
        values: np.ndarray = theory.linear_head_condition_bound(of[0], of_kernel, first, of[3], classes).numpy()
        return values

    return table.assign(
        **{RATE: rate},
        time=rate * table["epoch"] * steps_per_epoch(config),
        limit=limit,
        kernel=kernel / samples,
        kernel_bound=lower / samples,
        condition_bound=bound(kernel),
        stable_bound=bound(samples * limit),
        excess=table["objective"] / table["objective"].min() - 1,
    )


def ends(results: Results) -> pd.DataFrame:
    """The last row of each trial that fits."""
    table = by_probe(results)
    last = table[table["epoch"] == table.groupby("trial")["epoch"].transform("max")]
    return last[last["status"] == "interpolated"].sort_values("trial", kind="stable").reset_index(drop=True)


def claims(results: Results) -> list[Claim]:
    """What the paper says, what it rests on, and what we see."""
    of, enough = fit(results), enough_fit(results)
    table, last = by_probe(of), ends(of)
    return [
        steps_bound(of, table, last, enough),
        optima_bound(of, table, enough),
        holds_at_all_probes(
            of, table, KERNEL_PAPER, table["kernel_bound"] / of.config.data.classes**2, table["kernel"]
        ),
        holds_at_all_probes(of, table, KERNEL_SHARPER, table["kernel_bound"], table["kernel"]),
        holds_at_all_probes(of, table, KERNEL_BOUNDS, table[CONDITION], table["condition_bound"]),
        larger_steps(of, last, enough),
    ]


def stable(table: pd.DataFrame) -> Need:
    """The sharpness at the end, the median over the last quarter of the probes, is one that the step size allows."""
    ordered = table.sort_values("epoch").groupby("trial")
    share = pd.Series(
        {
            trial: (rows["sharpness"] / rows["limit"]).iloc[-max(len(rows) // 4, 1) :].median(skipna=False)
            for trial, rows in ordered
        },
        dtype=float,
    )
    there = share <= STABLE
    found = f"{there.sum()} of {len(there)} runs, {share.min():.2g} to {share.max():.2g} of it"
    required = (
        f"sharpness at most {STABLE:g} times 2(1 + momentum)/eta - lambda, median over the last quarter of the probes, "
        "in every run"
    )
    return Need("stable", required, found, bool(there.all()) and len(there) > 0)


def steps_bound(of: Results, table: pd.DataFrame, last: pd.DataFrame, enough: Need) -> Claim:
    """The head's condition number against what the step size allows."""
    needs = [stable(table), enough]
    if last.empty:
        return STEPS_BOUND.judged(of, None, "no run that fits", needs=needs)
    share = last[CONDITION] / last["stable_bound"]
    means = last.groupby(RATE)[[CONDITION, "stable_bound"]].mean()
    told = ", ".join(f"{c3:.3g} of {most:.3g} at {rate:g}" for rate, (c3, most) in means.T.items())
    return STEPS_BOUND.judged(
        of, bool((share <= 1).all()), f"c3 {told}", f"{share.max(skipna=False):.2g} of the bound", needs
    )


def optima_bound(of: Results, table: pd.DataFrame, enough: Need) -> Claim:
    """The head's condition number wherever the objective is nearly the least."""
    near = table[table[EXCESS] <= NEAR]
    if near.empty:
        return OPTIMA_BOUND.judged(of, None, "no run that fits", needs=[enough])
    several = near["seed"].nunique()
    need = Need("nearly optimal", f"{SEEDS} seeds or more", f"{several}", several >= SEEDS)
    most = near[CONDITION].max(skipna=False)
    rates = sorted(near[RATE].unique())
    measured = (
        f"c3 {near[CONDITION].min():.3g} to {most:.3g} at {len(near)} probes of {near['trial'].nunique()} runs, step "
        f"sizes {', '.join(f'{rate:g}' for rate in rates)}"
    )
    return OPTIMA_BOUND.judged(of, bool(most <= BOUNDED), measured, f"c3 up to {most:.3g}", [enough, need])


def holds_at_all_probes(
    of: Results, table: pd.DataFrame, statement: Statement, lower: pd.Series, upper: pd.Series
) -> Claim:
    """Whether one number is below another at every probe where the bound says something."""
    measured_at_all = bool((lower / upper).notna().any())
    said = (lower > 0) & ~np.isinf(upper) & measured_at_all
    need = Need("a bound", "that says something at a probe or more", f"{said.sum()} of {len(said)}", bool(said.any()))
    if not said.any():
        return statement.judged(of, None, f"at none of {len(said)} probes", needs=[need])
    share = (lower / upper)[said]
    violated = int((~(share <= 1 + SLACK)).sum())
    measured = f"{violated} violated, of {len(share)}; the two are {1 / share.max():.3g} times apart, or more"
    return statement.judged(of, violated == 0, measured, f"{1 / share.max():.2g} times", [need])


def larger_steps(of: Results, last: pd.DataFrame, enough: Need) -> Claim:
    """c3 against the step size."""
    logs = last.pivot_table(index="seed", columns=RATE, values=CONDITION).map(np.log)
    if logs.shape[1] < 2:
        return LARGER_STEPS.judged(of, None, "no two step sizes", needs=[enough])
    holds, noise = seeds.told([seeds.trend(logs, rising=False)])
    means = logs.mean().map(np.exp)
    factor = means.iloc[-1] / means.iloc[0]
    measured = ", ".join(f"{value:.3g} at {rate:g}" for rate, value in means.items())
    return LARGER_STEPS.judged(of, bool(holds) and factor < 1, f"c3 {measured}", f"{factor:.2g} times", [enough, noise])
