"""Which class mean is nearest to a sample: in float32 where that settles it, and in float64 where it does not."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, largest_norm
from ._moments import Moments


class Scores:
    """rows @ matrix^T + offset of rows `[e, n, D]`, matrices `[E, K, D]` and offsets `[E, K]`, all float64."""

    def __init__(self, matrix: Tensor, offset: Tensor, unit: Tensor) -> None:
        """``unit`` `[E]` is a length near that of the rows, in which float32 shall count."""
        self.matrix, self.offset = matrix, offset
        size = largest_norm(matrix)
        size = size.where(size > 0, 1)
        scale = (size * unit)[:, None]
        self.narrow = (matrix / size[:, None, None]).to(torch.float32)
        self.narrow_offset = (offset / scale).to(torch.float32)
        # A product of D terms errs by at most D + 1 roundings of the lengths' product (Higham, 2002, section 3.1), and
        # what goes into it was rounded, too.
        self.rounding = (matrix.shape[-1] + 8) * 2.0**-24
        self.most_offset = (offset / scale).abs().amax(dim=-1)

    def exact(self, rows: Tensor, entries: slice) -> Tensor:
        """In float64, `[e, n, K]`."""
        return torch.baddbmm(self.offset[entries, None], rows, self.matrix[entries].mT)

    def fast(self, rows: Tensor, length: Tensor, entry: int) -> tuple[Tensor, Tensor]:
        """In float32, of rows `[n, D]` and their lengths `[n]` in units; and by how much each may be wrong, `[n]`."""
        scores = torch.addmm(self.narrow_offset[entry], rows, self.narrow[entry].mT)
        return scores, self.rounding * (length + self.most_offset[entry])


class NearestMean:
    """The class means of some moments, about the mean of the data: distances do not change, their rounding does."""

    def __init__(self, of: Moments, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
        """With a classifier, weight `[E, K', D]` and bias `[E, K']` or 0, all float64, what it decides is known too."""
        from_first = of.sample_mean() - of.pivot[:, :1]
        self.centre = from_first + of.pivot[:, :1]
        means = of.means_from_first() - from_first
        self.reach = largest_norm(means)
        self.defined = (self.reach > of.noise) & (len(of.count) > 1) & of.varies & of.finite
        self.unit = self.reach.where(self.defined, 1)
        self.nearness = Scores(means, means.square().sum(dim=-1) / -2, self.unit)
        self.classifier = None
        if weight is not None:
            offset = (weight @ self.centre.mT).squeeze(-1) + (0 if bias is None else bias)
            self.classifier = Scores(weight, offset, self.unit)

    def rows_at_once(self) -> int:
        """How many rows have scores that fit in the memory of a block or two."""
        return max(1, min(512, 2**22 // self.nearness.matrix.shape[-2]))

    def owned(self, rows: Tensor, labels: Tensor | None, entries: slice = slice(None)) -> Tensor:
        """Which rows `[e, n, D]` are strictly nearer to the mean of their label `[n]` than to any other, `[e, n]`.

        Without labels: of the class for which the classifier decides. The rows are overwritten.
        """
        rows.sub_(self.centre[entries])
        length = torch.linalg.vector_norm(rows, dim=-1)
        exact = torch.get_float32_matmul_precision() == "highest" and not rows.is_cuda and len(rows) == 1
        if not exact:
            return self._exactly(rows, length, labels, entries)
        entry = entries.start or 0
        unit = self.unit[entry]
        narrow, in_units = rows[0].div(unit).to(torch.float32), length[0] / unit
        nearness, error = self.nearness.fast(narrow, in_units, entry)
        known = torch.ones_like(error, dtype=torch.bool)
        if labels is None:
            own, known = self._decided(narrow, in_units, entry)
        else:
            own = labels
        leads = lead(nearness, own)
        right = known & (leads > 3 * error)  # three, as a tie to float64's rounding is no lead
        open_rows = (~(right | (known & (leads < -2 * error)))).nonzero().squeeze(-1)
        if len(open_rows):
            some = labels if labels is None else labels[open_rows]
            settled = self._exactly(rows[:, open_rows], length[:, open_rows], some, slice(entry, entry + 1))
            right[open_rows] = settled[0]
        return right[None]

    def _decided(self, narrow: Tensor, length: Tensor, entry: int) -> tuple[Tensor, Tensor]:
        """What the classifier decides, and where float32 is sure of it, `[n]` each."""
        assert self.classifier is not None
        logits, error = self.classifier.fast(narrow, length, entry)
        if logits.shape[-1] == 1:
            return torch.zeros_like(error, dtype=torch.int64), logits.squeeze(-1).isfinite()
        top = logits.topk(2, dim=-1)
        return top.indices[:, 0], top.values[:, 0] - top.values[:, 1] > 2 * error

    def _exactly(self, rows: Tensor, length: Tensor, labels: Tensor | None, entries: slice) -> Tensor:
        """The same in float64, of rows less the centre."""
        if labels is None:
            assert self.classifier is not None
            own = self.classifier.exact(rows, entries).argmax(dim=-1)
        else:
            own = labels.expand(rows.shape[:-1])
        reach = self.reach[entries, None]
        return lead(self.nearness.exact(rows, entries), own) > ROUNDING * reach * (length + reach)


def lead(scores: Tensor, own: Tensor) -> Tensor:
    """By how much the own class `[..., n]` leads the others of scores `[..., n, K]`, which are overwritten."""
    index = own.unsqueeze(-1)
    mine = scores.gather(-1, index).squeeze(-1)
    return mine - scores.scatter_(-1, index, -torch.inf).amax(dim=-1)
