"""What a claim is: a paper's statement, what it needs before it can be judged, and what was found.

A statement is data, so that a module's list of them reads like the paper's. The verdict follows from the needs and the
finding alone, and nobody sets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

SHORT = 60  # letters of a claim's short form, at most


class Verdict(Enum):
    reproduced = "reproduced"
    not_reproduced = "not reproduced"
    undecided = "undecided"


class Kind(Enum):
    """Who says it: the paper; somebody who read on from the paper's formulas; or we, of what we see."""

    paper = "paper"
    derived = "derived"
    ours = "ours"


@dataclass(frozen=True)
class Need:
    """What must hold before a statement can be judged: a hypothesis of a theorem, convergence, seeds enough.

    Attributes:
        name: of the need: "interpolates", "decay times".
        required, found: in words, with numbers.
        met: whether what was found is what is required.
    """

    name: str
    required: str
    found: str
    met: bool


@dataclass(frozen=True)
class Statement:
    """A paper's statement, and the rule by which it is judged.

    Attributes:
        id: unique within the experiment.
        short: at most 60 letters, for one line of a terminal.
        text: the statement, as the paper says it.
        source: equation, figure, section or page.
        rule: when it counts as reproduced; numbers that are ours are marked [choice].
        needs: what must hold of the trials it speaks of, each by one of :mod:`nc_runner.experiments.needs`.
        kind: who says it.
    """

    id: str
    short: str
    text: str
    source: str
    rule: str
    needs: Sequence[Callable[[Any], Need]]
    kind: Kind = Kind.paper

    def judged(self, of: Any, holds: bool | None, measured: str, number: str = "", needs: Sequence[Need] = ()) -> Claim:
        """The claim on the results ``of`` of the trials that the statement speaks of.

        Args:
            holds: whether the rule is met; None where there is nothing to apply it to, which ``measured`` says.
            measured: what was found, whole.
            number: the one number that says most, a dozen letters, for one line of a terminal.
            needs: further needs that only the judging could see, such as a window that could be fitted.
        """
        known = [*(of.once(need, partial(need, of)) for need in self.needs), *needs]
        if holds is None:
            known.append(Need("something to judge", self.rule, measured, met=False))
        return Claim(self.id, self.text, self.rule, measured, holds, self.short, self.source, self.kind, number, known)


@dataclass(frozen=True)
class Claim:
    """A statement with what was found of it."""

    id: str
    statement: str
    expected: str
    measured: str
    holds: bool | None
    short: str = ""
    source: str = ""
    kind: Kind = Kind.paper
    number: str = ""
    needs: Sequence[Need] = ()
    paper: str = ""

    @property
    def lacks(self) -> list[Need]:
        """The needs that are not met."""
        return [need for need in self.needs if not need.met]

    @property
    def verdict(self) -> Verdict:
        """Undecided while a need is not met; else whether the rule is met."""
        if self.lacks or self.holds is None:
            return Verdict.undecided
        return Verdict.reproduced if self.holds else Verdict.not_reproduced

    def record(self, paper: str) -> dict[str, Any]:
        """The claim's entry of claims.json, in an experiment of ``paper``."""
        return {
            "id": self.id,
            "paper": self.paper or paper,
            "kind": self.kind.value,
            "short": self.short,
            "statement": self.statement,
            "source": self.source,
            "expected": self.expected,
            "measured": self.measured,
            "number": self.number,
            "needs": [vars(need) | {"met": bool(need.met)} for need in self.needs],  # NumPy's bools are no JSON
            "verdict": self.verdict.value,
        }
