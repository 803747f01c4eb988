"""Does a measure rise with the levels of a factor, judged over seeds: it rises, it falls somewhere, or one cannot tell.

*Rises*: the values are ordered with the levels more than chance would order them, by the one-sided test of Jonckheere
(1954), "A distribution-free k-sample test against ordered alternatives", Biometrika 41. Its statistic is Kendall's
(1938) between level and value, so :func:`scipy.stats.kendalltau` gives it: exact over all permutations where no two
values share a level (one seed), else by its normal approximation. It is asked for ``RISE`` = 1 %, since of flat tables
whose first and last levels spread three times as far as the others 9 % pass at 5 %, and 4 % at 1 %. And the mean of no
higher level lies below that of a lower one by more than is allowed.

*Falls*: the mean of some higher level lies below that of a lower one by more than what is allowed and the noise. The
noise of a difference is its pooled standard error over seeds times Student's t at ``ALPHA`` divided by the number of
pairs of levels (Bonferroni), so that among all pairs a false alarm has at most the probability ``ALPHA``.

Else one *cannot tell*: more seeds would. Simulation shows both errors (``tests/experiments/noise/test_trend.py``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from nc_runner.experiments.claim import Need

RISE = 0.01  # [choice] probability of a rise that is none, by the test
ALPHA = 0.05  # [choice] probability of a fall that is none, among all pairs

Allowed = Callable[[float, float], float]
"""The fall from a level to a higher one that still counts as none."""


@dataclass(frozen=True)
class Trend:
    """What is known of a measure over rising levels.

    Attributes:
        p: one-sided probability of so much order among values that have nothing to do with the levels; NaN where it
            is undefined.
        pairs: of each two levels with mean values: (low, high, fall of the mean, its noise, allowed fall). The noise
            is infinite where no level has two values.
    """

    p: float
    pairs: Sequence[tuple[float, float, float, float, float]]

    @property
    def falls(self) -> bool:
        """Some mean falls by more than what is allowed and the noise."""
        return any(fall - noise > allowed for _, _, fall, noise, allowed in self.pairs)

    @property
    def level(self) -> bool:
        """No mean falls by more than what is allowed."""
        return bool(self.pairs) and all(fall <= allowed for _, _, fall, _, allowed in self.pairs)

    @property
    def rises(self) -> bool:
        """The values rise with the levels beyond chance, and no mean falls by more than what is allowed."""
        return self.p <= RISE and self.level

    @property
    def told(self) -> Need:
        """Whether a rise or a fall could be told from noise."""
        return self._need(f"a rise (p at most {RISE:g}) or a fall beyond noise", self.rises or self.falls)

    @property
    def fall_told(self) -> Need:
        """As :attr:`told`, for a statement that asks for no fall alone: whether a fall could be told, or none."""
        return self._need("no fall of the means, or one beyond noise", self.level or self.falls)

    def eps(self, per: Callable[[float, float], float], *, beyond_noise: bool = False) -> float:
        """The least eps >= 0 such that no mean falls by more than eps ``per(low, high)``, with the noise or without."""
        taken = ((fall - (noise if beyond_noise else 0)) / per(low, high) for low, high, fall, noise, _ in self.pairs)
        return max([0.0, *taken])

    def _need(self, required: str, met: bool) -> Need:
        low, high, fall, noise, _ = max(self.pairs, key=lambda pair: pair[2] - pair[4], default=(math.nan,) * 5)
        found = f"p {self.p:.2g}"
        if fall > 0:
            known = f"noise {noise:.2g}" if math.isfinite(noise) else "noise unknown"
            found += f", fall {fall:.2g} from {low:g} to {high:g} ({known})"
        return Need("told from noise", required, found, met)


def trend(groups: Mapping[float, Sequence[float]], allowed: Allowed, *, rounding: float = 0.0) -> Trend:
    """The trend of values over levels.

    Args:
        groups: the values at each level, one a seed; a level without values counts as none.
        allowed: the fall from a level to a higher one that still counts as none.
        rounding: the step that values are rounded to, such as 1 for whole numbers; their spread over seeds counts as
            no less than that of a number so rounded, rounding/sqrt(12).
    """
    values = {level: np.asarray(groups[level], dtype=float) for level in sorted(groups) if len(groups[level])}
    pairs = []
    comparisons = max(math.comb(len(values), 2), 1)
    spread, freedom = pooled_spread(list(values.values()), rounding)
    t = student_t(1 - ALPHA / comparisons, freedom)
    for low, high in itertools.combinations(values, 2):
        error = spread * math.sqrt(1 / len(values[low]) + 1 / len(values[high]))
        fall = float(values[low].mean() - values[high].mean())
        pairs.append((low, high, fall, t * error if freedom else math.inf, allowed(low, high)))
    return Trend(jonckheere_p(values), pairs)


def student_t(probability: float, freedom: float) -> float:
    """The quantile of Student's t; infinite without a degree of freedom."""
    return float(stdtrit(freedom, probability)) if freedom else math.inf


def pooled_spread(groups: Sequence[np.ndarray], rounding: float = 0.0) -> tuple[float, int]:
    """Standard deviation within groups, pooled, at least that of rounding; and its degrees of freedom."""
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return math.sqrt(max(squares / freedom if freedom else 0.0, rounding**2 / 12)), freedom


def jonckheere_p(values: Mapping[float, np.ndarray]) -> float:
    """One-sided p of a rise; NaN with fewer than two levels or an undefined value; 1 where all values are alike."""
    levels = np.repeat(list(values), [len(group) for group in values.values()]) if values else np.empty(0)
    of_all = np.concatenate(list(values.values())) if values else np.empty(0)
    if len(values) < 2 or not np.isfinite(of_all).all():
        return math.nan
    if len(np.unique(of_all)) == 1:
        return 1.0
    from scipy.stats import kendalltau  # late, as its import takes most of a second and only judging needs it

    return float(kendalltau(levels, of_all, alternative="greater").pvalue)
