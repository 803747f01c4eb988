"""The benign landscape of Zangrando et al. 2026: reachable, optimal, stable."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.config.choices import Precision, Start
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.zangrando2026.hypotheses import converged, fits, interpolation_possible, noisy_samples

START, NOISE = "model.start", "model.start_noise"
VARIATION, DISTANCE = "relative_cluster_variation", "relative_rank_distance"
QUANTITIES = [VARIATION, DISTANCE]
ROUNDING = 1e-9  # [choice] relative, of objectives in float64 from one probe to the next; what is more has risen
PROBES = 20  # [choice] at which a path is looked at, at least
ZERO = 0.01  # [choice] of TCV over mean ||z||^2, which weight decay and noise keep from 0, at most
FALLS = 10.0  # [choice] factor by which it has to fall
RANK = 1e-4  # [choice] squared distance from rank K over the squared norm, at most
SHARE = 0.9  # [choice] of the starts, of which a claim has to hold
NEAR = 0.05  # [choice] of the least objective, within which another is as good
SMALL = 0.1  # [choice] noise over weights up to which a point has to be stable
SEEDS = 20  # [choice] starts of each kind
ZERO_LOSS = 1e-3  # [choice] loss of a start that interpolates, after one step of weight decay, at most


def exact(results: Results) -> Need:
    """Steps in float64, whose rounding is not seen in the objective, and probes enough to see it rise."""
    precision = results.config.train.precision
    fewest = int(results.metrics.groupby("trial")["epoch"].nunique().min()) if len(results.metrics) else 0
    met = precision is Precision.float64 and fewest >= PROBES
    required = f"train.precision=float64, {PROBES} probes or more"
    return Need("a path that is seen", required, f"{precision.name}, {fewest} probes", met)


def begins(results: Results) -> Need:
    """Every path begins at zero loss."""
    first = ends(results)["loss", "first"] if len(results.trials) else pd.Series(dtype=float)
    worst = float(first.max(skipna=False)) if len(first) else np.nan
    required = f"loss at the first probe at most {ZERO_LOSS:g} [choice]"
    return Need("interpolates at the start", required, f"{worst:.2g} at the most", worst <= ZERO_LOSS)


def perturbed(results: Results) -> Need:
    """Where a perturbed network begins is not where the rule lets it end."""
    of = ends(results)
    noises = noise_of(results, of)
    away = of[(noises > 0) & ((of[VARIATION, "first"] > ZERO) | (of[DISTANCE, "first"] > RANK))]
    count = int((noises > 0).sum())
    required = "every network with noise begins outside the rule's limits"
    return Need("perturbed", required, f"{len(away)} of {count}", 0 < len(away) == count)


NEEDS = (interpolation_possible, noisy_samples, needs.finished, needs.seeds(SEEDS), *converged)

REACHES = Statement(
    "falling_path_to_collapse",
    "A path of falling loss leads from zero loss to collapse",
    "For almost every interpolating initialization there is a loss-decreasing path from it to a configuration of zero "
    "total cluster variation. Our reading: the loss has its weight decay, and the path is gradient descent's from "
    "random hidden layers under the least output weight that fits.",
    "abstract (benign landscape), Figure 3",
    f"the objective never rises by more than {ROUNDING:g} of it between probes, and TCV / mean ||z||^2, mean over "
    f"intermediate layers, falls by {FALLS:g} or more, to at most {ZERO:g}, in {SHARE:.0%} of the starts [choice]",
    (exact, begins, *NEEDS),
)
OPTIMAL = Statement(
    "path_ends_at_the_least",
    "These paths end at the least objective found",
    "The path leads to a globally optimal configuration. Our reading: no objective found is lower, those from the "
    "collapsed point among them.",
    "abstract (benign landscape)",
    f"within {NEAR:.0%} of the least of all networks, in {SHARE:.0%} of the starts [choice]",
    (exact, begins, *NEEDS),
)
STABLE = Statement(
    "collapse_is_stable",
    "A perturbed collapsed network comes back to collapse",
    "Configurations of zero total cluster variation are stable under small weight decay: from a perturbed one, "
    "training comes back.",
    "what the numerical experiments are said to confirm; the sizes are ours",
    f"after noise of up to {SMALL:g} of the weights, TCV / mean ||z||^2 ends at {ZERO:g} or less, mean over "
    f"intermediate layers, and the relative distance from rank K at {RANK:g} or less, in {SHARE:.0%} at each size "
    "[choice]",
    (perturbed, needs.grid_complete(NOISE), *NEEDS),
)


def claims(results: Results) -> list[Claim]:
    """From interpolating starts down to collapse and the least objective; and back to collapse."""
    of = fits(results)
    paths = of.only(of.trials[START] == Start.interpolating.name)
    collapsed = of.only(of.trials[START] == Start.collapsed.name)
    least = of.final()["objective"].min() if "objective" in of.final() else np.nan
    return [reaches(paths), optimal(paths, collapsed, float(least)), stable(collapsed)]


def curves(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: loss, objective, and each quantity averaged over the intermediate layers."""
    table = results.by_layer(*QUANTITIES)
    table = table.reindex(columns=[*table.columns.difference([*QUANTITIES]), *QUANTITIES])
    inner = table[table["layer"].between(2, results.config.model.depth - 1)]
    means = inner.groupby(["id", "epoch"])[QUANTITIES].mean().reset_index()
    columns = ["id", "epoch", START, NOISE, "seed", "loss", "objective"]
    return results.by_epoch().reindex(columns=columns).merge(means, on=["id", "epoch"])


def ends(results: Results) -> pd.DataFrame:
    """One row a trial: loss, objective and quantities at its first and its last probe."""
    table = curves(results).sort_values("epoch").set_index("id")
    columns = ["loss", "objective", *QUANTITIES]
    first, last = (table[columns].groupby(level=0).nth(n) for n in (0, -1))
    return pd.concat({"first": first, "last": last}, axis=1).swaplevel(axis=1)


def noise_of(results: Results, table: pd.DataFrame) -> pd.Series[float]:
    """The size of the perturbation of each trial of a table."""
    return results.trials.set_index("id")[NOISE].reindex(table.index).astype(float)


def reaches(results: Results) -> Claim:
    """Objective and variation along the paths."""
    table, of = curves(results).sort_values(["id", "epoch"]), ends(results)
    if of.empty:
        return REACHES.judged(results, None, "no interpolating start")
    paths = table.groupby("id")["objective"]
    rise = (paths.diff() / paths.shift()).groupby(table["id"]).max()
    rose = rise > ROUNDING
    factors = of[VARIATION, "first"] / of[VARIATION, "last"]
    held = ~rose[of.index] & (factors >= FALLS) & (of[VARIATION, "last"] <= ZERO)
    measured = (
        f"in {held.sum()} of {len(held)}; the objective rises in {rose.sum()}, by at most {max(rise.max(), 0):.1g} of "
        f"it; TCV / mean ||z||^2 from {of[VARIATION, 'first'].min():.2g} or more to at most "
        f"{of[VARIATION, 'last'].max():.2g}, by factors of {factors.min():.3g} or more"
    )
    return REACHES.judged(results, bool(held.mean() >= SHARE), measured, f"{held.mean():.0%}")


def optimal(paths: Results, collapsed: Results, least: float) -> Claim:
    """The objectives at the ends of the paths over the least of all."""
    objectives = ends(paths)["objective", "last"]
    if objectives.empty:
        return OPTIMAL.judged(paths, None, "no interpolating start")
    near = objectives <= (1 + NEAR) * least
    of_collapsed = ends(collapsed)["objective", "last"]
    compared = Need(
        "collapsed points beside them", f"{SEEDS} networks or more", f"{len(of_collapsed)}", len(of_collapsed) >= SEEDS
    )
    measured = (
        f"{near.sum()} of {len(near)}; {objectives.min():.5g} to {objectives.max():.5g}, from collapsed points "
        f"{of_collapsed.min():.5g} to {of_collapsed.max():.5g}"
    )
    return OPTIMAL.judged(paths, bool(near.mean() >= SHARE), measured, f"{near.mean():.0%}", [compared])


def returned(results: Results) -> pd.DataFrame:
    """One row a size of the perturbation: the share of networks that come back, and the largest of each quantity."""
    of = ends(results)
    back = (of[VARIATION, "last"] <= ZERO) & (of[DISTANCE, "last"] <= RANK)
    noises = noise_of(results, of)
    columns = {"share": back, **{name: of[name, "last"] for name in QUANTITIES}}
    return pd.DataFrame(columns).groupby(noises.rename(NOISE)).agg({"share": "mean", VARIATION: "max", DISTANCE: "max"})


def stable(results: Results) -> Claim:
    """Which perturbations collapse survives."""
    table = returned(results)
    table = table[table.index > 0]
    small = table[table.index <= SMALL]
    if small.empty:
        return STABLE.judged(results, None, f"no perturbation of up to {SMALL:g}")
    shares = ", ".join(f"{noise:g}: {share:.0%}" for noise, share in table["share"].items())
    measured = (
        f"back after noise of {shares}; up to {SMALL:g} TCV / mean ||z||^2 ends at {small[VARIATION].max():.2g} or "
        f"less, the distance at {small[DISTANCE].max():.2g} or less"
    )
    least = float(small["share"].min())
    return STABLE.judged(results, least >= SHARE, measured, f"{least:.0%}")
