"""One layer with its classifier: what its first pass and its second have seen, and every measure of both."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .accumulator import Accumulator
from .second_pass import SecondPass


@dataclass
class Measured:
    """A layer.

    Attributes:
        seen: its first pass.
        weight: `[R, D]` of the classifier, a row for each label; of R classes labelled otherwise a row each, ascending.
        bias: `[R]` of the classifier, where it has one.
        second: its second pass, where there was one.
    """

    seen: Accumulator
    weight: Tensor | None = None
    bias: Tensor | None = None
    second: SecondPass | None = None

    def classifier(self) -> tuple[Tensor | None, Tensor | None]:
        """Weight and bias of the classes that were seen, in the order of ``seen.classes``.

        Raises:
            ValueError: a class has no row.
        """
        if self.weight is None:
            return None, self.bias
        rows, classes = len(self.weight), self.seen.classes.to(self.weight.device)
        if int(classes.max()) >= rows or int(classes.min()) < 0:
            if rows != len(classes):
                raise ValueError(
                    f"labels contains {int(classes.max())}, and {len(classes)} classes; weight has {rows} rows, and "
                    "must have one for each label from 0 on."
                )
            return self.weight, self.bias
        if self.bias is not None and self.bias.shape != (rows,):
            raise ValueError(f"bias has shape {tuple(self.bias.shape)}; it must have shape ({rows},).")
        return self.weight[classes], None if self.bias is None else self.bias[classes]

    def by_means(self) -> SecondPass:
        """A second pass by the means of the first, to be ``second`` once all samples have gone through it."""
        weight, bias = self.classifier()
        return SecondPass(self.seen, weight=weight, bias=bias)

    def check_merge(self, other: Measured) -> None:
        """ValueError where ``merge`` would refuse the other one; nothing is changed."""
        if (self.second is None) != (other.second is None):
            raise ValueError("a second pass was made of one of the two; it must be of both, or of neither.")
        if self.second is None:
            self.seen.check_merge(other.seen)
        elif not agree(self.seen, other.seen):
            raise ValueError("the second passes are by other class means; first passes are merged before a second is.")

    def merge(self, other: Measured) -> None:
        """Take in what another process has seen of the same layer; second passes only of the same first pass.

        Raises:
            ValueError: one alone has a second pass, they are by other means, or what ``Accumulator.merge`` refuses.
        """
        self.check_merge(other)
        if self.second is None or other.second is None:
            self.seen.merge(other.seen)
        else:
            self.second.merge(other.second)

    def compute(self, *, pairs: bool = True) -> dict[str, Tensor]:
        """All measures by the names of their functions in ``nc_runner.metrics``; see ``Accumulator.compute``."""
        found = self.seen.compute(self.classifier()[0], pairs=pairs)
        if self.second is not None:
            found |= self.second.compute()
        return dict(sorted(found.items()))


def agree(here: Accumulator, there: Accumulator) -> bool:
    """Whether both have the same classes, counts and class means, these up to rounding."""
    for name in ("classes", "count"):
        if getattr(here, name).tolist() != getattr(there, name).tolist():
            return False
    means, others = here.means, there.means.to(here.means.device)
    return means.shape == others.shape and bool(((means - others).abs() <= 1e-9 * means.abs().max()).all())
