"""Several differences of means that are all to exceed a margin, judged over seeds: they do, one does not, or one cannot
tell.

*All do*: each difference less its noise, Student's t at ``ALPHA`` times its standard error, is above the margin. It is
an intersection-union test (Berger 1982, Technometrics 24): as each is tested at ``ALPHA``, so are all together.
*One does not*: some difference with its noise, at ``ALPHA`` divided by their number (Bonferroni), is below the margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nc_runner.experiments.claim import Need
from nc_runner.experiments.trend import pooled_spread, student_t

ALPHA = 0.025  # [choice] probability of either error where a difference is at the margin itself


@dataclass(frozen=True)
class Comparison:
    """Differences by what they are of, with standard errors (infinite where nothing is known of the spread).

    Attributes:
        differences: name to (difference, standard error).
        freedom: degrees of freedom of the errors.
        margin: what each is to exceed.
    """

    differences: Mapping[str, tuple[float, float]]
    freedom: int
    margin: float

    @property
    def all_above(self) -> bool:
        """Every difference is above the margin, beyond noise."""
        t = self._t(ALPHA)
        return bool(self.differences) and all(d - t * error > self.margin for d, error in self.differences.values())

    @property
    def below(self) -> list[str]:
        """Those below the margin, beyond noise."""
        t = self._t(ALPHA / max(len(self.differences), 1))
        return [name for name, (d, error) in self.differences.items() if d + t * error < self.margin]

    @property
    def each_below(self) -> list[str]:
        """Those below the margin beyond the noise of one: a share of ``ALPHA`` of those at the margin is among them."""
        t = self._t(ALPHA)
        return [name for name, (d, error) in self.differences.items() if d + t * error < self.margin]

    @property
    def told(self) -> Need:
        """Whether all could be told to exceed the margin, or one not to."""
        required = f"every difference above {self.margin:g} or one below it, beyond noise"
        found = "no difference"
        if self.differences:
            name, (least, error) = min(self.differences.items(), key=lambda item: item[1][0])
            noise = self._t(ALPHA) * error
            known = f"noise {noise:.2g}" if math.isfinite(noise) else "noise unknown"
            found = f"the least {least:.3g} at {name} ({known})"
        return Need("told from noise", required, found, self.all_above or bool(self.below))

    def _t(self, alpha: float) -> float:
        return student_t(1 - alpha, self.freedom)


def between(high: Mapping[str, Sequence[float]], low: Mapping[str, Sequence[float]], margin: float = 0.0) -> Comparison:
    """The means of ``high`` less those of ``low``, of the names that both have; each name has a value a seed."""
    shared = [name for name in high if name in low and len(high[name]) and len(low[name])]
    groups = [np.asarray(of[name], dtype=float) for name in shared for of in (high, low)]
    spread, freedom = pooled_spread(groups)
    found = {
        name: (
            float(np.mean(high[name]) - np.mean(low[name])),
            _error(spread, freedom, len(high[name]), len(low[name])),
        )
        for name in shared
    }
    return Comparison(found, freedom, margin)


def above(values: Mapping[str, Sequence[float]], margin: float, *, rounding: float = 0.0) -> Comparison:
    """The means of values, one a seed under each name, against a margin; ``rounding`` as in :func:`trend`."""
    groups = {name: np.asarray(of, dtype=float) for name, of in values.items() if len(of)}
    spread, freedom = pooled_spread(list(groups.values()), rounding)
    found = {name: (float(of.mean()), _error(spread, freedom, len(of))) for name, of in groups.items()}
    return Comparison(found, freedom, margin)


def contrast(values: Mapping[Any, Sequence[float]], coefficients: Mapping[Any, float]) -> Comparison:
    """A sum of the means of values, one a seed under each name, times coefficients by name, against 0."""
    groups = {name: np.asarray(of, dtype=float) for name, of in values.items()}
    spread, freedom = pooled_spread(list(groups.values()))
    total = sum(weight * float(groups[name].mean()) for name, weight in coefficients.items())
    error = math.sqrt(sum(weight**2 / len(groups[name]) for name, weight in coefficients.items()))
    return Comparison({"the sum": (total, spread * error if freedom else math.inf)}, freedom, 0.0)


def _error(spread: float, freedom: int, *counts: int) -> float:
    return spread * math.sqrt(sum(1 / count for count in counts)) if freedom else math.inf
