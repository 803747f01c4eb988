"""What Pan 2023 says of Figure 3.3."""

from __future__ import annotations

import pandas as pd

from nc_runner.experiments.base import Claim, Results
from nc_runner.experiments.pan2023.conjectures import (
    INTER,
    INTRA,
    NCC,
    WEIGHT_DECAY,
    depth_falls_with_weight_decay,
    growth_with_layer,
    growth_with_weight_decay,
)

CONVERGES_UP_TO, FAILS_AT = 5e-3, 1e-2
FAILED_ACCURACY = 0.95  # [choice] "well below 1"
FEW_EXCEPTIONS = 0.8  # [choice] share of steps from a layer to the next that must sharpen
MANY_LAYERS = 3  # [choice]
NCC_PERFECT = 0.999  # [choice], as for training accuracy


def claims(results: Results) -> list[Claim]:
    """The claims in the order of the thesis."""
    layers, trials = results.final_by_layer(NCC, INTRA, INTER), results.final()
    fits = layers[layers["status"] == "interpolated"]
    hidden = fits[fits["layer"] < results.config.model.depth].assign(gap=lambda t: t[INTRA] - t[INTER])
    last = hidden[hidden["layer"] == results.config.model.depth - 1]
    return [
        convergence(trials),
        sharpening(hidden),
        growth_with_layer(hidden),
        depth_falls_with_weight_decay(fits),
        growth_with_weight_decay(last, f"In the last of {results.config.model.depth} layers"),
        inter_above_zero(hidden, results.config.model.depth),
    ]


def close_to(values: pd.Series[float], value: float) -> pd.Series[bool]:
    """Which weight decays are this one, to rounding."""
    return (values / value - 1).abs() < 1e-9


def convergence(trials: pd.DataFrame) -> Claim:
    """Training converges up to 0.005 and fails at 0.01."""
    high = trials[close_to(trials[WEIGHT_DECAY], FAILS_AT)]
    low = trials[trials[WEIGHT_DECAY] <= CONVERGES_UP_TO * (1 + 1e-9)]
    holds = None
    if len(high) and len(low):
        failed = (high["accuracy"] < FAILED_ACCURACY) | (high["status"] == "diverged")
        holds = bool(failed.all() and (low["status"] == "interpolated").all())
    reached = ", ".join(high["accuracy"].map("{:.4f}".format).mask(high["status"] == "diverged", "diverged"))
    return Claim(
        "convergence",
        "Training converges at weight decays up to 0.005 and fails at 0.01.",
        f"every trial up to 0.005 fits, accuracy below {FAILED_ACCURACY:g} [choice] at 0.01",
        f"{int((low['status'] == 'interpolated').sum())} of {len(low)} trials up to 0.005 fit, least accuracy "
        f"{low.loc[low['status'] != 'diverged', 'accuracy'].min():.4f}; accuracy at 0.01: {reached or 'no trial'}",
        Claim.judge(holds),
    )


def sharpening(hidden: pd.DataFrame) -> Claim:
    """All three measures sharpen with depth, with few exceptions."""
    holds, measured = None, "no trial with perfect accuracy"
    if len(hidden):
        steps = hidden.sort_values(["id", "layer"]).groupby("id")[[NCC, INTRA, INTER]].diff().dropna()
        shares = {
            "NCC accuracy": (steps[NCC] >= 0).mean(),
            "min intra": (steps[INTRA] >= 0).mean(),
            "max inter": (steps[INTER] <= 0).mean(),
        }
        holds = min(shares.values()) >= FEW_EXCEPTIONS
        measured = ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) + " of the steps"
    return Claim(
        "sharpening",
        "NCC accuracy, min intra and max inter cosine sharpen with depth, with few exceptions.",
        f"each in at least {FEW_EXCEPTIONS:.0%} [choice] of the steps from a layer to the next",
        measured,
        Claim.judge(holds),
    )


def inter_above_zero(hidden: pd.DataFrame, depth: int) -> Claim:
    """At 3e-3 and 5e-3, max inter cosine is above 0 in middle layers whose NCC accuracy is perfect."""
    counts, said = [], []
    middle = hidden[hidden["layer"].between(depth / 4, 3 * depth / 4)]
    for decay in (3e-3, 5e-3):
        odd = middle[close_to(middle[WEIGHT_DECAY], decay) & (middle[INTER] > 0)]
        seeds = middle.loc[close_to(middle[WEIGHT_DECAY], decay), "id"].nunique()
        if seeds:
            counts.append((odd[NCC] >= NCC_PERFECT).sum() / seeds)
            least = f", NCC accuracy there {odd[NCC].min():.4f} and up" if len(odd) else ""
            said.append(f"at {decay:g}: {counts[-1]:.3g} layers ({len(odd) / seeds:.3g} with max inter > 0{least})")
    holds = all(count >= MANY_LAYERS for count in counts) if len(counts) == 2 else None
    return Claim(
        "inter_above_zero",
        "At weight decays 0.003 and 0.005 max inter cosine is above 0 in many middle layers though NCC is perfect.",
        f"at least {MANY_LAYERS} layers between depth/4 and 3 depth/4 with max inter > 0 and NCC accuracy >= "
        f"{NCC_PERFECT:g} [choice], mean over seeds",
        "; ".join(said) or "no trial that fits",
        Claim.judge(holds),
    )
