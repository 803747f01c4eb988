"""What Pan 2023 says of Figure 3.1, each statement judged over the trials that fit the training set."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import (
    at_paper_sizes,
    data_is,
    grid_complete,
    seeds,
)
from nc_runner.experiments.noise.contrast import between
from nc_runner.experiments.noise.shares import RULE, Shares
from nc_runner.experiments.noise.trend import trend
from nc_runner.experiments.pan2023.conjectures import (
    GROWTH,
    GROWTH_SEEN,
    GROWTH_TOLERANCE,
    INTER,
    INTRA,
    growth_with_weight_decay,
    per_factor_e,
    with_gap,
)
from nc_runner.experiments.pan2023.fits import (
    SEEDS,
    WEIGHT_DECAY,
    enough_seeds,
    fit_as_said,
    fitting,
    groups,
    measured,
    trained,
)
from nc_runner.experiments.pan2023.norms import cross_entropy_bound, feature_norm, stationarity

MARGIN = 0.05  # [choice] of g, of 4/3 at the most: "significantly"
HIGH_DECAY = 1e-3  # [choice] from where BatchNorm without affine part is compared with none
FAILS_ABOVE = 5e-3  # without BatchNorm, as the thesis says
KENDALL = 0.05

FIGURE = (data_is(DataName.teacher), at_paper_sizes("seeds", "model.norm", WEIGHT_DECAY))  # what Figure 3.1 is of
_FINE = 1 + 1e-9  # of a comparison of weight decays

BATCH_NORM_ORDER = Statement(
    "batch_norm_order",
    "g is larger with the affine part of BatchNorm than without",
    "Collapse is significantly stronger with the affine part of BatchNorm than without it, at all weight decays.",
    "section 3.1, Figure 3.1",
    f"at every weight decay at which both fit, the mean of g over seeds is larger by {MARGIN:g} [choice] and the noise",
    (*FIGURE, seeds(SEEDS), measured(INTRA, INTER)),
)
PLAIN_ABOVE_NONE = Statement(
    "plain_above_none",
    "g is larger with plain BatchNorm than with none, from 1e-3",
    f"At weight decays of {HIGH_DECAY:g} and above collapse is stronger with BatchNorm without its affine part than "
    "without BatchNorm. At smaller ones it is not.",
    "Figure 3.1, which the thesis does not read so",
    f"at every weight decay from {HIGH_DECAY:g} [choice] at which both fit, the mean of g over seeds is larger beyond "
    "noise",
    BATCH_NORM_ORDER.needs,
    Kind.ours,
)
NO_BATCH_NORM_WORSENS = Statement(
    "no_batch_norm_worsens",
    "without BatchNorm, g falls with weight decay",
    "Without BatchNorm collapse gets worse with weight decay.",
    "section 3.1, Figure 3.1",
    "means over seeds fall with weight decay beyond chance (Jonckheere's test) and none lies above that of a smaller "
    f"weight decay by more than {GROWTH_TOLERANCE:g} [choice] per factor e; such a rise beyond noise counts against it",
    (*FIGURE, measured(INTRA, INTER)),
)
NO_BATCH_NORM_FAILS = Statement(
    "no_batch_norm_fails",
    "without BatchNorm, training fails above 0.005",
    "Without BatchNorm training fails at weight decays above 0.005.",
    "section 3.1, Figure 3.1",
    f"at each such weight decay nearly all seeds end below train.target_accuracy or diverge: {RULE}",
    (*FIGURE, trained(SEEDS)),
)
OTHERS_FIT = Statement(
    "others_fit",
    "all other settings fit perfectly",
    "All other settings reach perfect training accuracy.",
    "section 3.1, Figure 3.1",
    f"at each setting but those without BatchNorm above 0.005 nearly all seeds fit (train.target_accuracy): {RULE}",
    (*FIGURE, grid_complete("model.norm", WEIGHT_DECAY), trained(SEEDS)),
)


def claims(results: Results) -> list[Claim]:
    """The claims in the order of the thesis."""
    affine = fitting(results, norm="affine")
    return [
        growth_with_weight_decay(affine, GROWTH, late=True),
        growth_with_weight_decay(affine, GROWTH_SEEN),
        norms_compared(results, "affine", "plain", BATCH_NORM_ORDER, 0.0, MARGIN),
        norms_compared(results, "plain", "none", PLAIN_ABOVE_NONE, HIGH_DECAY, 0.0),
        no_batch_norm_worsens(fitting(results, norm="none")),
        no_batch_norm_fails(results),
        others_fit(results),
        cross_entropy_bound(fitting(results)),
        feature_norm(affine),
        stationarity(affine),
    ]


def norms_compared(
    results: Results, better: str, worse: str, statement: Statement, least_decay: float, margin: float
) -> Claim:
    """g of one norm above that of another, at every weight decay from the least on at which both fit."""
    of = {norm: enough_seeds(fitting(results, norm=norm)) for norm in (better, worse)}
    high, low = (groups(with_gap(of[norm].final()), WEIGHT_DECAY, "gap") for norm in (better, worse))
    shared = [decay for decay in high if decay in low and decay * _FINE >= least_decay]
    both = fitting(results)
    judged = both.only(both.trials[WEIGHT_DECAY].isin(shared) & both.trials["model.norm"].isin([better, worse]))
    if not shared:
        return statement.judged(judged, None, f"no weight decay at which {better} and {worse} fit")
    found = between({f"{d:g}": high[d] for d in shared}, {f"{d:g}": low[d] for d in shared}, margin)
    said = ", ".join(f"{difference:.3f} at {decay}" for decay, difference in found.means.items())
    least = min(found.means.values())
    below = f"; below beyond noise at {', '.join(found.outside)}" if found.outside else ""
    measured = f"g of {better} less g of {worse}: {said}{below}"
    return statement.judged(judged, found.all_within, measured, f"{least:.3f} at the least", [found.told])


def no_batch_norm_worsens(fits: Results) -> Claim:
    """Without BatchNorm, g falls with weight decay: the trend of -g."""
    chosen = enough_seeds(fits)
    table = with_gap(chosen.final())
    mean = table.groupby(WEIGHT_DECAY)["gap"].mean()
    lowered = groups(table.assign(lowered=-table["gap"]), WEIGHT_DECAY, "lowered")
    found = trend(lowered, lambda low, high: GROWTH_TOLERANCE * per_factor_e(low, high) if low > 0 else 0.0)
    count = int(table["seed"].nunique())
    enough = Need(
        "seeds, or an exact test",
        f"{SEEDS} seeds, or one whose exact Kendall p is below {KENDALL:g}",
        f"{count} seed{'s' * (count != 1)}, p {found.p:.2g}",
        count >= SEEDS or found.p < KENDALL,
    )
    if len(mean) < 3:
        return NO_BATCH_NORM_WORSENS.judged(chosen, None, f"{len(mean)} weight decays fit, fewer than 3")
    ends = f"g from {mean.iloc[0]:.3f} at {mean.index[0]:g} to {mean.iloc[-1]:.3f} at {mean.index[-1]:g}"
    measured = f"{ends}; p {found.p:.2g}; {count} seed{'s' * (count != 1)}"
    number = f"{mean.iloc[0]:.2f} to {mean.iloc[-1]:.2f}"
    return NO_BATCH_NORM_WORSENS.judged(chosen, found.rises, measured, number, [enough, found.told])


def fails_above(results: Results) -> pd.Series[bool]:
    """Which trials are those that the thesis says fail."""
    trials = results.trials
    return (trials["model.norm"] == "none") & (trials[WEIGHT_DECAY] > FAILS_ABOVE * _FINE)


def no_batch_norm_fails(results: Results) -> Claim:
    """Without BatchNorm training fails above 0.005, and fits at some smaller weight decay."""
    done = results.only(results.trials["status"] != "unfinished")
    without = done.only(done.trials["model.norm"] == "none")
    above = without.only(fails_above(without))
    fit_below = int((without.trials.loc[~fails_above(without), "status"] == "interpolated").sum())
    below = Need("fits below", "a trial that fits at a smaller weight decay", f"{fit_below}", fit_below > 0)
    rows = above.trials.sort_values([WEIGHT_DECAY, "seed"])
    reached = [
        f"diverged at {decay:g}" if status == "diverged" else f"accuracy {accuracy:.4f} at {decay:g}"
        for status, accuracy, decay in zip(rows["status"], rows["accuracy"], rows[WEIGHT_DECAY], strict=True)
    ]
    fitted = int((rows["status"] == "interpolated").sum())
    shares = Shares(fit_as_said(above.trials, fails_above(above), WEIGHT_DECAY))
    holds = shares.all_so if len(rows) else None
    number = f"{len(rows) - fitted} of {len(rows)} fail"
    whole = grid_complete(WEIGHT_DECAY)(without)
    return NO_BATCH_NORM_FAILS.judged(
        above, holds, ", ".join(reached) or "no such trial", number, [below, whole, shares.told]
    )


def others_fit(results: Results) -> Claim:
    """Every setting but those fits, with how many reach accuracy 1 to the last sample."""
    done = results.only(results.trials["status"] != "unfinished")
    others = done.only(~fails_above(done))
    fits = others.trials["status"] == "interpolated"
    exact = int((others.trials["accuracy"] == 1).sum())
    target = results.config.train.target_accuracy
    measured = f"{fits.sum()} of {len(fits)} reach {target:g}, {exact} of {len(fits)} reach 1"
    shares = Shares(fit_as_said(others.trials, fails_above(others), "model.norm", WEIGHT_DECAY))
    holds = shares.all_so if len(fits) else None
    return OTHERS_FIT.judged(others, holds, measured, f"{fits.sum()} of {len(fits)} fit", [shares.told])
