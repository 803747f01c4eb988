"""What Jacot et al. 2025 say of a linear head over training, judged from the tables (Figures 1 and 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.config import Config
from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.head_imbalance import CLEAR, FEWEST, LAST_SHARE, LEARNT, first_drop, fits
from nc_runner.experiments.head_measures import head_depth

NC1, NC2 = "within_between_trace_ratio", "class_mean_condition_number"
BALANCE, NEGATIVITY = "balancedness", "negativity"
RATE_ERROR = 0.1  # [choice] of the rate of decay
PLATEAU_FACTOR = 3.0  # [choice] by which a plateau may differ from its prediction
IMPROVES = 0.9  # [choice] share of the steps from a layer to the next
SPREAD = 2.0  # [choice] largest over least NC1 of the linear layers that hardly depends on the layer
LINE_R2, LINE_SLOPE = 0.95, 0.15  # [choice] of log NC2 against the layer, and how far its slope may be off
SLACK = 1e-6  # relative, of a bound: float32 forward passes [choice]


def claims(results: Results) -> list[Claim]:
    """Figures 1 and 4."""
    table = fits(results)
    return [
        nc2_improves(results),
        nc2_improves_linearly(results),
        decays_at_rate(table),
        nonlinear_higher(results),
        plateau_predicted(table),
        falls_after_drop(table, results.config),
        bounds_hold(results),
        nc1_hardly_varies(results),
        nc2_log_linear(results),
    ]


def final_layers(results: Results, *names: str) -> pd.DataFrame:
    """One row a trial that fits and layer, at the last epoch."""
    table = results.final_by_layer(*names)
    return table[table["status"] == "interpolated"].sort_values(["id", "layer"], kind="stable")


def nonlinear_layers(table: pd.DataFrame, config: Config) -> pd.Series:
    """L1 of each row's network: the layers of its head that an activation follows."""
    linear = table.get("model.linear_layers", pd.Series(config.model.linear_layers, table.index))
    depth = table.get("model.depth", pd.Series(config.model.depth, table.index))
    return depth - linear - (config.model.depth - head_depth(config))


def steps_between(table: pd.DataFrame) -> pd.Series:
    """What NC2 gains from each layer to the next; NaN, which is no improvement, next to a rank-deficient layer."""
    of_run = table.groupby("id")[NC2]
    return of_run.diff()[of_run.cumcount() > 0]


def nc2_improves(results: Results) -> Claim:
    """Layer by layer, in every run."""
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
    """Without exception where the layers are linear."""
    table = final_layers(results, NC2)
    steps = steps_between(table[table["layer"] >= nonlinear_layers(table, results.config)])
    return Claim(
        "nc2_improves_linear",
        "Through the linear layers NC2 improves layer by layer, from the output of the last non-linear one on.",
        "it falls from each layer to the next in every run, last epoch",
        f"in {int((steps < 0).sum())} of {len(steps)} steps" if len(steps) else "no linear layers",
        Claim.judge(bool((steps < 0).all()) if len(steps) else None),
    )


def decays_at_rate(table: pd.DataFrame) -> Claim:
    """The fitted rate against 2 |log(1 - eta lambda)|."""
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
    """Plateaus of balancedness at the last probe before the step size drops."""
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
    """The recursion with the gradients measured."""
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
    """The plateau is set by the step size."""
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


def bounds_hold(results: Results) -> Claim:
    """Theorem B.1 and its sharper form, at every probe."""
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
    """Over the linear layers, beside NC2."""
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


def head_line(results: Results) -> pd.DataFrame:
    """One row a trial and linear layer l = L1+1 .. L at the last epoch: NC2 and ``expected`` c3^((L-l)/L2)."""
    config = results.config
    table = final_layers(results, NC2).dropna(subset=NC2)
    rows = results.metrics[results.metrics["metric"] == "linear_head_condition_number"].sort_values("epoch")
    whole = rows.groupby("trial")["value"].last()
    nonlinear = nonlinear_layers(table, config)
    linear = table.get("model.linear_layers", pd.Series(config.model.linear_layers, table.index))
    table = table.assign(whole=table["id"].map(whole).astype("float64"), linear=linear, last=nonlinear + linear)
    table = table[table["layer"] > nonlinear].dropna(subset="whole")
    return table.assign(expected=table["whole"] ** ((table["last"] - table["layer"]) / table["linear"]))


def nc2_log_linear(results: Results) -> Claim:
    """The line of a balanced head."""
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
