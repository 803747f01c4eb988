"""Differences of means over seeds that are all to lie within a range: they do, one does not, or one cannot tell.

*All do*: each lies within the range together with its noise, Student's t at ``ALPHA`` times its standard error; of two
sides it is the test of equivalence by two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15). As each is
tested at ``ALPHA``, so are all together (Berger 1982, Technometrics 24). *One does not*: it lies outside together with
its noise at ``ALPHA`` divided by their number (Bonferroni). Else more seeds would tell.

The spread is pooled over all groups of seeds (:func:`between`, :func:`above`, :func:`pooled`) where a network is
trained under settings of one kind, or each group has its own (:func:`welch`) where networks are of different kinds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nc_runner.experiments.claim import Need
from nc_runner.experiments.noise.trend import pooled_spread, student_t

ALPHA = 0.025  # [choice] probability of either error where a difference is at an end of the range


class Contrast(NamedTuple):
    """A sum of means times coefficients, its standard error, and the degrees of freedom that the error is known by."""

    mean: float
    error: float
    freedom: float

    def noise(self, alpha: float = ALPHA) -> float:
        """Student's t times the error; infinite where nothing is known of the spread."""
        return student_t(1 - alpha, self.freedom) * self.error if self.freedom else math.inf


@dataclass(frozen=True)
class Comparison:
    """Contrasts by what they are of, and the range that all are to lie in."""

    contrasts: Mapping[str, Contrast]
    low: float = 0.0
    high: float = math.inf

    @property
    def means(self) -> dict[str, float]:
        """The sums of means alone."""
        return {name: of.mean for name, of in self.contrasts.items()}

    @property
    def all_within(self) -> bool:
        """There is one, and every one lies within the range, beyond noise."""
        found = self.contrasts.values()
        return bool(found) and all(self.low < c.mean - c.noise() and c.mean + c.noise() < self.high for c in found)

    @property
    def outside(self) -> list[str]:
        """Those outside the range, beyond noise."""
        return self._outside(ALPHA / max(len(self.contrasts), 1))

    @property
    def each_outside(self) -> list[str]:
        """Those outside beyond the noise of one: a share of ``ALPHA`` of those at an end is among them."""
        return self._outside(ALPHA)

    @property
    def worst(self) -> tuple[str, Contrast]:
        """The one nearest to an end of the range, or farthest beyond it."""
        return min(self.contrasts.items(), key=lambda item: min(item[1].mean - self.low, self.high - item[1].mean))

    @property
    def told(self) -> Need:
        """Whether all could be told to lie within the range, or one not to."""
        if self.high == math.inf:
            limits, most = f"above {self.low:g} or one below it", "the least "
        elif self.low == -math.inf:
            limits, most = f"below {self.high:g} or one above it", "the largest "
        else:
            limits, most = f"within {self.low:g} to {self.high:g} or one outside", "nearest to an end "
        found = "nothing to compare"
        if self.contrasts:
            name, worst = self.worst
            found = f"{most}{worst.mean:.3g} at {name} (noise {known(worst.noise())})"
        return Need("told from noise", f"all {limits}, beyond noise", found, self.all_within or bool(self.outside))

    def _outside(self, alpha: float) -> list[str]:
        return [
            name
            for name, of in self.contrasts.items()
            if of.mean + of.noise(alpha) < self.low or of.mean - of.noise(alpha) > self.high
        ]


def between(high: Mapping[str, Sequence[float]], low: Mapping[str, Sequence[float]], margin: float = 0.0) -> Comparison:
    """The means of ``high`` less those of ``low``, of the names in both, against a margin that each is to exceed."""
    shared = [name for name in high if name in low and len(high[name]) and len(low[name])]
    pairs = {name: [np.asarray(of[name], dtype=float) for of in (high, low)] for name in shared}
    spread, freedom = pooled_spread([group for pair in pairs.values() for group in pair])
    found = {
        name: Contrast(float(more.mean() - less.mean()), spread * math.sqrt(1 / len(more) + 1 / len(less)), freedom)
        for name, (more, less) in pairs.items()
    }
    return Comparison(found, margin)


def above(values: Mapping[str, Sequence[float]], margin: float, *, rounding: float = 0.0) -> Comparison:
    """The means of values, one a seed under each name, against a margin that each is to exceed; ``rounding`` as in
    :func:`nc_runner.experiments.noise.trend.trend`."""
    groups = {name: np.asarray(of, dtype=float) for name, of in values.items() if len(of)}
    spread, freedom = pooled_spread(list(groups.values()), rounding)
    found = {name: Contrast(float(of.mean()), spread * math.sqrt(1 / len(of)), freedom) for name, of in groups.items()}
    return Comparison(found, margin)


def pooled(values: Mapping[Any, Sequence[float]], coefficients: Mapping[Any, float]) -> Contrast:
    """The sum of the means of values, one a seed under each name, times coefficients by name."""
    groups = {name: np.asarray(of, dtype=float) for name, of in values.items()}
    spread, freedom = pooled_spread(list(groups.values()))
    total = sum(weight * float(groups[name].mean()) for name, weight in coefficients.items())
    error = math.sqrt(sum(weight**2 / len(groups[name]) for name, weight in coefficients.items()))
    return Contrast(total, spread * error, freedom)


def welch(*terms: tuple[float, ArrayLike]) -> Contrast:
    """Of (coefficient, values, one a seed) the sum of coefficient times mean; each term has a spread of its own (Welch
    1947, Biometrika 34)."""
    groups = [(weight, np.asarray(values, dtype=float)) for weight, values in terms]
    mean = sum(weight * float(group.mean()) for weight, group in groups)
    if any(len(group) < 2 for _, group in groups):
        return Contrast(mean, 0.0, 0)
    parts = [(weight**2 * float(group.var(ddof=1)) / len(group), len(group) - 1) for weight, group in groups]
    square = sum(part for part, _ in parts)
    each = sum(part**2 / freedom for part, freedom in parts)
    return Contrast(mean, math.sqrt(square), square**2 / each if each else sum(freedom for _, freedom in parts))


def known(noise: float) -> str:
    """A noise in words; one seed has none."""
    return f"{noise:.2g}" if math.isfinite(noise) else "unknown"
