"""Which class mean is nearest to a sample: in float32 where that settles it, and in float64 where it does not."""

import torch
from torch import Tensor

from ._blocks import blocks
from ._inputs import ROUNDING, largest_norm
from ._moments import Moments


class Scores:
    """h . a_k + o_k of samples h, matrices a `[E, K, D]` and offsets o `[E, K]`, float64, for h as they are."""

    def __init__(self, matrix: Tensor, offset: Tensor) -> None:
        self.matrix, self.offset = matrix, offset
        size = largest_norm(matrix)
        size = size.where(size > 0, 1)
        self.narrow = (matrix / size[:, None, None]).to(torch.float32)
        self.narrow_offset = (offset / size[:, None]).to(torch.float32)
        self.most_offset = (offset / size[:, None]).abs().amax(dim=-1)
        # A product of D terms errs by at most D + 1 roundings of the lengths' product (Higham, 2002, section 3.1); what
        # goes into it was rounded too, and so was the length.
        self.rounding = (matrix.shape[-1] + 8) * 2.0**-24

    def fast(self, samples: Tensor, length: Tensor, entry: int) -> tuple[Tensor, Tensor]:
        """In float32, of samples `[n, D]` of these lengths `[n]`, up to one scale; how much each may be wrong `[n]`."""
        scores = torch.addmm(self.narrow_offset[entry], samples, self.narrow[entry].mT)
        return scores, self.rounding * (length + self.most_offset[entry].to(torch.float32))


class NearestMean:
    """The class means of some moments, about the mean of the data: distances do not change, their rounding does."""

    def __init__(self, of: Moments, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
        """With a classifier, weight `[E, K, D]` and bias `[E, K]`, float64, what it decides is known too."""
        from_first = of.sample_mean() - of.pivot[:, :1]
        self.centre = from_first + of.pivot[:, :1]
        self.means = of.means_from_first() - from_first
        self.half = self.means.square().sum(dim=-1) / 2
        self.reach = largest_norm(self.means)
        self.defined = (self.reach > of.noise) & (len(of.count) > 1) & of.varies & of.finite
        self.nearness = Scores(self.means, -(self.means @ self.centre.mT).squeeze(-1) - self.half)
        self.weight, self.classifier = weight, None
        if weight is not None:
            self.bias = weight.new_zeros(weight.shape[:-1]) if bias is None else bias
            self.classifier = Scores(weight, self.bias)

    def share(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Share of the samples `[E, N, D]` that `owned` has, `[E]`; NaN where there is no nearest mean."""
        right, rows = torch.zeros_like(self.reach), self.rows_at_once()
        if features.is_cuda or features.shape[1] < rows:
            for block in blocks(features, least_rows=rows):
                own = None if labels is None else labels[block.samples]
                right[block.entries] += self.exactly(block.rows, own, block.entries).sum(dim=-1)
        else:
            for entry, samples in enumerate(features):
                for start in range(0, len(samples), rows):
                    own = None if labels is None else labels[start : start + rows]
                    right[entry] += self.owned(samples[start : start + rows], own, entry).sum()
        return torch.where(self.defined, right / features.shape[1], torch.nan)

    def rows_at_once(self) -> int:
        """How many rows have scores that fit in the memory of a block or two."""
        return max(1, min(512, 2**22 // self.means.shape[-2]))

    def owned(self, samples: Tensor, labels: Tensor | None, entry: int = 0) -> Tensor:
        """Which samples `[n, D]` are strictly nearer to the mean of their label `[n]` than to any other, `[n]`.

        Without labels: of the class for which the classifier decides.
        """
        less = torch.is_autocast_enabled(samples.device.type) or torch.get_float32_matmul_precision() != "highest"
        if samples.is_cuda or less:  # float32 may be less than that there
            return self.exactly(samples.to(torch.float64)[None], labels, slice(entry, entry + 1))[0]
        narrow = samples.to(torch.float32)
        length = torch.linalg.vector_norm(narrow, dim=-1)
        own, known = labels, None
        if own is None:
            assert self.classifier is not None
            logits, error = self.classifier.fast(narrow, length, entry)
            own = logits.argmax(dim=-1)
            known = lead(logits, own) > 2 * error
        scores, error = self.nearness.fast(narrow, length, entry)
        leads = lead(scores, own)
        right = leads > 3 * error  # three, as a tie to float64's rounding is no lead
        wrong = leads < -2 * error
        if known is not None:
            right, wrong = right & known, wrong & known
        doubtful = (~(right | wrong)).nonzero().squeeze(-1)
        if len(doubtful):
            some = labels if labels is None else labels[doubtful]
            right[doubtful] = self.exactly(samples[doubtful].to(torch.float64)[None], some, slice(entry, entry + 1))[0]
        return right

    def exactly(self, rows: Tensor, labels: Tensor | None, entries: slice) -> Tensor:
        """The same in float64, of rows `[e, n, D]`, which are overwritten, `[e, n]`."""
        if labels is None:
            assert self.weight is not None
            own = torch.baddbmm(self.bias[entries, None], rows, self.weight[entries].mT).argmax(dim=-1)
        else:
            own = labels.expand(rows.shape[:-1])
        rows.sub_(self.centre[entries])
        length, reach = torch.linalg.vector_norm(rows, dim=-1), self.reach[entries, None]
        nearness = torch.baddbmm(-self.half[entries, None], rows, self.means[entries].mT)
        nearer: Tensor = lead(nearness, own) > ROUNDING * reach * (length + reach)
        return nearer


def lead(scores: Tensor, own: Tensor) -> Tensor:
    """By how much the own class `[..., n]` leads the others of scores `[..., n, K]`, which are overwritten."""
    index = own.unsqueeze(-1)
    mine = scores.gather(-1, index).squeeze(-1)
    return mine - scores.scatter_(-1, index, -torch.inf).amax(dim=-1)
