"""Sums of means over seeds that are to lie within a range: they do, one does not, or one cannot tell.

*All do*: each lies within the range together with its noise, Student's t at ``ALPHA`` times its standard error; of two
sides it is the test of equivalence by two one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15). As each is
tested at ``ALPHA``, so are all together (Berger 1982, Technometrics 24). *One does not*: it lies outside together with
its noise at ``ALPHA`` divided by their number (Bonferroni). Else more seeds would tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nc_runner.experiments.claim import Need
from nc_runner.experiments.trend import student_t

ALPHA = 0.025  # [choice] probability of either error where a sum is at an end of the range


class Contrast(NamedTuple):
    """A sum of means times coefficients, its standard error, and the degrees of freedom that the error is known by."""

    mean: float
    error: float
    freedom: float

    def noise(self, alpha: float = ALPHA) -> float:
        """Student's t times the error; infinite where nothing is known of the spread."""
        return student_t(1 - alpha, self.freedom) * self.error if self.freedom else math.inf


def contrast(*terms: tuple[float, ArrayLike]) -> Contrast:
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


def within(found: Mapping[str, Contrast], low: float, high: float) -> tuple[bool, Need]:
    """Whether all lie within the range, and the need that noise does not decide it."""
    inside = all(low < c.mean - c.noise() and c.mean + c.noise() < high for c in found.values())
    shared = ALPHA / max(len(found), 1)
    outside = any(c.mean + c.noise(shared) < low or c.mean - c.noise(shared) > high for c in found.values())
    said = [f"{name}: {c.mean:.3g} (noise {known(c.noise())})" for name, c in found.items()]
    limits = f"above {low:g}" if high == math.inf else f"below {high:g}" if low == -math.inf else f"{low:g} to {high:g}"
    need = Need(
        "told from noise", f"all within {limits}, or one outside, beyond noise", ", ".join(said), inside or outside
    )
    return inside, need


def known(noise: float) -> str:
    """A noise in words; one seed has none."""
    return f"{noise:.2g}" if math.isfinite(noise) else "unknown"
