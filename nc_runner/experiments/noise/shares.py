"""Whether networks do as a statement says at each of its settings, told from chance.

Near the edge of fitting a seed, or the last bit of a sum, decides whether a training fits, so that one of thirty that
goes the other way refutes nothing.

At a setting a statement *holds* where nearly all seeds do as it says, ``NEARLY_ALL`` of them, and *fails* where nearly
none does. By the binomial distribution, *so*: so many seeds do that chance gives as many at ``ALPHA`` at the most where
nearly none does, and not so few that it gives as few where nearly all do. *Not so*: the other way round, at ``ALPHA``
divided by the number of settings (Bonferroni). Else, where about half do or the seeds are few, one cannot tell; 3 of 5
is about half, as so few are in doubt already where chance gives them in ``DOUBT`` of cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import bdtr, bdtrc

from nc_runner.experiments.claim import Need

NEARLY_ALL = 0.9  # [choice] share of seeds that do as the statement says where it holds
ALPHA = 0.05  # [choice] probability of either error
DOUBT = 0.1  # [choice] probability, where nearly all do, of so few that it is not said that nearly all do
RULE = (
    f"nearly all ({NEARLY_ALL:.0%} [choice]) told from nearly none by the binomial distribution at {ALPHA:.0%}, and "
    f"more than in doubt at {DOUBT:.0%} [choice]; a setting where nearly none does counts against it"
)


class Count(NamedTuple):
    """How many seeds do as the statement says, and of how many."""

    so: int
    seeds: int

    def many(self, alpha: float = ALPHA) -> bool:
        """Chance hardly gives as many where nearly none does."""
        # Of no seed, bdtrc(-1, 0, p) is 1.
        return bool(bdtrc(self.so - 1, self.seeds, 1 - NEARLY_ALL) <= alpha)

    def few(self, alpha: float = ALPHA) -> bool:
        """Chance hardly gives as few where nearly all do."""
        return bool(bdtr(self.so, self.seeds, NEARLY_ALL) <= alpha)


@dataclass(frozen=True)
class Shares:
    """Counts by setting."""

    counts: Mapping[str, Count]

    @property
    def all_so(self) -> bool:
        """There is a setting, and at every one nearly all seeds do."""
        return bool(self.counts) and all(of.many() and not of.few(DOUBT) for of in self.counts.values())

    @property
    def not_so(self) -> list[str]:
        """The settings at which nearly none does."""
        alpha = ALPHA / max(len(self.counts), 1)
        return [name for name, of in self.counts.items() if of.few(alpha) and not of.many()]

    @property
    def told(self) -> Need:
        """Whether nearly all do at every setting, or nearly none at one."""
        name, worst = min(self.counts.items(), key=lambda item: item[1].so / item[1].seeds, default=("", Count(0, 0)))
        found = f"the least {worst.so} of {worst.seeds} at {name}" if self.counts else "no setting"
        return Need(
            "told from noise",
            "nearly all seeds at every setting, or nearly none at one",
            found,
            self.all_so or bool(self.not_so),
        )
