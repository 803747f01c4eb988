"""Time or weight decay: what each does to g, and how much of its growth in Figure 3.1 of Pan 2023 is time."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import DECAY_TIMES, at_paper_sizes, data_is, decay_times, plain_network, seeds
from nc_runner.experiments.noise.contrast import Comparison, between, pooled
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA
from nc_runner.experiments.pan2023.equal_times import (
    EPOCHS,
    LEVEL,
    TIMES,
    annealed,
    equally_long,
    growth,
    of_data,
    share,
)
from nc_runner.experiments.pan2023.fits import SEEDS, WEIGHT_DECAY, groups, measured

FEW = 3.3  # [choice] decay times that are few: three, as near as whole epochs allow
HARDLY = 0.1  # [choice] of g, of 4/3 at the most: a difference that is hardly one
MOST = 0.5  # [choice] share of the growth that is most of it
THESIS_EPOCHS = 300
NAMES = {DataName.teacher: "the teacher's data", DataName.conic_hull: "conic hull data"}

_NEEDS = (annealed, plain_network, seeds(SEEDS), measured(INTRA, INTER))
TIME = Statement(
    "g_grows_with_decay_times",
    "at each weight decay g grows with decay times",
    f"At each weight decay, g is larger after {DECAY_TIMES:g} decay times or more than after three, each training "
    "annealed over its own schedule, on either data set.",
    "ours; of Figure 3.1",
    f"the mean of g over seeds after the most decay times less that after the fewest is above 0 beyond noise, at "
    f"every weight decay that fits both after {FEW:g} or fewer [choice] and after {DECAY_TIMES:g} or more; one below 0 "
    "beyond noise counts against it",
    _NEEDS,
    Kind.ours,
)
SAME_G = Statement(
    "equal_g_at_equal_times",
    "g hardly grows with decay at equal times",
    f"At equal decay times, {DECAY_TIMES:g} or more, g hardly grows with weight decay",
    "ours; of Figure 3.1",
    f"at the most decay times that every weight decay has, the mean of g over seeds at a larger weight decay exceeds "
    f"that at a smaller one by less than {HARDLY:g} [choice], noise added, in all pairs; more beyond noise counts "
    "against it",
    (*_NEEDS, decay_times()),
    Kind.ours,
)
SHARE = Statement(
    "growth_is_mostly_time",
    "most of g's growth with decay is time",
    f"Most of the growth of g from the smallest to the largest weight decay after the thesis's {THESIS_EPOCHS} epochs "
    "is training time: at equal decay times less than half of it is left",
    "ours; of Figure 3.1",
    f"the growth at the most decay times that every weight decay has, {DECAY_TIMES:g} or more, is less than "
    f"{1 - MOST:g} [choice] of that after equal epochs, beyond noise; more beyond noise counts against it",
    (*_NEEDS, at_paper_sizes("seeds", "data.name", WEIGHT_DECAY, EPOCHS)),
    Kind.ours,
)


def claims(results: Results) -> list[Claim]:
    """Time at each weight decay; then, by data set, weight decay at equal times and the share of time."""
    tables = of_data(results, [name.name for name in NAMES])
    found = [grows_with_time(results, tables)]
    for name, words in NAMES.items():
        about = {
            statement: replace(
                statement,
                id=f"{statement.id}_{name.name}",
                short=f"{words.removesuffix(' data')}: {statement.short}",
                text=f"{statement.text}, on {words}.",
                needs=(data_is(name), *statement.needs),
            )
            for statement in (SAME_G, SHARE)
        }
        found.append(equal_g(results, tables[name.name], about[SAME_G]))
        found.append(share_of_time(results, tables[name.name], about[SHARE]))
    return found


def grows_with_time(results: Results, tables: dict[str, pd.DataFrame]) -> Claim:
    """g after the most decay times less g after the fewest, of each data set and weight decay that has both."""
    short, long = {}, {}
    ids: set[str] = set()
    for name, table in tables.items():
        for decay, rows in table.groupby(WEIGHT_DECAY):
            few = with_most_seeds(rows[rows[TIMES] <= FEW], "min")
            many = with_most_seeds(rows[rows[TIMES] >= DECAY_TIMES], "max")
            if len(few) and len(many):
                words = f"{decay:g}, {NAMES[DataName[name]]}"
                short[words], long[words] = sorted(few["gap"].tolist()), sorted(many["gap"].tolist())
                ids |= {*few["id"], *many["id"]}
    judged = results.only(results.trials["id"].isin(ids))
    if not short:
        return TIME.judged(judged, None, "no weight decay fits both after few and after many decay times")
    found = between(long, short)
    said = ", ".join(f"{more:.3f} at {words}" for words, more in found.means.items())
    least = min(found.means.values())
    return TIME.judged(judged, found.all_within, f"g grows by {said}", f"{least:.3f} at the least", [found.told])


def with_most_seeds(rows: pd.DataFrame, which: str) -> pd.DataFrame:
    """Those after the fewest ("min") or the most ("max") decay times of which three seeds, or else most, fit."""
    seeds_at = rows.groupby(LEVEL)["seed"].nunique().clip(upper=SEEDS)
    chosen: pd.DataFrame = rows[rows[LEVEL] == seeds_at.index[seeds_at == seeds_at.max()].to_series().agg(which)]
    return chosen


def equal_g(results: Results, table: pd.DataFrame, statement: Statement) -> Claim:
    """g of each two weight decays at equal decay times."""
    _, equal = equally_long(table)
    judged = results.only(results.trials["id"].isin(equal["id"]))
    of = groups(equal, WEIGHT_DECAY, "gap")
    if len(of) < 2:
        return statement.judged(judged, None, f"no number of decay times from {DECAY_TIMES:g} on that all have")
    pairs = {f"{low:g} to {high:g}": (low, high) for low, high in itertools.combinations(sorted(of), 2)}
    lows, highs = ({words: of[pair[end]] for words, pair in pairs.items()} for end in (0, 1))
    found = between(lows, highs, -HARDLY)  # that g falls by more than -HARDLY
    most = max(-fall for fall in found.means.values())
    means = ", ".join(f"{sum(values) / len(values):.3f} at {decay:g}" for decay, values in of.items())
    measured = f"g after {equal[TIMES].min():.3g} decay times {means}; it grows by {most:.3f} at the most"
    return statement.judged(judged, found.all_within, measured, f"grows by {most:.3f}", [found.told])


def share_of_time(results: Results, table: pd.DataFrame, statement: Statement) -> Claim:
    """The growth of g at equal decay times against that after equal epochs."""
    epochs, times = equally_long(table)
    judged = results.only(results.trials["id"].isin({*epochs["id"], *times["id"]}))
    if epochs[WEIGHT_DECAY].nunique() < 2 or times.empty:
        return statement.judged(judged, None, "not all weight decays fit after equal epochs and at equal decay times")
    both = pd.concat([epochs, times]).drop_duplicates("id")
    values = {name: sorted(rows.tolist()) for name, rows in both.groupby([EPOCHS, WEIGHT_DECAY])["gap"]}
    whole, left = (ends_of(rows) for rows in (epochs, times))
    half = {name: (1 - MOST) * whole.get(name, 0.0) - left.get(name, 0.0) for name in {**whole, **left}}
    found, grown = (Comparison({"the sum": pooled(values, of)}) for of in (half, whole))
    there = Need(
        "a growth to share out",
        "g grows with weight decay after equal epochs, beyond noise",
        f"by {growth(epochs):.3f}",
        grown.all_within,
    )
    taken = int(epochs[EPOCHS].iloc[0])
    thesis = Need("the thesis's epochs", f"{THESIS_EPOCHS}", f"{taken}", taken == THESIS_EPOCHS)
    part = share(epochs, times)
    said = f"{part:.0%} of the growth is training time" if part == part else "no growth to share out"
    number = f"{part:.0%} is time" if part == part else "no growth"
    low, high = epochs[WEIGHT_DECAY].min(), epochs[WEIGHT_DECAY].max()
    measured = (
        f"g grows by {growth(epochs):.3f} from weight decay {low:g} to {high:g} after {taken:,} epochs, and by "
        f"{growth(times):.3f} after {times[TIMES].min():.3g} decay times each; {said}"
    )
    return statement.judged(judged, found.all_within, measured, number, [there, thesis, found.told])


def ends_of(rows: pd.DataFrame) -> dict[tuple[int, float], float]:
    """The largest weight decay less the smallest, as coefficients of (epochs, weight decay)."""
    first, last = (
        rows.loc[rows[WEIGHT_DECAY] == end].iloc[0] for end in (rows[WEIGHT_DECAY].min(), rows[WEIGHT_DECAY].max())
    )
    return {(int(last[EPOCHS]), float(last[WEIGHT_DECAY])): 1.0, (int(first[EPOCHS]), float(first[WEIGHT_DECAY])): -1.0}
