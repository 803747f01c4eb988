"""Which class has which place: any integers as labels, named beforehand or as they come."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Classes:
    """Labels in the order of their places; they stay on the CPU."""

    def __init__(self, named: Iterable[int] | None, ignore_index: int | None) -> None:
        """Of the classes ``named``, or of whatever comes; samples of ``ignore_index`` have no place."""
        self.named, self.ignore_index = named is not None, ignore_index
        labels = torch.as_tensor([] if named is None else list(named), dtype=torch.int64)
        if len(labels) != len(labels.unique()):
            raise ValueError("classes names a label twice; each must be there once.")
        if ignore_index is not None and bool((labels == ignore_index).any()):
            raise ValueError(f"ignore_index is {ignore_index}, which classes names; it must be another label.")
        self._know(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def _know(self, labels: Tensor) -> None:
        self.labels = labels
        self.sorted, self.place_of_sorted = labels.sort()

    def kept(self, labels: Tensor) -> Tensor | None:
        """Which labels `[N]` are of samples that count; None where all are."""
        if self.ignore_index is None:
            return None
        kept: Tensor = labels != self.ignore_index
        return None if bool(kept.all()) else kept

    def check(self, labels: Tensor) -> Tensor:
        """The labels `[M]` that have no place yet, in the order in which they come; ValueError where they get none."""
        unknown = ~self._known(labels)
        if not bool(unknown.any()):
            return labels[:0].cpu()
        labels = labels[unknown].cpu()
        values, inverse = labels.unique(return_inverse=True)
        first = int(values[0])
        times = int((labels == first).sum())
        if self.named:
            raise ValueError(
                f"labels contains {first} ({times} times), which is not among the {len(self)} classes named by "
                f"classes=; name it, or leave it out by ignore_index={first}."
            )
        if first < 0:
            raise ValueError(
                f"labels contains {first} ({times} times); a negative label is a class only where classes= names it, "
                f"and ignore_index={first} leaves its samples out."
            )
        earliest = torch.full_like(values, len(labels)).scatter_reduce(0, inverse, torch.arange(len(labels)), "amin")
        in_order: Tensor = values[earliest.argsort()]
        return in_order

    def _known(self, labels: Tensor) -> Tensor:
        """Which labels have a place."""
        if not len(self.sorted):
            return torch.zeros_like(labels, dtype=torch.bool)
        known = self.sorted.to(labels.device)
        return known[torch.searchsorted(known, labels).clamp(max=len(known) - 1)] == labels

    def add(self, labels: Tensor) -> None:
        """Give these labels the next places."""
        if len(labels):
            self._know(torch.cat([self.labels, labels.cpu()]))

    def places(self, labels: Tensor) -> Tensor:
        """The places `[N]` of labels that all have one."""
        known, places = (of.to(labels.device) for of in (self.sorted, self.place_of_sorted))
        found: Tensor = places[torch.searchsorted(known, labels)]
        return found
