"""What Pan 2023 says of Figure 3.3."""

from __future__ import annotations

import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Need, Results, Statement
from nc_runner.experiments.needs import at_paper_sizes, data_is, grid_complete, seeds
from nc_runner.experiments.noise.contrast import above
from nc_runner.experiments.noise.shares import RULE, Shares
from nc_runner.experiments.noise.trend import trend
from nc_runner.experiments.pan2023 import words
from nc_runner.experiments.pan2023.conjectures import (
    GROWTH,
    GROWTH_SEEN,
    GROWTH_TOLERANCE,
    INTER,
    INTRA,
    LAYERS,
    LAYERS_SEEN,
    growth_with_layer,
    growth_with_weight_decay,
    per_factor_e,
    steps_of,
    with_gap,
)
from nc_runner.experiments.pan2023.effective_depth import (
    DEPTH,
    DEPTH_SEEN,
    NCC,
    NCC_ERROR,
    depth_falls_with_weight_decay,
    effective_depths,
)
from nc_runner.experiments.pan2023.fits import (
    LEVELS,
    SEEDS,
    WEIGHT_DECAY,
    enough_seeds,
    fit_as_said,
    fitting,
    groups,
    measured,
    trained,
)

CONVERGES_UP_TO, FAILS_AT = 5e-3, 1e-2
FEW_EXCEPTIONS = 0.9  # [choice] share of the steps from a layer to the next that must not fall
STEP_TOLERANCE = 0.01  # [choice] fall from a layer to the next that is none
LARGEST_FALL = 0.1  # [choice] that no step may exceed
RISE = 0.1  # [choice] from the first hidden layer to the last, at the least
EARLY = 0.5  # [choice] share of the depth that counts as early
MANY_LAYERS = 3  # [choice]
_FINE = 1 + 1e-9  # of a comparison of weight decays
FIGURE = (data_is(DataName.teacher), at_paper_sizes("seeds", WEIGHT_DECAY))  # what Figure 3.3 is of

CONVERGENCE = Statement(
    "convergence",
    "training converges up to 0.005 and fails at 0.01",
    "Training converges at weight decays up to 0.005 and fails to converge at 0.01.",
    "section 3.2.2, Figure 3.3",
    "at each weight decay up to 0.005 nearly all seeds fit (train.target_accuracy), and at 0.01 nearly all do not: "
    f"{RULE}",
    (*FIGURE, grid_complete(WEIGHT_DECAY), trained(SEEDS)),
)
EARLY_NCC = Statement(
    "near_perfect_ncc_early",
    "near-perfect NCC accuracy already in early layers",
    "NCC accuracy is near-perfect already in early layers.",
    "section 3.2.2, Figure 3.3",
    f"at every weight decay where training is perfect, the mean over seeds of the least layer with an NCC error of at "
    f"most {NCC_ERROR:g} lies in the first half of the depth [choice], noise added; one that does not, beyond noise, "
    "counts against it",
    (*FIGURE, seeds(SEEDS), measured(NCC)),
)
SHARPENING = Statement(
    "sharpening",
    "NCC accuracy, min intra and g rise with the layer",
    "With very few exceptions NCC accuracy, min intra-class cosine and the difference min intra - max inter rise with "
    "the layer.",
    "section 3.2.2, Figure 3.3",
    f"the mean over seeds of each falls by {STEP_TOLERANCE:g} [choice] at the most in {FEW_EXCEPTIONS:.0%} [choice] of "
    f"the steps from a hidden layer to the next, in none by more than {LARGEST_FALL:g} [choice], and rises by {RISE:g} "
    "[choice] and the noise from the first to the last, at every weight decay; more falls, a larger one, or a smaller "
    "rise, beyond noise, count against it",
    (*FIGURE, seeds(SEEDS), measured(NCC, INTRA, INTER)),
)
INTER_ABOVE_ZERO = Statement(
    "inter_above_zero",
    "max inter is above 0 in middle layers at 0.003 and 0.005",
    "At weight decays 0.003 and 0.005 max inter-class cosine is above 0 in many intermediate layers though NCC is "
    "perfect.",
    "section 3.2.2, Figure 3.3",
    f"at both, at least {MANY_LAYERS} layers between depth/4 and 3 depth/4 with max inter > 0 and an NCC error of at "
    f"most {NCC_ERROR:g} [choice], mean over seeds, beyond noise; a mean below that beyond noise counts against it",
    (*FIGURE, seeds(SEEDS), measured(NCC, INTER)),
)
INTER_LESS_STABLE = Statement(
    "inter_less_stable",
    "max inter is less stable as weight decay grows",
    "As weight decay grows, max inter-class cosine by itself is less stable over the layers.",
    "section 3.2.2, Figure 3.3",
    "the sum of its rises from a hidden layer to the next grows with weight decay beyond chance (Jonckheere's test), "
    f"and no mean over seeds falls by more than {GROWTH_TOLERANCE:g} [choice] per factor e; such a fall beyond noise "
    "counts against it",
    (*FIGURE, seeds(SEEDS), measured(INTER)),
)


def claims(results: Results) -> list[Claim]:
    """The claims in the order of the thesis."""
    fits = fitting(results)
    last = results.config.model.depth - 1
    return [
        convergence(results),
        early_ncc(fits),
        sharpening(fits),
        depth_falls_with_weight_decay(fits, DEPTH_SEEN, strictly=True),
        inter_above_zero(fits),
        inter_less_stable(fits),
        growth_with_layer(fits, LAYERS, late=True),
        growth_with_layer(fits, LAYERS_SEEN),
        depth_falls_with_weight_decay(fits, DEPTH, strictly=False, late=True),
        growth_with_weight_decay(fits, GROWTH, last, late=True),
        growth_with_weight_decay(fits, GROWTH_SEEN, last),
    ]


def close_to(values: pd.Series[float], value: float) -> pd.Series[bool]:
    """Which weight decays are this one, to rounding."""
    return (values / value - 1).abs() < 1e-9


def hidden_layers(results: Results) -> pd.DataFrame:
    """NCC accuracy, cosines and g of the hidden layers at the end, a row a trial and layer, in their order."""
    layers = with_gap(results.final_by_layer(NCC, INTRA, INTER))
    return layers[layers["layer"] < results.config.model.depth].sort_values(["id", "layer"])


def convergence(results: Results) -> Claim:
    """Training converges up to 0.005 and fails at 0.01."""
    done = results.only(results.trials["status"] != "unfinished")
    fails, converges = (
        close_to(done.trials[WEIGHT_DECAY], FAILS_AT),
        done.trials[WEIGHT_DECAY] <= CONVERGES_UP_TO * _FINE,
    )
    high, low = done.trials[fails], done.trials[converges]
    shares = Shares(fit_as_said(done.trials[fails | converges], fails, WEIGHT_DECAY))
    fit_low, fit_high = (int((rows["status"] == "interpolated").sum()) for rows in (low, high))
    reached = sorted(words.reached(high))
    least = low.loc[low["status"] != "diverged", "accuracy"].min()
    said = f", least accuracy {least:.4f}" if len(low) and least == least else ""
    measured = (
        f"{fit_low} of {len(low)} trials up to 0.005 fit{said}; accuracy at 0.01: {', '.join(reached) or 'no trial'}"
    )
    holds = shares.all_so if len(high) and len(low) else None
    return CONVERGENCE.judged(
        done, holds, measured, f"{fit_low} of {len(low)}, {fit_high} of {len(high)} fit", [shares.told]
    )


def early_ncc(fits: Results) -> Claim:
    """The least layer of near-perfect NCC lies in the first half, at each weight decay."""
    chosen = enough_seeds(fits)
    layers = chosen.final_by_layer(NCC)
    if layers.empty or NCC not in layers:
        return EARLY_NCC.judged(chosen, None, "no trial that fits")
    limit = EARLY * fits.config.model.depth
    depths = groups(effective_depths(layers, NCC_ERROR), WEIGHT_DECAY, "effective_depth")
    found = above({f"{decay:g}": [limit - depth for depth in of] for decay, of in depths.items()}, 0, rounding=1)
    means = {name: limit - difference for name, difference in found.means.items()}
    measured = "layer " + ", ".join(f"{mean:.3g} at {decay}" for decay, mean in means.items())
    number = f"layer {max(means.values()):.3g} of {fits.config.model.depth}"
    return EARLY_NCC.judged(chosen, found.all_within, measured, number, [found.told])


def sharpening(fits: Results) -> Claim:
    """All three measures sharpen with depth, with few exceptions, on means over seeds."""
    chosen = enough_seeds(fits)
    hidden = hidden_layers(chosen)
    columns = {NCC: "NCC accuracy", INTRA: "min intra", "gap": "g"}
    if not set(columns) <= set(hidden) or hidden["layer"].nunique() < 2:
        return SHARPENING.judged(chosen, None, "no two hidden layers of a trial that fits")
    said, holds, refused, least_share, largest_fall = [], True, False, 1.0, 0.0
    for column, name in columns.items():
        by_step, rises = steps_of(hidden, column)
        steps, limit = above(by_step, -STEP_TOLERANCE), above(by_step, -LARGEST_FALL)
        means = pd.Series(steps.means)
        share, fall = float((means >= -STEP_TOLERANCE).mean()), max(0.0, -means.min())
        rise = above(rises, RISE)
        holds &= bool(share >= FEW_EXCEPTIONS and fall <= LARGEST_FALL and rise.all_within)
        sure_share = 1 - len(steps.each_outside) / len(means)
        refused |= bool(sure_share < FEW_EXCEPTIONS or limit.outside or rise.outside)
        least_share, largest_fall = min(least_share, share), max(largest_fall, fall)
        least_rise = min(rise.means.values())
        said.append(f"{name}: {share:.0%} of the steps, largest fall {fall:.3f}, rises by {least_rise:.3f}")
    told = Need(
        "told from noise",
        f"{FEW_EXCEPTIONS:.0%} of the means do not fall and all rise in the end, or not so beyond noise",
        "both" if holds else "refuted" if refused else "neither",
        holds or refused,
    )
    number = f"{least_share:.0%}, fall {largest_fall:.2f}"
    return SHARPENING.judged(chosen, holds, "; ".join(said), number, [told])


def inter_above_zero(fits: Results) -> Claim:
    """At 3e-3 and 5e-3, max inter cosine is above 0 in middle layers whose NCC accuracy is perfect."""
    hidden, depth = hidden_layers(fits), fits.config.model.depth
    middle = hidden[hidden["layer"].between(depth / 4, 3 * depth / 4)]
    of_both = fits.only(close_to(fits.trials[WEIGHT_DECAY], 3e-3) | close_to(fits.trials[WEIGHT_DECAY], 5e-3))
    if middle.empty or not {NCC, INTER} <= set(middle) or of_both.trials[WEIGHT_DECAY].nunique() < 2:
        return INTER_ABOVE_ZERO.judged(of_both, None, "no trial that fits at 0.003, or none at 0.005")
    odd = middle.assign(odd=(middle[INTER] > 0) & (1 - middle[NCC] <= NCC_ERROR))
    odd = odd[odd["id"].isin(of_both.trials["id"])]
    counts = odd.groupby([WEIGHT_DECAY, "id"])["odd"].sum().reset_index()
    found = above(
        {
            f"{decay:g}": [n - MANY_LAYERS + 0.5 for n in of]
            for decay, of in groups(counts, WEIGHT_DECAY, "odd").items()
        },
        0,
        rounding=1,
    )
    mean = {name: difference + MANY_LAYERS - 0.5 for name, difference in found.means.items()}
    said = "; ".join(f"{count:.3g} layers at {decay}" for decay, count in mean.items())
    return INTER_ABOVE_ZERO.judged(of_both, found.all_within, said, f"{min(mean.values()):.3g} layers", [found.told])


def inter_less_stable(fits: Results) -> Claim:
    """The sum of the rises of max inter cosine over the hidden layers, over weight decay."""
    chosen = enough_seeds(fits)
    hidden = hidden_layers(chosen)
    if INTER not in hidden or hidden[WEIGHT_DECAY].nunique() < LEVELS:
        return INTER_LESS_STABLE.judged(chosen, None, f"fewer than {LEVELS} weight decays fit")
    steps = hidden.assign(step=hidden.groupby("id")[INTER].diff())
    steps = steps[steps["layer"] > steps.groupby("id")["layer"].transform("min")]
    # A step that is not defined makes its trial's sum so, where clip and sum would pass over it.
    total = steps.assign(step=steps["step"].clip(lower=0)).groupby([WEIGHT_DECAY, "id"])["step"].sum(min_count=1)
    total = total.mask(steps["step"].isna().groupby([steps[WEIGHT_DECAY], steps["id"]]).any())
    found = trend(
        groups(total.reset_index(), WEIGHT_DECAY, "step"),
        lambda low, high: GROWTH_TOLERANCE * per_factor_e(low, high) if low > 0 else 0.0,
    )
    mean = total.groupby(level=0).mean()
    measured = "sum of rises " + ", ".join(f"{value:.3f} at {decay:g}" for decay, value in mean.items())
    number = f"{mean.iloc[0]:.2f} to {mean.iloc[-1]:.2f}"
    return INTER_LESS_STABLE.judged(chosen, found.rises, f"{measured}; p {found.p:.2g}", number, [found.told])
