"""The lemmas under Theorem 2.3.1, the theorem and Theorem 3.1 of Ji et al. 2022, judged over all instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pandas as pd

from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement
from nc_runner.experiments.needs import finished
from nc_runner.experiments.pan2023.fits import measured
from nc_runner.experiments.pan2023.lemmas import LEMMAS

ROUNDING = 1e-9  # relative, of a ratio [choice]: the sides are differences, of numbers of order 1, of 1e-6 and more
RANDOM, SEARCHED = 1000, 100  # instances, searches: the least that say something [choice]
SHARP = 0.99  # [choice] of a ratio from which its two sides nearly meet
LOOSE = 0.01  # [choice] of what the theorem allows
EQUAL, STRICT = 1e-12, 1e-6  # |1 - ratio| that counts as 0 in float64; 1 - ratio that does not [choice]
WAYS = ("norms", "class", "features", "duality")  # off collapse

KINDS = ("random", "searched", "extreme")
NONE: pd.Series[float] = pd.Series(dtype=float)


def values_of(results: Results, *names: str) -> pd.Series[float]:
    """Every value of metrics that are named so, with the number of an instance or a shape behind it."""
    found = [results.once(values_of, lambda: by_name(results)).get(name, NONE) for name in names]
    return pd.concat(found) if len(found) > 1 else found[0]


def by_name(results: Results) -> dict[str, pd.Series[float]]:
    """The values of each metric, without the number of an instance or a shape."""
    return dict(list(results.metrics["value"].groupby(results.metrics["metric"].str.replace(r"_\d+$", "", regex=True))))


def instances(name: str, *, searches: bool) -> Callable[[Results], Need]:
    """There are instances enough of a lemma, and searches."""

    def need(results: Results) -> Need:
        random, ended = len(values_of(results, f"random_{name}")), len(values_of(results, f"searched_{name}"))
        required = f"{RANDOM:,} at random or more" + f", {SEARCHED} searches or more" * searches
        found = f"{random:,} at random" + f", {ended} searches" * searches
        return Need(
            "instances", f"{required} [choice]", found, random >= RANDOM and (ended >= SEARCHED or not searches)
        )

    return need


def sharp(name: str) -> Callable[[Results], Need]:
    """An instance at which the two sides nearly meet: there a constant that is too good would be seen."""

    def need(results: Results) -> Need:
        ratios = values_of(results, *(f"{kind}_{name}" for kind in KINDS))
        largest = float(ratios.max()) if len(ratios) else 0.0
        required = f"an instance with a ratio of {SHARP:g} or more [choice]"
        return Need("sharp enough to fail", required, f"{largest:.6g} at the most", largest >= SHARP)

    return need


SHORT = {
    "pair_cosine": "Lemma 2.4.4 holds of two classes",
    "step": "the step of 2.4.5 holds where every r >= 0",
    "most_classes": "Theorem 2.3.1 holds at every delta = k/C",
    "margin": "Ji et al.: the margin is at most its bound",
}
HOLDS = {
    lemma.name: Statement(
        f"{lemma.name}_holds",
        SHORT.get(lemma.name, f"{lemma.source.partition(',')[0]} holds"),
        f"{lemma.says[0].upper()}{lemma.says[1:]}.",
        lemma.source,
        (
            f"the two sides equal to {ROUNDING:g} of the larger [choice], both as distances from 1, at every instance"
            if lemma.identity
            else f"the one side over the other at most 1 + {ROUNDING:g} [choice] at every random instance, at every "
            "end of a search, and at an instance made so that they meet; norms and cosines as distances from 1"
        ),
        (
            finished,
            instances(lemma.name, searches=not lemma.identity),
            *((sharp(lemma.name),) if lemma.extreme is not None else ()),
        ),
        lemma.kind,
    )
    for lemma in LEMMAS
    if not lemma.false
}
PREMISE = Statement(
    "step_needs_its_sign",
    "the step of 2.4.5 is false of some r < 0",
    "Without r >= 0, mean r >= c^2/(alpha^2 beta) is false, of two vectors already: of 2 and -1 in one dimension the "
    "mean unit vector is 0, and c^2/(alpha beta)^2 is 0.1. Of one vector it is true.",
    "Lemma 2.4.5; how the step fails is ours",
    f"above 1 + {ROUNDING:g} at the two vectors and at some random instance, not at any one vector",
    (finished, instances("step_any_sign", searches=True), measured("counterexample_step", "largest_of_one_vector")),
    Kind.derived,
)
SHARPNESS = Statement(
    "constants_are_sharp",
    "no constant of Lemmas 2.4.1, 2.4.3, 2.4.5 can be better",
    "The two sides of Lemmas 2.4.1, 2.4.3 and 2.4.5 meet, or nearly: none of their constants can be improved.",
    "Lemmas 2.4.1, 2.4.3, 2.4.5; that they are sharp is ours",
    f"of each lemma a ratio of {SHARP:g} or more [choice], and none above 1 + {ROUNDING:g}",
    (finished, *(instances(name, searches=True) for name in ("subset_mean", "subset_excess", "mean_direction"))),
    Kind.ours,
)
LOOSENESS = Statement(
    "theorem_is_loose",
    "Theorem 2.3.1 allows 100 times what a search finds",
    "Though its lemmas are sharp, the theorem is not: where its bound says something, what a search for the worst "
    "finds is a small part of what it allows.",
    "Theorem 2.3.1, (2.20); that it is loose is ours",
    f"1 - intra at most {LOOSE:g} [choice] of what the theorem allows, at every instance found where it is not vacuous",
    (finished, instances("most_classes", searches=True)),
    Kind.ours,
)
EQUALITY = Statement(
    "margin_equality",
    "Ji et al.: the margin meets its bound at collapse",
    "At neural collapse with ||W|| = ||H|| the margin is equal to its bound.",
    "Ji et al. 2022, Theorem 3.1, equality if",
    f"ratio within {EQUAL:g} of 1 at every constructed collapse",
    (finished, measured("collapse_0")),
)
STRICTNESS = Statement(
    "margin_strict",
    "Ji et al.: off collapse the margin is below its bound",
    "The margin is equal to its bound only at neural collapse with ||W|| = ||H||.",
    "Ji et al. 2022, Theorem 3.1, equality only if",
    f"ratio below 1 by {STRICT:g} or more [choice] at every collapse changed by 1 % in one of four ways: longer rows; "
    "one class longer; features with noise; features turned",
    (finished, measured(*(f"off_{way}_0" for way in WAYS))),
)


def claims(results: Results) -> list[Claim]:
    """Each lemma, what its step needs, how sharp they are, and both sides of the equality of Ji et al."""
    done = results.only(results.trials["status"] == "measured")
    found = [
        *(holds(done, lemma.name, identity=lemma.identity) for lemma in LEMMAS if not lemma.false),
        needs_its_sign(done),
        sharpness(done),
        looseness(done),
        equality(done),
        strictness(done),
    ]
    return [dataclasses.replace(of, paper="ji2022") if of.id.startswith("margin") else of for of in found]


def holds(of: Results, name: str, *, identity: bool) -> Claim:
    """A lemma at every instance."""
    kinds = {kind: values_of(of, f"{kind}_{name}") for kind in KINDS}
    ratios = pd.concat(kinds.values())
    if ratios.empty:
        return HOLDS[name].judged(of, None, "no instance")
    if identity:
        off = float((ratios - 1).abs().max(skipna=False))
        return HOLDS[name].judged(of, off <= ROUNDING, f"{off:.1g} apart, {len(ratios):,} instances", f"{off:.1g}")
    largest = {kind: values.max(skipna=False) for kind, values in kinds.items() if len(values)}
    told = "; ".join(f"{kind} {value:.6g} at the most of {len(kinds[kind]):,}" for kind, value in largest.items())
    worst = float(ratios.max(skipna=False))
    return HOLDS[name].judged(of, worst <= 1 + ROUNDING, told, f"ratio {worst:.4f}")


def needs_its_sign(of: Results) -> Claim:
    """Where the step of Lemma 2.4.5 is false."""
    names = ("counterexample_mean", "counterexample_step", "counterexample_repaired", "largest_of_one_vector")
    columns = [values_of(of, name) for name in names]
    ratios = values_of(of, "random_step_any_sign")
    if ratios.empty or any(column.empty for column in columns):
        return PREMISE.judged(of, None, "not measured")
    mean, step, repaired, alone = (float(column.max(skipna=False)) for column in columns)
    against = int((ratios > 1 + ROUNDING).sum())
    told = (
        f"two vectors: mean {mean:.3g} below {step:.3g}, above {repaired:.3g}; {against} of {len(ratios):,} random "
        f"instances; one vector: ratio {alone:.4g} at the most"
    )
    true = (1 - mean) > (1 - step) * (1 + ROUNDING) and against > 0 and alone <= 1 + ROUNDING and mean >= repaired
    return PREMISE.judged(of, true, told, f"{mean:.2g} < {step:.2g}")


def sharpness(of: Results) -> Claim:
    """How nearly the sides of the three lemmas meet."""
    columns = {
        lemma.title: values_of(of, *(f"{kind}_{lemma.name}" for kind in KINDS))
        for lemma in LEMMAS
        if lemma.name in ("subset_mean", "subset_excess", "mean_direction")
    }
    if any(column.empty for column in columns.values()):
        return SHARPNESS.judged(of, None, "no instance")
    largest = {title: float(column.max(skipna=False)) for title, column in columns.items()}
    told = ", ".join(f"{title} {value:.6g}" for title, value in largest.items())
    true = all(SHARP <= value <= 1 + ROUNDING for value in largest.values())
    return SHARPNESS.judged(of, true, told, f"ratio {min(largest.values()):.4f}")


def looseness(of: Results) -> Claim:
    """How far the theorem is from what a search finds."""
    ratios = values_of(of, *(f"{kind}_most_classes" for kind in KINDS))
    if ratios.empty:
        return LOOSENESS.judged(of, None, "no instance")
    worst = float(ratios.max(skipna=False))
    told = f"1 - intra at most {worst:.2g} of what the theorem allows, {len(ratios):,} instances"
    searching = Need("a search that finds", "an instance at which it is not vacuous", f"{worst:.2g}", worst > 0)
    return LOOSENESS.judged(of, worst <= LOOSE, told, f"{worst:.1g} of it", [searching])


def equality(of: Results) -> Claim:
    """Theorem 3.1 of Ji et al. where its two sides are equal."""
    gaps = values_of(of, "collapse")
    if gaps.empty:
        return EQUALITY.judged(of, None, "no constructed collapse")
    off = float(gaps.abs().max(skipna=False))
    return EQUALITY.judged(of, off <= EQUAL, f"|1 - ratio| up to {off:.1g}, {len(gaps)} collapses", f"{off:.1g}")


def strictness(of: Results) -> Claim:
    """Theorem 3.1 of Ji et al. where they are not."""
    columns = {way: values_of(of, f"off_{way}") for way in WAYS}
    if any(column.empty for column in columns.values()):
        return STRICTNESS.judged(of, None, "nothing off collapse")
    least = {way: float(column.min(skipna=False)) for way, column in columns.items()}
    told = "1 - ratio at the least: " + ", ".join(f"{way} {value:.2g}" for way, value in least.items())
    return STRICTNESS.judged(of, all(v >= STRICT for v in least.values()), told, f"1 - {min(least.values()):.1g}")
