"""What an accumulator holds: moments of classes, sums of unit features, the classes' common scatter; growing room."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nc_runner.metrics._blocks import Block, add_by_class
from nc_runner.metrics._gram import Gram, add_gram
from nc_runner.metrics._moments import Moments

OPTIONAL = ("unit_sums", "undirected")


@dataclass
class Sums:
    """Of K classes; what is not asked for is None."""

    moments: Moments  # of one entry
    unit_sums: Tensor | None  # [1, K, D] float64, of h/||h||
    undirected: Tensor | None  # [1, K, 1] float64, how many are zero
    scatter: Gram | None  # of h - pivot

    @staticmethod
    def of_nothing(width: int, device: torch.device, *, directions: bool, covariance: bool) -> Sums:
        """Of no class yet."""
        moments = Moments.zeros(torch.zeros(1, 0, width, device=device))
        unit_sums = torch.zeros_like(moments.total) if directions else None
        undirected = moments.total.new_zeros(1, 0, 1) if directions else None
        return Sums(moments, unit_sums, undirected, Gram(width, device) if covariance else None)

    def with_room(self, classes: int, dtype: torch.dtype) -> Sums:
        """The same, with room for so many classes at least, and pivots of this precision."""
        of = self.moments
        wide = torch.promote_types(torch.promote_types(dtype, torch.float32), of.pivot.dtype)
        if classes <= len(of.count) and wide == of.pivot.dtype:
            return self
        more = max(classes, 2 * len(of.count)) - len(of.count) if classes > len(of.count) else 0

        def grown(sums: Tensor, axis: int) -> Tensor:
            size = [*sums.shape]
            size[axis] += more
            if not more:
                return sums
            longer = sums.new_zeros(size)
            longer.narrow(axis, 0, sums.shape[axis]).copy_(sums)
            return longer

        moments = Moments(
            grown(of.count, 0), grown(of.pivot.to(wide), 1), grown(of.total, 1), grown(of.sums, 1), of.largest
        )
        unit_sums, undirected = (s if s is None else grown(s, 1) for s in (self.unit_sums, self.undirected))
        return Sums(moments, unit_sums, undirected, self.scatter)

    def first(self, classes: int) -> Sums:
        """The first classes, on the same memory."""
        of = self.moments
        pivot, total, sums = (of[:, :classes] for of in (of.pivot, of.total, of.sums))
        unit_sums, undirected = (s if s is None else s[:, :classes] for s in (self.unit_sums, self.undirected))
        return Sums(Moments(of.count[:classes], pivot, total, sums, of.largest), unit_sums, undirected, self.scatter)

    def chosen(self, places: Tensor) -> Sums:
        """The classes at these places in their order, copied only where it must be."""
        of = self.moments
        if torch.equal(places, torch.arange(len(of.count), device=places.device)):
            return self
        moments = Moments(of.count[places], of.pivot[:, places], of.total[:, places], of.sums[:, places], of.largest)
        unit_sums, undirected = (s if s is None else s[:, places] for s in (self.unit_sums, self.undirected))
        return replace(self, moments=moments, unit_sums=unit_sums, undirected=undirected)

    def state(self) -> dict[str, Tensor]:
        """As tensors by name, that share no memory."""
        of = self.moments
        named = {"count": of.count, "pivot": of.pivot, "total": of.total, "sums": of.sums, "largest": of.largest}
        named |= {name: held for name in OPTIONAL if (held := getattr(self, name)) is not None}
        named |= {} if self.scatter is None else {"scatter": self.scatter.total()}
        return {name: sums.clone(memory_format=torch.contiguous_format) for name, sums in named.items()}

    @staticmethod
    def from_state(state: dict[str, Tensor]) -> Sums:
        """Of the tensors of ``state``, which it does not change later."""
        count, pivot, total, sums, largest = (
            state[name].clone() for name in ("count", "pivot", "total", "sums", "largest")
        )
        unit_sums, undirected = (state[name].clone() if name in state else None for name in OPTIONAL)
        scatter = None
        if "scatter" in state:
            scatter = Gram(pivot.shape[-1], pivot.device)
            scatter.total().copy_(state["scatter"])
        return Sums(Moments(count, pivot, total, sums, largest), unit_sums, undirected, scatter)

    def to(self, device: torch.device) -> Sums:
        """On another device."""
        if self.moments.total.device == device:
            return self
        return Sums.from_state({name: sums.to(device) for name, sums in self.state().items()})

    def set_pivots(self, features: Tensor, places: Tensor, kept: Tensor | None) -> None:
        """Take the first kept sample of each class that has none yet, of features `[N, D]` at these places `[N]`."""
        fresh = self.moments.count[places] == 0
        samples = (fresh if kept is None else fresh & kept).nonzero().flatten()
        if len(samples):
            new, which = places[samples].unique(return_inverse=True)
            first = torch.full_like(new, len(places)).scatter_reduce(0, which, samples, "amin")
            self.moments.pivot[0, new] = features[first].to(self.moments.pivot.dtype)

    def add(self, block: Block, places: Tensor) -> None:
        """Take in the rows `[1, n, D]` of classes at these places `[n]`, but for their count; they are overwritten."""
        if self.unit_sums is not None and self.undirected is not None:
            length = torch.linalg.vector_norm(block.rows, dim=-1, keepdim=True)
            units = torch.mul(block.rows, length.reciprocal().where(length > 0, 0), out=block.spare)
            add_by_class(self.unit_sums, places, units)
            add_by_class(self.undirected, places, (length == 0).to(torch.float64))
        deviations = self.moments.add(block, places)
        if self.scatter is not None:
            self.scatter.add(deviations[0])

    def within_scatter(self) -> Tensor:
        """Sum over samples of (h - m_c)(h - m_c)^T, the upper half of `[D, D]`, in K D^2 products."""
        assert self.scatter is not None
        return add_outer(self.scatter.total().clone(), self.moments.total[0], self.moments.count, -1)


def add_outer(scatter: Tensor, vectors: Tensor, count: Tensor, sign: int) -> Tensor:
    """Add or take away the sum over classes of v v^T / count of vectors `[K, D]`, in place, by tiles of classes."""
    part = torch.zeros_like(scatter)
    for start in range(0, len(vectors), 4096):
        tile = slice(start, start + 4096)
        add_gram(part, vectors[tile] * count[tile, None].to(torch.float64).clamp(min=1).rsqrt())
    return scatter.add_(part, alpha=sign)
