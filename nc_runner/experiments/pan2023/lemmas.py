"""The lemmas under Theorem 2.3.1 of Pan 2023, and Theorem 3.1 of Ji et al. 2022, each a record with its two sides.

An instance of a lemma is a row of numbers, all of which it takes: normal ones make a random instance, and a search may
move them as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nc_runner.experiments.claim import Kind
from nc_runner.experiments.pan2023.lemma_sides import (
    CLASSES,
    DIM,
    NUMBERS,
    PER_CLASS,
    VECTORS,
    class_cosine,
    component,
    margin,
    mean_direction,
    most_classes,
    one_third_short,
    pair_cosine,
    simplex,
    subset_excess,
    subset_mean,
    two_values,
)


@dataclass(frozen=True)
class Lemma:
    """A statement that one side is at most the other.

    Attributes:
        name: of its metrics.
        title: of its row in the figure.
        says: its formula, in words of a claim.
        source: where it stands.
        numbers: how many an instance takes.
        sides: of instances [N, numbers], the side that is at most the other, and the other, [N] each.
        extreme: an instance [numbers] at which the two sides meet, or nearly; of a false statement one that breaks it.
        kind: who says it.
        identity: the two sides are equal.
        false: it is none of the paper's, and there are instances against it.
    """

    name: str
    title: str
    says: str
    source: str
    numbers: int
    sides: Callable[[Tensor], tuple[Tensor, Tensor]]
    extreme: Callable[[], Tensor] | None = None
    kind: Kind = Kind.paper
    identity: bool = False
    false: bool = False

    def ratio(self, instances: Tensor) -> Tensor:
        """The one side over the other, [N]: above 1 the statement is violated."""
        less, more = self.sides(instances[:, : self.numbers])
        return less / more


_OF_NUMBERS = 2 * NUMBERS
_OF_VECTORS = VECTORS * (2 + DIM)
_OF_FEATURES = CLASSES * CLASSES * (1 + PER_CLASS)

LEMMAS = (
    Lemma(
        "subset_mean",
        "Lemma 2.4.1",
        "|mean_S - mean| <= sqrt(2 eps (1-delta)/(Lam delta)), for numbers with Jensen gap eps under f, f'' >= Lam, "
        "and S a share delta of them",
        "Lemma 2.4.1",
        _OF_NUMBERS,
        subset_mean,
        lambda: two_values(0.5, 1e-3),
    ),
    Lemma(
        "subset_excess",
        "Lemma 2.4.3",
        "mean_S - mean <= sqrt(2 eps/(delta exp(mean))), for numbers with Jensen gap eps under the exponential, and "
        "S a share delta of them",
        "Lemma 2.4.3",
        _OF_NUMBERS,
        subset_excess,
        lambda: two_values(1e-4, 1e-2),
    ),
    Lemma(
        "class_cosine",
        "2.4.4, a class",
        "the mean cosine over all pairs of features of a class, self pairs included, is ||m||^2, m the mean of h/||h||",
        "Lemma 2.4.4",
        2 * CLASSES**2,
        class_cosine,
        identity=True,
    ),
    Lemma(
        "pair_cosine",
        "2.4.4, two classes",
        "the mean cosine over all pairs of features of two classes is m . m'",
        "Lemma 2.4.4",
        2 * CLASSES**2,
        pair_cosine,
        identity=True,
    ),
    Lemma(
        "mean_direction",
        "Lemma 2.4.5",
        "||mean v/||v|| || >= 2 (c/(alpha beta))^2 - 1, for vectors with mean w . v = c, mean ||v||^2 <= alpha^2 and "
        "||w|| <= beta",
        "Lemma 2.4.5, its conclusion",
        _OF_VECTORS,
        mean_direction,
        lambda: one_third_short((-1.0, 0.0)),
    ),
    Lemma(
        "step",
        "its step, r ≥ 0",
        "mean r >= c^2/(alpha^2 beta), r = w . v/||v||, where every r >= 0",
        "Lemma 2.4.5, a step that proves it, by Cauchy and Schwarz",
        _OF_VECTORS,
        lambda z: component(z, positive=True),
        lambda: one_third_short((0.0, 1.0)),
        Kind.derived,
    ),
    Lemma(
        "step_any_sign",
        "step, any r: false",
        "mean r >= c^2/(alpha^2 beta), r = w . v/||v||, whatever the signs of r",
        "Lemma 2.4.5, the same step",
        _OF_VECTORS,
        lambda z: component(z, positive=False),
        lambda: one_third_short((-1.0, 0.0)),
        Kind.derived,
        false=True,
    ),
    Lemma(
        "most_classes",
        "Theorem 2.3.1",
        "at least (1-delta) C classes have intra >= 1 - 8 ((C-1)/(C alpha beta)) sqrt(2 eps (1-delta)/(Lam delta))",
        "Theorem 2.3.1, (2.20), with the constants of its proof",
        2 + _OF_FEATURES,
        most_classes,
    ),
    Lemma(
        "margin",
        "Ji, Theorem 3.1",
        "q_min <= (||W||^2 + ||H||^2) / (2 (K-1) sqrt(n))",
        "Ji et al. 2022, Theorem 3.1",
        _OF_FEATURES,
        margin,
        simplex,
    ),
)
