"""Counts, sums and squares of features by class, about a pivot: the ground of every measure of class means.

Of each class the pivot is one of its samples. Differences from it are exact to float64's rounding, and as small as the
class is wide, so a class's scatter, sum of squares less squared sum over count, keeps its digits where the class is
narrow and far from the origin (Chan, Golub & LeVeque, 1983, on shifted data). Raw moments lose all of them at collapse.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._blocks import Block, add_by_class, blocks, by_tiles, flat
from ._inputs import ROUNDING


@dataclass
class Moments:
    """Of K classes; E batch entries, which have the same labels."""

    count: Tensor  # [K] int64
    pivot: Tensor  # [E, K, D] floating, at the precision of the features
    total: Tensor  # [E, K, D] float64, sum of h - pivot
    sums: Tensor  # [E, K, 2] float64, of ||h - pivot||^2 and of ||h||
    largest: Tensor  # [E] float64, the largest ||h||; NaN or inf where a feature is not finite
    batch: tuple[int, ...] = ()  # the shape that the E entries had

    @staticmethod
    def zeros(pivot: Tensor) -> Moments:
        """Of no samples yet."""
        entries, classes, _ = pivot.shape
        count = torch.zeros(classes, dtype=torch.int64, device=pivot.device)
        total = torch.zeros(pivot.shape, dtype=torch.float64, device=pivot.device)
        return Moments(count, pivot, total, total.new_zeros(entries, classes, 2), total.new_zeros(entries))

    def add(self, block: Block, labels: Tensor) -> Tensor:
        """Take in a block whose rows have these labels `[n]`; count is left to the caller. Gives h - pivot `[e, n, D]`.

        The rows are overwritten.
        """
        length = torch.linalg.vector_norm(block.rows, dim=-1)
        at = self.pivot[block.entries].index_select(1, labels)
        deviations = block.rows.sub_(block.spare.copy_(at))
        square = torch.linalg.vector_norm(deviations, dim=-1).square_()
        add_by_class(self.total[block.entries], labels, deviations)
        add_by_class(self.sums[block.entries], labels, torch.stack([square, length], dim=-1))
        largest = self.largest[block.entries]
        largest.copy_(torch.maximum(largest, length.amax(dim=-1)))
        return deviations

    def shaped(self, values: Tensor) -> Tensor:
        """`[E, ...]` with the batch axes that the features had."""
        return values.reshape((*self.batch, *values.shape[1:]))

    @property
    def samples(self) -> int:
        """How many there are."""
        return int(self.count.sum())

    @property
    def finite(self) -> Tensor:
        """Which entries have finite features only, `[E]`."""
        return self.largest.isfinite()

    @property
    def noise(self) -> Tensor:
        """Below this, a distance is the rounding of a float64 sum over samples, `[E]`."""
        return ROUNDING * self.largest

    @property
    def varies(self) -> bool:
        """Whether some class has two samples.

        Where none has, every sample is the mean of its class by construction: that is no collapse.
        """
        return bool((self.count > 1).any())

    @property
    def all_equal(self) -> Tensor:
        """Which entries have one and the same feature for every sample, up to rounding, `[E]`."""
        equal: Tensor = (self.trace_within() <= self.noise**2) & (self.between()[1] <= self.noise)
        return equal

    def within(self) -> Tensor:
        """Sum over a class's samples of ||h - m_c||^2, `[E, K]`; 0 of a class without a sample."""
        shift: Tensor = torch.linalg.vector_norm(self.total, dim=-1).square_() / self.count.clamp(min=1)
        return (self.sums[..., 0] - shift).clamp_(min=0).masked_fill_(~self.finite[:, None], torch.nan)

    def trace_within(self) -> Tensor:
        """tr S_W, the mean over samples, `[E]`."""
        trace: Tensor = self.within().sum(dim=-1) / self.samples
        return trace

    def means_from_first(self, classes: slice = slice(None)) -> Tensor:
        """Class means less the pivot of class 0, `[E, k, D]`: differences of pivots are exact, whatever the offset."""
        return self._plus_pivots(classes, self.pivot[:, :1].to(torch.float64))

    def means(self) -> Tensor:
        """Class means, `[E, K, D]`; NaN for an entry with a non-finite feature."""
        return self._plus_pivots(slice(None), None).masked_fill_(~self.finite[:, None, None], torch.nan)

    def _plus_pivots(self, classes: slice, origin: Tensor | None) -> Tensor:
        """Class means less an origin, with no second tensor of their size."""
        means, pivot = self.total[:, classes] / self.count[classes, None], self.pivot[:, classes]
        for tile in by_tiles(means.shape[1], means.shape[2] * len(means)):
            wide = pivot[:, tile].to(torch.float64)
            means[:, tile] += wide if origin is None else wide - origin
        return means

    def centred_means(self) -> Tensor:
        """Class means less the mean of the class means, `[E, K, D]`."""
        means = self.means_from_first()
        means -= means.mean(dim=-2, keepdim=True)
        return means.masked_fill_(~self.finite[:, None, None], torch.nan)

    def sample_mean(self) -> Tensor:
        """Mean over all samples, `[E, 1, D]`."""
        return self.pivot[:, :1].to(torch.float64) + self._mean_from_first(self.count.to(torch.float64) / self.samples)

    def between(self) -> tuple[Tensor, Tensor]:
        """Mean over classes of ||m_c - m_G||^2, and the largest ||m_c - m_G||, `[E]` each; no second [K, D] tensor."""
        classes, width = self.pivot.shape[1:]
        centre = self._mean_from_first(torch.ones_like(self.count, dtype=torch.float64) / classes)
        trace, largest = torch.zeros_like(self.largest), torch.zeros_like(self.largest)
        for tile in by_tiles(classes, width * len(self.pivot)):
            length = torch.linalg.vector_norm(self.means_from_first(tile).sub_(centre), dim=-1)
            largest = torch.maximum(largest, length.amax(dim=-1))
            trace += length.square_().sum(dim=-1) / classes
        spoilt = ~self.finite
        return trace.masked_fill_(spoilt, torch.nan), largest.masked_fill(spoilt, torch.nan)

    def _mean_from_first(self, share: Tensor) -> Tensor:
        """Mean of the class means with these weights, less the pivot of class 0, `[E, 1, D]`."""
        classes, width = self.pivot.shape[1:]
        tiles = by_tiles(classes, width * len(self.pivot))
        return torch.stack([share[tile] @ self.means_from_first(tile) for tile in tiles]).sum(dim=0)[:, None]


def moments(features: Tensor, labels: Tensor, num_classes: int | None = None) -> Moments:
    """Of whole tensors, `[..., N, D]` and labels `[N]` in 0..K-1; their batch axes are the entries."""
    num_classes = int(labels.max()) + 1 if num_classes is None else num_classes
    samples, entries = features.shape[-2], flat(features)
    order = torch.arange(samples, device=labels.device)
    none = torch.zeros(num_classes, dtype=torch.int64, device=labels.device)
    first = none.scatter_reduce(0, labels, order, "amin", include_self=False)  # 0 for a class without a sample
    wide = torch.promote_types(features.dtype, torch.float32)
    of = Moments.zeros(entries.index_select(1, first).to(wide))
    of.batch = tuple(features.shape[:-2])
    for block in blocks(features):
        of.add(block, labels[block.samples])
    of.count += labels.bincount(minlength=num_classes)
    return of


def sums(features: Tensor, labels: Tensor, num_classes: int | None = None) -> Moments:
    """The same without squares, in half the time: counts, means and the largest length, about one pivot for all."""
    num_classes = int(labels.max()) + 1 if num_classes is None else num_classes
    wide = torch.promote_types(features.dtype, torch.float32)
    # The shortest of a few, as one sample far from all others would cost every class its digits.
    few = flat(features)[:, :16].to(wide)
    shortest = torch.linalg.vector_norm(few, dim=-1).argmin(dim=-1)
    pivot = few.gather(1, shortest[:, None, None].expand(-1, 1, few.shape[-1]))
    of = Moments.zeros(pivot.expand(-1, num_classes, -1))
    of.sums.fill_(torch.nan)  # unknown
    of.batch = tuple(features.shape[:-2])
    wide_pivot = pivot.to(torch.float64)
    for block in blocks(features):
        largest = of.largest[block.entries]
        longest = torch.linalg.vector_norm(block.rows, dim=-1).amax(dim=-1)
        largest.copy_(torch.maximum(largest, longest))
        add_by_class(of.total[block.entries], labels[block.samples], block.rows.sub_(wide_pivot[block.entries]))
    of.count += labels.bincount(minlength=num_classes)
    return of
