"""Jacot et al. 2025, Figures 2 and 5: how collapse depends on the number of linear layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from nc_runner.config import Config
from nc_runner.configs import changed_from_paper
from nc_runner.experiments import head_measures
from nc_runner.experiments.base import Claim, Experiment, Measurement, Results, Verdict
from nc_runner.experiments.head_claims import NC1, NC2, SPREAD, bounds_hold, final_layers, nonlinear_layers
from nc_runner.experiments.head_figures import curves, legend_above, network_phrase, runs_phrase
from nc_runner.experiments.head_imbalance import decayed
from nc_runner.figures.series import caption
from nc_runner.models import Network

LINEAR, DECAY, BALANCED = "model.linear_layers", "train.weight_decay", "balanced_nc2"
IMPROVES = 0.75  # [choice] share of the steps from a number of linear layers to the next
BALANCED_ERROR = 0.1  # [choice] of NC2 of the last layer against that of a balanced head
PANELS = (("last", NC1), ("input", NC1), ("last", NC2), ("input", NC2))
PLACES = {"last": "last layer", "input": "head's input"}


def measure(network: Network | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Every layer of the head."""
    yield from head_measures.measure(network, x, y, config)


def both_ends(results: Results) -> pd.DataFrame:
    """One row a trial at its last epoch: ``last_NC``, of Z_(L-1), and ``input_NC``, of the last non-linear layer.

    The last layer is Z_(L-1), which Theorem B.1 is of: Z_L is near one-hot with any head. With one linear layer the two
    are the same. ``balanced_nc2`` is c3^(1/L2), c3 the condition number of the product of the linear layers [choice].
    """
    table = final_layers(results, NC1, NC2)
    nonlinear = nonlinear_layers(table, results.config)
    joined = results.trials.set_index("id")[["seed", LINEAR, DECAY]]
    for place, layer in (("last", nonlinear + table[LINEAR] - 1), ("input", nonlinear)):
        rows = table[table["layer"] == layer]
        joined = joined.join(rows.set_index("id")[[NC1, NC2]].add_prefix(f"{place}_"), how="inner")
    whole = results.metrics[results.metrics["metric"] == "linear_head_condition_number"].sort_values("epoch")
    c3 = whole.groupby("trial")["value"].last().reindex(joined.index)
    return joined.assign(**{BALANCED: c3 ** (1 / joined[LINEAR])}).reset_index()


def draw(results: Results) -> dict[str, Figure]:
    """The four panels, one curve a weight decay."""
    table = both_ends(results)
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.0))
    for ax, (place, metric) in zip(axes, PANELS, strict=True):
        ax.set_yscale("log")
        curves(ax, table, LINEAR, f"{place}_{metric}", by=DECAY, name="weight decay")
        if (place, metric) == ("last", NC2):
            for _, rows in table.groupby(DECAY):
                mean = rows.groupby(LINEAR)[BALANCED].mean()
                ax.plot(mean.index.to_numpy(), mean.to_numpy(), "--", color="black", linewidth=1)
        name = "NC1: tr $S_W$ / tr $S_B$" if metric == NC1 else "NC2: condition number"
        ax.set(title=f"{name}, {PLACES[place]}", xlabel="number of linear layers")
        ax.set_xticks(sorted(table[LINEAR].unique()))
        if metric == NC1:  # what hardly changes shall not look as if it did
            low, high = ax.get_ylim()
            wider = max(1.0, (10 * low / high) ** 0.5)
            ax.set_ylim(low / wider, high * wider)
    legend_above(figure, axes[0])
    text = (
        "Last layer: the one before the output; the head's input: the last non-linear layer; the two are the same with "
        "one linear layer. NC1: ratio of traces; NC2: largest over least singular value of uncentred class means. "
        f"Dashed: a balanced head's, the L2-th root of the condition number of the product of its layers. "
        f"{network_phrase(results.config, linear='that many')}; {runs_phrase(results)}; {len(table)} of "
        f"{len(results.trials)} trials fit. "
        f"{changed_from_paper(results.config)}"
    )
    caption(figure, text, width=180, below=1)
    return {"figure_2": figure}


def claims(results: Results) -> list[Claim]:
    """What the paper says of Figure 2."""
    table = both_ends(results)
    decided = decayed(results) and complete(results, table)
    note = f"; {len(table)} of {len(results.trials)} runs fit"
    of_heads = [replace(claim, measured=claim.measured + note) for claim in after_decay(table)]
    return [
        *(claim if decided else replace(claim, verdict=Verdict.undecided) for claim in of_heads),
        bounds_hold(results),
    ]


def complete(results: Results, table: pd.DataFrame) -> bool:
    """Whether every point of the grid has a run that fits."""
    return set(zip(table[DECAY], table[LINEAR], strict=True)) >= set(
        zip(results.trials[DECAY], results.trials[LINEAR], strict=True)
    )


def after_decay(table: pd.DataFrame) -> list[Claim]:
    """What is of balanced heads, so that nothing is decided while more than a little of the first imbalance is left."""
    means = table.groupby([DECAY, LINEAR])[[f"{place}_{metric}" for place, metric in PANELS]].mean()
    return [
        nc2_better_with_depth(means),
        nc2_input_worse(means),
        nc1_hardly_varies(means),
        nc2_of_balanced_head(table),
    ]


def spans(means: pd.DataFrame, column: str) -> list[tuple[float, pd.Series]]:
    """(weight decay, means by number of linear layers) where there are at least two."""
    decays = sorted(means.index.get_level_values(DECAY).unique())
    curves = [(decay, means.xs(decay, level=DECAY)[column].sort_index().dropna()) for decay in decays]
    return [(decay, curve) for decay, curve in curves if len(curve) >= 2]


def said(found: list[tuple[float, pd.Series]]) -> str:
    """The first and last of each curve, in words."""
    return "; ".join(f"{rows.iloc[0]:.3g} to {rows.iloc[-1]:.3g} at {decay:g}" for decay, rows in found) or "nothing"


def nc2_better_with_depth(means: pd.DataFrame) -> Claim:
    """NC2 of the last layer."""
    found = spans(means, f"last_{NC2}")
    holds = all(rows.iloc[-1] < rows.iloc[0] and (rows.diff().dropna() < 0).mean() >= IMPROVES for _, rows in found)
    return Claim(
        "nc2_better_with_depth",
        "NC2 of the last layer improves with the number of linear layers.",
        f"the mean over runs is lower with the most than with the fewest, and falls in at least {IMPROVES:.0%} of the "
        "steps between, at every weight decay [choice]",
        said(found),
        Claim.judge(holds if found else None),
    )


def nc2_input_worse(means: pd.DataFrame) -> Claim:
    """NC2 of the head's input."""
    found = spans(means, f"input_{NC2}")
    return Claim(
        "nc2_input_worse",
        "NC2 at the head's input becomes slightly worse with the number of linear layers.",
        "the mean over runs is higher with the most than with the fewest, at every weight decay",
        said(found),
        Claim.judge(all(rows.iloc[-1] > rows.iloc[0] for _, rows in found) if found else None),
    )


def nc1_hardly_varies(means: pd.DataFrame) -> Claim:
    """NC1 of the last layer and of the head's input."""
    found = {place: [rows.max() / rows.min() for _, rows in spans(means, f"{place}_{NC1}")] for place in PLACES}
    every = [ratio for ratios in found.values() for ratio in ratios]
    return Claim(
        "nc1_hardly_varies",
        "NC1 hardly depends on the number of linear layers.",
        f"largest over least mean over runs is at most {SPREAD:g}, at both ends of the head and every weight decay "
        "[choice]",
        "; ".join(f"{PLACES[place]} up to {max(ratios):.3g}" for place, ratios in found.items() if ratios) or "nothing",
        Claim.judge(max(every) <= SPREAD if every else None),
    )


def nc2_of_balanced_head(table: pd.DataFrame) -> Claim:
    """NC2 of the last layer is the L2-th root of kappa of the whole head."""
    table = table[(table[LINEAR] > 1)].dropna(subset=[f"last_{NC2}", BALANCED])
    error = (table[f"last_{NC2}"] / table[BALANCED] - 1).abs()
    return Claim(
        "nc2_of_balanced_head",
        "NC2 of the last layer is c3^(1/L2), as of a balanced head, c3 the condition number of the product of its L2 "
        "linear layers [derived].",
        f"within {BALANCED_ERROR:.0%} [choice] in every run with at least two linear layers",
        f"off by {error.mean():.1%} on average and {error.max():.1%} at most, {len(table)} runs"
        if len(table)
        else "no such run",
        Claim.judge(bool(np.all(error <= BALANCED_ERROR)) if len(table) else None),
    )


EXPERIMENT = Experiment(
    paper="jacot2025",
    figure="2, 5",
    summary="NC1 and NC2 of the last layer and of the head's input against the number of linear layers",
    cost="30 h (estimate)",
    measure=measure,
    draw=draw,
    claims=claims,
    headline=("linear_head_condition_number",),
    check=head_measures.check,
)
