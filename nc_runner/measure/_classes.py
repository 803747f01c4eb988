"""Which class has which place: any integers as labels, named beforehand or as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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

    def chosen(self, count: Tensor, min_count: int | None) -> Tensor:
        """The places of the classes that are measured, of those with these numbers of samples `[K]`.

        Raises:
            ValueError: a named class has no sample, or no class has enough.
        """
        chosen = (count >= (min_count or 0)).nonzero().flatten()
        if not len(chosen):
            raise ValueError(f"min_count is {min_count}; no class has as many samples.")
        missing = self.labels[(count == 0).cpu()]
        if min_count is None and len(missing):
            some = ", ".join(map(str, missing[:5].tolist())) + (", ..." if len(missing) > 5 else "")
            raise ValueError(
                f"{len(missing)} of the {len(count)} classes named by classes= have no sample ({some}), so no mean; "
                "leave them out of classes, or set min_count=1."
            )
        return chosen if self.named else chosen[self.labels.to(chosen.device)[chosen].argsort()]

    def among(self, chosen: Tensor, labels: Tensor) -> Tensor:
        """Where among the places chosen `[M]` each label's is `[N]`; -1 of one that is not among them.

        Raises:
            ValueError: a label that no sample had.
        """
        kept = self.kept(labels)
        counted = labels if kept is None else labels[kept]
        if len(new := self.check(counted)):
            raise ValueError(f"labels contains {int(new[0])}, of which the first pass had no sample.")
        place = torch.full((len(self),), -1, device=labels.device)
        place[chosen] = torch.arange(len(chosen), device=labels.device)
        found = torch.full_like(labels, -1)
        found[slice(None) if kept is None else kept] = place[self.places(counted)]
        return found

    def state(self, *, directions: bool, covariance: bool, min_count: int | None) -> dict[str, Tensor]:
        """These and what else an accumulator was asked for, as tensors."""
        numbers = [self.ignore_index, min_count]
        flags = [self.named, directions, covariance, *(number is not None for number in numbers)]
        return {
            "labels": self.labels.clone(),
            "settings": torch.tensor(flags, dtype=torch.uint8),
            "numbers": torch.tensor([0 if number is None else number for number in numbers]),
        }


def settings_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """What an accumulator is asked for, of the tensors of ``state``."""
    named, directions, covariance, ignores, counts = map(bool, state["settings"].tolist())
    ignore_index, min_count = state["numbers"].tolist()
    return {
        "classes": state["labels"].tolist() if named else None,
        "ignore_index": ignore_index if ignores else None,
        "min_count": min_count if counts else None,
        "directions": directions,
        "covariance": covariance,
    }
